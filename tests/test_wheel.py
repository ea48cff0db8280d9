"""The wheel, installed where there is no checkout, does the whole job."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests import tiny_models
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(directory), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = directory.glob("*.whl")
    return path


def test_wheel_holds_templates_boards_and_examples(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for directory in ("templates", "boards", "firmware_examples"):
        ours = {
            f"mcu_quant/_data/{p.relative_to(ROOT).as_posix()}"
            for p in (ROOT / directory).rglob("*")
            if p.is_file()
        }
        assert ours and ours <= set(names), directory
    assert not [name for name in names if name.startswith(("tests/", "tools/")) or "__pycache__" in name]


def test_installed_wheel_generates_a_project(wheel: Path, tmp_path: Path) -> None:
    """In an empty environment outside the checkout, and in a path with spaces.

    Our dependencies come from the environment of these tests by a .pth file, which spares a download;
    mcu_quant itself must come from the wheel.
    """
    environment = tmp_path / "empty environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    site = Path(_output(python, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    zipfile.ZipFile(wheel).extractall(site)
    (site / "zz_dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    where = _output(python, "import mcu_quant; print(mcu_quant.__file__)")
    assert Path(where).is_relative_to(site), where
    work = tmp_path / "my work"
    work.mkdir()
    tiny_models.dense(work / "dense.keras")
    tiny_models.calibration(work / "x.npz")
    commands = (
        ("quantize", "dense.keras", "-o", "dense.tflite", "--data", "x.npz"),
        ("generate", "dense.tflite", "--board", "mps2_an386", "-o", "my project"),
        ("generate", "dense.tflite", "--target", "cortex-m0plus", "-o", "my library"),
    )
    for command in commands:
        done = subprocess.run(
            [python, "-m", "mcu_quant", *command],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
            env=_clean(),
        )
        assert done.returncode == 0, done.stderr
    assert (work / "my project" / "Makefile").is_file()
    assert (work / "my library" / "dense.c").is_file()


def test_console_script_is_declared(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (entry_points,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    assert "mcu-quant = mcu_quant.cli:main" in archive.read(entry_points).decode()


def _output(python: Path, code: str) -> str:
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=True, env=_clean(), cwd="/"
    )
    return done.stdout.strip()


def _clean() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
