"""The command line with techniques that keep activations in float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import tiny_models
from tests.cli.conftest import only_json
from tests.conftest import Run

Refuses = Callable[..., str]
TECHNIQUES = {
    "float32": ("--technique", "float32"),
    "float16": ("--technique", "float16"),
    "hybrid": ("--technique", "dynamic"),
    "weights": ("--technique", "dynamic", "--dynamic-range", "weights"),
}


@pytest.mark.slow
@pytest.mark.parametrize("technique", TECHNIQUES)
def test_from_keras_to_c_without_data(technique: str, mcu_quant: Run, files: Path, tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    options = TECHNIQUES[technique]
    done = mcu_quant("quantize", files / "dense.keras", "-o", file, *options, "--json")
    assert only_json(done)["technique"] == options[1]

    facts = only_json(mcu_quant("inspect", file, "--json"))
    assert facts["unsupported"] == []
    assert [facts[edge][0]["type"] for edge in ("inputs", "outputs")] == ["float32", "float32"]

    verified = only_json(mcu_quant("verify", file, "--json"))
    (host,) = verified["engines"]
    assert verified["passed"] and host["mismatches"] == 0 and host["tolerances"][0]["relative"] > 0

    outputs = []
    for engine in ("reference", "host"):
        target = tmp_path / f"{engine}.npz"
        run = mcu_quant("run", file, "--inputs", files / "x.npz", "--outputs", target, "--on", engine)
        assert run.returncode == 0, run.stderr
        with np.load(target) as stored:
            outputs.append(stored["out0"])
    assert outputs[0].dtype == np.float32 and outputs[0].shape == (64, 3)
    assert np.abs(outputs[0] - outputs[1]).max() < 1e-5

    library = tmp_path / "library"
    assert mcu_quant("generate", file, "--target", "cortex-m0plus", "-o", library).returncode == 0
    header = (library / "net.h").read_text()
    assert "static inline float *net_input_0(" in header and "double" not in header


def test_a_keras_model_is_inspected_without_data(mcu_quant: Run, files: Path) -> None:
    done = mcu_quant("inspect", files / "dense.keras", "--technique", "float16", "--json")
    facts = only_json(done)
    assert facts["calibrated"] and {layer["type"] for layer in facts["layers"]} == {"float32"}
    assert "not known" not in done.stderr


def test_data_is_not_read_and_it_says_so(mcu_quant: Run, files: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.tflite"
    arguments = ("quantize", files / "dense.keras", "-o", output, "--technique", "float16")
    done = mcu_quant(*arguments, "--data", tmp_path / "no_such.npz")
    assert done.returncode == 0 and "no_such.npz is not read" in done.stderr
    without = tmp_path / "b.tflite"
    mcu_quant("quantize", files / "dense.keras", "-o", without, "--technique", "float16")
    assert output.read_bytes() == without.read_bytes()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(("--technique", "float16", "--per-tensor"), "per_tensor=True with float16", id="scales"),
        pytest.param(("--technique", "dynamic", "--input-type", "int8"), "input_type=int8", id="input"),
        pytest.param(("--technique", "float32", "--output-type", "uint8"), "output_type=uint8", id="output"),
        pytest.param(("--dynamic-range", "weights"), "dynamic_range=weights with int8", id="dynamic_range"),
    ],
)
def test_options_without_a_meaning(
    options: tuple[str, ...], says: str, refuses: Refuses, files: Path, tmp_path: Path
) -> None:
    assert says in refuses("quantize", files / "dense.keras", "-o", tmp_path / "out.tflite", *options)
    assert not list(tmp_path.iterdir())


def test_a_float_tflite_does_not_become_int8(
    mcu_quant: Run, refuses: Refuses, files: Path, tmp_path: Path
) -> None:
    """--technique int8 is refused also where it is the default, instead of generating float code."""
    model = tmp_path / "float.tflite"
    mcu_quant("quantize", files / "dense.keras", "-o", model, "--technique", "float32")
    arguments = ("generate", model, "--target", "generic", "-o", tmp_path / "out")
    assert "--technique" in refuses(*arguments, "--technique", "int8")
    assert mcu_quant(*arguments).returncode == 0


def test_a_weight_that_overflows_half(refuses: Refuses, tmp_path: Path) -> None:
    model = tiny_models.dense(tmp_path / "large.keras", weight=-1e5)
    output = tmp_path / "out.tflite"
    error = refuses("quantize", model, "-o", output, "--technique", "float16")
    assert "hidden" in error and "65504" in error and "-100000" in error and "--technique dynamic" in error
    assert not output.exists()


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(technique: str, weight: float, refuses: Refuses, tmp_path: Path) -> None:
    model = tiny_models.dense(tmp_path / "bad.keras", weight=weight)
    error = refuses("quantize", model, "-o", tmp_path / "out.tflite", *TECHNIQUES[technique])
    assert "hidden" in error and "finite" in error


def test_largest_half_is_no_overflow(mcu_quant: Run, tmp_path: Path) -> None:
    model = tiny_models.dense(tmp_path / "edge.keras", weight=65504.0)
    done = mcu_quant("quantize", model, "-o", tmp_path / "out.tflite", "--technique", "float16")
    assert done.returncode == 0, done.stderr
