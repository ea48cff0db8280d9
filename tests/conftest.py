"""Fixtures for all tests, and what happens where a tool is missing: a skip that says so, a failure in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import hypothesis
import pytest

# The same examples in every run; how long one takes is nobody's business.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.load_profile("steady")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

#: marker → programs that its tests need.
_MARKED_TOOLS = {"qemu": ("qemu-system-arm", "arm-none-eabi-gcc")}


#: A test with more sets of parameters than this is a table.
_LONG = 16


def is_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"


def one_in_four_is_quick(index: int) -> tuple[pytest.MarkDecorator, ...]:
    """Marks of a case of a long table: `make check` runs every fourth, `make test` all."""
    return () if index % 4 == 0 else (pytest.mark.slow,)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make check` runs every eighth case of a table, in every way that a test has.

    A table is a parameter `case`, or whatever parameters a test has more than _LONG sets of. What looks at
    source files looks at all of them.
    """
    sets = Counter(getattr(item, "function", None) for item in items)
    tables: dict[object, dict[str, int]] = {}
    for item in items:
        callspec, function = getattr(item, "callspec", None), getattr(item, "function", None)
        if callspec is None or item.path.name == "test_architecture.py":
            continue
        if "case" in callspec.params:
            seen = tables.setdefault(function, {})
            place = seen.setdefault(str(callspec.params["case"]), len(seen))
        elif sets[function] > _LONG:
            seen = tables.setdefault(function, {})
            place = seen.setdefault(callspec.id, len(seen))
        else:
            continue
        if place % 8:
            item.add_marker(pytest.mark.slow)


def require_tools(*names: str) -> None:
    """Skip the test (fail it in CI) if one of the programs is not installed."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        message = f"not installed: {', '.join(missing)}; `mcu-quant doctor` says how to get them"
        pytest.fail(message) if is_ci() else pytest.skip(message)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, names in _MARKED_TOOLS.items():
        if item.get_closest_marker(marker) is not None:
            require_tools(*names)


@pytest.fixture(scope="session")
def shared() -> Path:
    """../shared: published models, data and golden outputs, which are no part of this repository."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there (published models, data, golden outputs)")
    return SHARED


@pytest.fixture(scope="session")
def unequal_model(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .keras file: the model of tests/models/unequal.py, trained in a process of its own."""
    output = tmp_path_factory.mktemp("models") / "unequal.keras"
    command = [sys.executable, "-m", "tests.models.unequal", str(shared / "data"), str(output)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True, timeout=900)
    return output


@pytest.fixture(scope="session")
def encoder_model(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .keras file: the transformer of tests/models/encoder.py, trained in a process of its own."""
    output = tmp_path_factory.mktemp("models") / "encoder.keras"
    data = shared / "data" / "fsdd_features.npz"
    command = [sys.executable, "-m", "tests.models.encoder", str(data), str(output)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True, timeout=900)
    return output


@pytest.fixture(scope="session")
def recurrent_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A .keras file of a kind of tests/models/recurrent.py, trained once, in a process of its own."""
    folder = tmp_path_factory.mktemp("models")

    def trained(kind: str) -> Path:
        pytest.importorskip("sklearn", reason="scikit-learn is not installed: its digits train a network")
        output = folder / f"{kind}.keras"
        if kind.startswith("words") and not SHARED.is_dir():
            pytest.skip(f"{SHARED} is not there (features of spoken words)")
        if not output.is_file():
            data = str(SHARED / "data" / "fsdd_features.npz")
            command = [sys.executable, "-m", "tests.models.recurrent", kind, data, str(output)]
            subprocess.run(command, check=True, cwd=ROOT, capture_output=True, timeout=900)
        return output

    return trained


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def mcu_quant() -> Run:
    """Run the command line in a process of its own: mcu_quant("verb", …) → exit code, stdout, stderr."""

    def run(*arguments: object, timeout: float = 240, **options: object) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [sys.executable, "-m", "mcu_quant", *map(str, arguments)]
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            command, capture_output=True, text=True, timeout=timeout, check=False, **options
        )

    return run
