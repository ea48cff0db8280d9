"""A streaming model of a .tflite file with variables, through the whole command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import only_json
from tests.conftest import Run
from tests.importers.streams import STREAMS, never_assigned
from tests.oracles import tflm

STEPS = 40


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("states") / "ring.tflite"
    path.write_bytes(STREAMS["delay_line_int8"]())
    return path


@pytest.fixture(scope="module")
def inputs(model: Path) -> Path:
    path = model.with_name("inputs.npz")
    x = np.random.default_rng(0).integers(-128, 128, (STEPS, 1, 1, 3)).astype(np.int8)
    np.savez(path, x=x)
    return path


def test_inspect_says_what_is_kept(model: Path, mcu_quant: Run) -> None:
    facts = only_json(mcu_quant("inspect", model, "--json"))
    assert facts["memory"]["state_bytes"] == 16
    done = mcu_quant("inspect", model)
    assert "state from run to run (RAM)" in done.stdout and "16 bytes" in done.stdout


@pytest.mark.parametrize("engine", ["reference", "host"])
def test_samples_are_consecutive_steps(
    engine: str, model: Path, inputs: Path, mcu_quant: Run, tmp_path: Path
) -> None:
    done = mcu_quant("run", model, "--inputs", inputs, "--on", engine, "--outputs", tmp_path / "out.npz")
    assert done.returncode == 0, done.stderr
    x = np.load(inputs)["x"]
    (expected,) = tflm(model.read_bytes(), [x], sequence=True)
    with np.load(tmp_path / "out.npz") as outputs:
        np.testing.assert_array_equal(outputs["out0"], expected[:, 0])


def test_verify(model: Path, inputs: Path, mcu_quant: Run) -> None:
    done = mcu_quant("verify", model, "--inputs", inputs)
    assert done.returncode == 0, done.stderr
    assert f"{15 * STEPS} values of {STEPS} samples identical" in done.stdout


def test_generate(model: Path, mcu_quant: Run, tmp_path: Path) -> None:
    done = mcu_quant("generate", model, "--target", "cortex-m4", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    header = (tmp_path / "ring.h").read_text(encoding="utf-8")
    assert "#define RING_STATE_BYTES 16" in header and "void ring_reset(void *state);" in header


def test_what_cannot_be_is_refused(mcu_quant: Run, tmp_path: Path) -> None:
    path = tmp_path / "unassigned.tflite"
    path.write_bytes(never_assigned())
    done = mcu_quant("verify", path)
    assert done.returncode == 2 and "must be assigned before it is read" in done.stderr
