"""Graphs with conditions and whole numbers among what is quantized: those stay what they are."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.arg_extremum import ArgAttrs
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.cast import CastAttrs
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import GraphBuilder
from mcu_quant.pipeline import TfliteModel, verify
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.samples import default_inputs
from tests.oracles import litert_ref

X = np.random.default_rng(4).normal(0, 1, (64, 6)).astype(np.float32)


def masked() -> Graph:
    """x where it lies between two bounds, times 1 or 0; how many of them there are; where the largest is."""
    b = GraphBuilder("masked", OPERATORS)
    x = b.input("x", (1, 6))
    low, high = (b.constant(name, np.array([v], np.float32)) for name, v in (("low", -0.5), ("high", 0.7)))
    above, below = b.add("greater", "above", None, [x, low]), b.add("less", "below", None, [x, high])
    inside = b.add("logical_and", "inside", None, [above, below])
    mask = b.add("cast", "mask", CastAttrs("float32"), [inside])
    y = b.add("mul", "y", ArithmeticAttrs(), [x, mask])
    where = b.add("arg_max", "where", ArgAttrs(1), [y])
    count = b.add("add", "count", ArithmeticAttrs(), [where, b.constant("one", np.array([1], np.int32))])
    return b.graph([inside, y, count])


@pytest.mark.parametrize("technique", ("int8", "int16x8"))
def test_conditions_stay_conditions(technique: str) -> None:
    graph = masked()
    quantized = quantize_integer(graph, [(X,)], QuantizeOptions(technique=technique))
    forms = {node.name: form_of(node) for node in quantized.bound_nodes()}
    integer = "int8" if technique == "int8" else "float"  # TFLM compares no int16
    assert forms["above"] == forms["below"] == integer
    assert forms["inside"] == forms["count"] == "plain"
    assert forms["mask"] == "float"
    data = write_tflite(quantized)
    inputs = default_inputs(quantized, 8)
    outputs = run_graph(quantized, inputs)
    assert [y.dtype.name for y in outputs][::2] == ["bool", "int32"]
    for ours, theirs in zip(outputs, litert_ref(data, inputs), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    (result,) = verify(TfliteModel("masked", data, quantized), ["host"], inputs, GenerateOptions())
    assert result.passed, result


def test_a_cast_is_of_the_real_number() -> None:
    """Not of the integer that stands for it."""
    b = GraphBuilder("whole", OPERATORS)
    whole = b.add("cast", "whole", CastAttrs("int32"), [b.input("x", (1, 6))])
    quantized = quantize_integer(b.graph([whole]), [(X * 20,)])
    (x,) = quantized.input_tensors()
    (q,) = default_inputs(quantized, 8)
    (found,) = run_graph(quantized, [q])
    real = (q.astype(np.float32) - x.zero_point) * np.float32(x.scale)
    np.testing.assert_array_equal(found, np.trunc(real).astype(np.int32))
