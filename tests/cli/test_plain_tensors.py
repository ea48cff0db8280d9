"""Models whose inputs and outputs are conditions and whole numbers, through the whole command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.interpreter import run_graph
from tests.cli.conftest import only_json
from tests.conftest import Run
from tests.oracles import litert_ref


def plain_graph() -> Graph:
    """x (int8) is compared; where it is small and `enabled` (bool), counts (int32) are taken, else -1."""
    quant = QuantParams.per_tensor(0.05, -3)
    nodes = (
        Node("small", "less", None, ("x", "threshold"), ("is_small",)),
        Node("both", "logical_and", None, ("is_small", "enabled"), ("mask",)),
        Node("choice", "select_v2", None, ("mask", "counts", "none"), ("chosen",)),
        Node("more", "add", ArithmeticAttrs(), ("chosen", "one"), ("numbers",)),
    )
    tensors = (
        Tensor("x", (1, 2, 5), "int8", quant),
        Tensor("enabled", (1, 1, 5), "bool"),
        Tensor.constant("threshold", np.array([7], np.int8), quant),
        Tensor.constant("counts", np.arange(10, dtype=np.int32).reshape(1, 2, 5) * 1000003),
        Tensor.constant("none", np.array([-1], np.int32)),
        Tensor.constant("one", np.array([1], np.int32)),
        Tensor("is_small", (1, 2, 5), "bool"),
        Tensor("mask", (1, 2, 5), "bool"),
        Tensor("chosen", (1, 2, 5), "int32"),
        Tensor("numbers", (1, 2, 5), "int32"),
    )
    named = {tensor.name: tensor for tensor in tensors}
    return check(Graph("plain", nodes, named, ("x", "enabled"), ("mask", "numbers")))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "plain.tflite"
    path.write_bytes(write_tflite(plain_graph()))
    return path


def test_inspect(model: Path, mcu_quant: Run) -> None:
    found = only_json(mcu_quant("inspect", model, "--json"))
    assert [tensor["type"] for tensor in found["inputs"]] == ["int8", "bool"]
    assert [tensor["type"] for tensor in found["outputs"]] == ["bool", "int32"]


def test_verify_with_the_default_inputs(model: Path, mcu_quant: Run) -> None:
    done = mcu_quant("verify", model)
    assert done.returncode == 0, done.stderr


@pytest.mark.qemu
def test_verify_on_a_board(model: Path, mcu_quant: Run) -> None:
    done = mcu_quant("verify", model, "--on", "mps2_an386")
    assert done.returncode == 0, done.stderr


def test_generated_header(model: Path, tmp_path: Path, mcu_quant: Run) -> None:
    done = mcu_quant("generate", model, "--target", "generic", "-o", tmp_path / "c")
    assert done.returncode == 0, done.stderr
    header = next((tmp_path / "c").rglob("plain.h")).read_text()
    assert "static inline uint8_t *plain_input_1(" in header
    assert "static inline const uint8_t *plain_output_0(" in header
    assert "static inline const int32_t *plain_output_1(" in header
    assert "plain_output_1_dequantize" not in header


@pytest.mark.parametrize("engine", ("reference", "host"))
@pytest.mark.parametrize("dtype", (np.bool_, np.uint8))
def test_run_gives_conditions_and_numbers(
    engine: str, dtype: type, model: Path, tmp_path: Path, mcu_quant: Run
) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-128, 128, (4, 2, 5)).astype(np.int8)
    enabled = rng.integers(0, 2, (4, 1, 5)).astype(dtype)
    np.savez(tmp_path / "in.npz", x=x, enabled=enabled)
    out = tmp_path / "out.npz"
    done = mcu_quant("run", model, "--inputs", tmp_path / "in.npz", "--outputs", out, "--on", engine)
    assert done.returncode == 0, done.stderr
    inputs = [x[:, None], enabled[:, None].astype(np.bool_)]
    expected = run_graph(plain_graph(), inputs)
    with np.load(out) as found:
        for name, array, other in zip(
            ("out0", "out1"), expected, litert_ref(model.read_bytes(), inputs), strict=True
        ):
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name].reshape(array.shape), array)
            np.testing.assert_array_equal(other, array)


def test_other_numbers_are_no_conditions(model: Path, tmp_path: Path, mcu_quant: Run) -> None:
    np.savez(tmp_path / "in.npz", x=np.zeros((1, 2, 5), np.int8), enabled=np.full((1, 1, 5), 2))
    done = mcu_quant("run", model, "--inputs", tmp_path / "in.npz", "--outputs", tmp_path / "out.npz")
    assert done.returncode == 2 and "must be conditions" in done.stderr
