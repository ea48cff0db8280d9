"""Tiny models and their data for the command line's tests."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny_models
from tests.conftest import Run


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with dense.keras and its calibration data x.npz."""
    directory = tmp_path_factory.mktemp("tiny")
    tiny_models.dense(directory / "dense.keras")
    tiny_models.calibration(directory / "x.npz")
    return directory


@pytest.fixture(scope="session")
def tflite(files: Path, mcu_quant: Run) -> Path:
    """dense.keras, quantized by the command line."""
    output = files / "dense.tflite"
    done = mcu_quant("quantize", files / "dense.keras", "-o", output, "--data", files / "x.npz")
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="session")
def refuses(mcu_quant: Run) -> Callable[..., str]:
    """Run a command that must be refused; returns the one paragraph of its error."""

    def check(*arguments: object, code: int = 2) -> str:
        done: subprocess.CompletedProcess[str] = mcu_quant(*arguments)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        assert done.stderr.startswith("error: "), done.stderr
        assert "\n\n" not in done.stderr
        return done.stderr

    return check


def only_json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The object on stdout, which must hold nothing else."""
    payload = json.loads(done.stdout)
    assert isinstance(payload, dict) and payload["schema"] == 1
    return payload
