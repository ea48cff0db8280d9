"""The model that breaks naive quantization (tests/models/unequal.py), and what repairs win back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.passes import prepare
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize_options import QuantizeOptions
from tests.keras_models import calibration_data, held_out_data, needs_models, quantize_input
from tests.oracles import tflm

#: Training takes half a minute, but not on a busy machine.
pytestmark = [needs_models, pytest.mark.slow, pytest.mark.timeout(900)]

REPAIRS = ("equalize", "adaround", "bias")


@pytest.fixture(scope="module")
def graph(unequal_model: Path) -> Graph:
    return prepare(load_keras_file(unequal_model))


def correct(graph: Graph) -> int:
    """Right answers of the 5,000."""
    x, y = held_out_data("fashion_dscnn")
    tensor = graph.input_tensors()[0]
    inputs = quantize_input(tensor, x) if tensor.dtype == "int8" else x[:, None]
    (outputs,) = run_graph(graph, [inputs])
    return int((outputs.reshape(len(x), -1).argmax(axis=1) == y).sum())


def test_it_is_a_good_model(graph: Graph) -> None:
    assert correct(graph) >= 4_000


@pytest.mark.parametrize("per_tensor", [True, False])
def test_repairs_win_back_what_naive_quantization_loses(graph: Graph, per_tensor: bool) -> None:
    data = [calibration_data("fashion_dscnn")]
    real = correct(graph)
    naive = correct(quantize_integer(graph, data, QuantizeOptions(per_tensor=per_tensor)))
    quantized = quantize_integer(graph, data, QuantizeOptions(per_tensor=per_tensor, repairs=REPAIRS))
    mended = correct(quantized)
    if per_tensor:
        assert real - naive > 500, f"{real} in float, {naive} naively: 10 points of 5,000"
    assert mended - naive >= 0.8 * (real - naive), f"{real} in float, {naive} naively, {mended} repaired"
    q = quantize_input(quantized.input_tensors()[0], held_out_data("fashion_dscnn")[0][:50])
    assert np.array_equal(run_graph(quantized, [q])[0], tflm(write_tflite(quantized), [q])[0])
