"""Imports point one way (docs/DESIGN.md), and TensorFlow stays where it is allowed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "mcu_quant"

#: From the bottom up: a module imports from lower ranks or its own stage.
RANKS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("layer_patterns",),
    ("ir", "archives", "fixed_point", "resources", "doctor", "c_names", "choices", "sections", "affine"),
    ("recipe",),
    ("ops", "quantize_options"),
    ("kernels",),
    ("deployment",),
    ("bands",),
    ("boards", "formats"),
    (
        "importers",
        "exporters",
        "passes",
        "quantize",
        "optimize",
        "streaming",
        "memory",
        "codegen",
        "verify",
        "npz",
        "outputs",
    ),
    ("samples", "training"),
    ("pipeline",),
    ("evaluation",),
    ("diagnosis", "comparison"),
    ("building",),
    ("flashing",),
    ("api", "inspection", "demo", "demo_training"),
    ("cli",),
    ("__main__",),
)
RANK = {stage: rank for rank, stages in enumerate(RANKS) for stage in stages}
#: Where stages of one rank may see each other: memory plans with the help of addresses, and
#: engines compile what codegen writes.
ALLOWED = {("memory", "addresses"), ("verify", "codegen")}
#: Modules that belong to another module's stage.
PART_OF = dict.fromkeys(("addresses", "splitting", "ordering", "fitting", "banding"), "memory")

#: The first two run as child processes only; training is for users who have imported Keras themselves.
TENSORFLOW_ALLOWED = {"importers/saved_model_reader.py", "demo_training.py"}
TENSORFLOW_STAGE = "training"
HEAVY = ("tensorflow", "keras", "tf_keras")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "_data" not in path.parts)


def stage_of(path: Path) -> str:
    name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return PART_OF.get(name, name)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import, wherever in the file; those for type checkers only, too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.lineno, str(node.module)
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    stage = stage_of(path)
    if stage == "__init__":
        return
    assert stage in RANK, f"{stage} has no place in the architecture: give it one in RANKS"
    for line, name in imported(path):
        parts = name.split(".")
        if parts[0] != "mcu_quant" or len(parts) < 2 or parts[1] == "__version__":
            continue
        other = PART_OF.get(parts[1], parts[1])
        if other not in RANK:
            continue
        fine = other == stage or RANK[other] < RANK[stage] or (stage, other) in ALLOWED
        assert fine, f"{path.relative_to(ROOT)}:{line}: {stage} imports {other}, which is not below it"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_tensorflow_only_where_allowed(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix() in TENSORFLOW_ALLOWED or stage_of(path) == TENSORFLOW_STAGE:
        return
    for line, name in imported(path):
        assert name.split(".")[0] not in HEAVY, f"{path.relative_to(ROOT)}:{line} imports {name}"


def test_every_stage_has_a_place() -> None:
    stages = {stage_of(path) for path in modules()} - {"__init__"}
    assert stages <= set(RANK)


def test_no_model_code_is_ever_run() -> None:
    """No eval, exec, pickle or marshal anywhere in the package."""
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            assert called not in ("eval", "exec", "compile", "__import__"), (
                f"{path}:{getattr(node, 'lineno', 0)}"
            )
        names = {name.split(".")[0] for _, name in imported(path)}
        assert not names & {"pickle", "marshal", "dill", "shelve"}, path
