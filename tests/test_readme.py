"""The README's snippets run as they stand, and what it links to is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import tiny_models
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where a user of the quick start stands: model.keras and calibration.npz."""
    tiny_models.dense(tmp_path / "model.keras")
    tiny_models.calibration(tmp_path / "calibration.npz")
    return tmp_path


@pytest.mark.qemu
def test_commands(work: Path) -> None:
    (script,) = snippets("sh")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "identical" in done.stdout and "instructions" in done.stdout


@pytest.mark.qemu
def test_python(work: Path) -> None:
    (script,) = snippets("python")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=work, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 100


def test_links() -> None:
    for document in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_measured_table_is_that_of_the_benchmarks() -> None:
    """`make table` and `make bench` measure the same: neither is left behind."""
    stored = json.loads((ROOT / "docs" / "benchmarks.json").read_text(encoding="utf-8"))["results"]
    models = re.search(r"^\| board \(core\) \| (.*) \|$", README, re.MULTILINE)
    rows = re.findall(r"^\| (mps\w+) \([\w-]+\) \| (.*) \|$", README, re.MULTILINE)
    assert models is not None and len(rows) == 6
    for board, cells in rows:
        shown = dict(zip(models[1].split(" | "), cells.split(" | "), strict=True))
        assert shown == {m: f"{stored[f'{board} balanced {m}']['instructions']:,}" for m in shown}, board
