"""Operators without an integer form in integer models: float32 between converters, tables for bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.ir import Graph
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.logistic import LogisticAttrs
from mcu_quant.ops.relu import ReluAttrs
from mcu_quant.ops.tanh import TanhAttrs
from mcu_quant.ops.tolerance import output_tolerances
from mcu_quant.optimize import optimize
from mcu_quant.passes import prepare
from mcu_quant.pipeline import TfliteModel, quantize, render, verify
from mcu_quant.pipeline.deploying import core_named, deploy
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.recipe import recipe_of
from mcu_quant.samples import default_inputs, dequantize
from tests.oracles import litert_ref, tflm
from tests.passes.float_models import Model
from tests.quantize.test_integer_graphs import samples


def node(m: Model, op: str, name: str, *inputs: str, attrs: Any = None) -> str:
    return m.node(op, name, attrs, *inputs)


def softplus(m: Model, x: str, name: str) -> str:
    """log(1 + exp(x))"""
    one = m.builder.constant(f"{name}/one", np.ones(1, np.float32))
    sum_ = node(m, "add", f"{name}/sum", node(m, "exp", f"{name}/exp", x), one, attrs=ArithmeticAttrs())
    return node(m, "log", name, sum_)


def mish(m: Model, x: str, name: str) -> str:
    gate = node(m, "tanh", f"{name}/gate", softplus(m, x, f"{name}/softplus"), attrs=TanhAttrs())
    return node(m, "mul", name, x, gate, attrs=ArithmeticAttrs())


def swish(m: Model, x: str, name: str) -> str:
    gate = node(m, "logistic", f"{name}/gate", x, attrs=LogisticAttrs())
    return node(m, "mul", name, x, gate, attrs=ArithmeticAttrs())


def between() -> Graph:
    """A function that TFLite lacks, between two convolutions, another that it has, and both once more."""
    m = Model(5, 4, 3)
    x = swish(m, mish(m, m.conv(m.x, "first", 4), "mish"), "swish")
    x = softplus(m, swish(m, m.conv(x, "second", 4), "again"), "plus")
    return m.graph(m.conv(x, "third", 2))


def shared() -> Graph:
    """What is in the middle of a region is read outside of it, and is an output."""
    m = Model(5, 4, 3)
    x = node(m, "relu", "before", m.conv(m.x, "first", 4), attrs=ReluAttrs())
    other = m.conv(x, "beside", 4)
    y = softplus(m, x, "plus")
    z = node(m, "square", "square", y)
    both = node(m, "add", "both", z, other, attrs=ArithmeticAttrs())
    return m.graph(m.conv(both, "last", 2), y)


def of_two_tensors() -> Graph:
    """No function of one tensor: the sum is of integers."""
    m = Model(5, 4, 3)
    a, b = m.conv(m.x, "a", 4), m.conv(m.x, "b", 4)
    return m.graph(
        node(m, "add", "sum", node(m, "exp", "e", a), node(m, "sin", "s", b), attrs=ArithmeticAttrs())
    )


def at_the_edges() -> Graph:
    """The input goes into a function, and one makes the output."""
    m = Model(5, 4, 3)
    return m.graph(node(m, "cos", "last", m.conv(node(m, "exp", "first", m.x), "conv", 4)))


GRAPHS: dict[str, Callable[[], Graph]] = {
    "between": between,
    "shared": shared,
    "of_two_tensors": of_two_tensors,
    "at_the_edges": at_the_edges,
}


def quantized(name: str, technique: str = "int8", **options: Any) -> TfliteModel:
    return quantize(GRAPHS[name](), samples(GRAPHS[name]()), QuantizeOptions(technique=technique, **options))


def deployed(model: TfliteModel) -> Graph:
    return optimize(model.graph, GenerateOptions())


@pytest.mark.parametrize("name", GRAPHS)
def test_int8_needs_no_float_in_c(name: str) -> None:
    model = quantized(name)
    graph = deployed(model)
    assert {form_of(node) for node in graph.bound_nodes()} == {"int8"}
    assert output_tolerances(model.graph) == [None] * len(graph.outputs)
    files = render([deploy(model, core_named("generic"), GenerateOptions())])
    assert not any("float" in file or "_f32" in file for file in files)
    assert not any("math.h" in str(content) for content in files.values())


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("technique", ["int8", "int16x8"])
def test_c_and_tflm_agree(name: str, technique: str) -> None:
    model = quantized(name, technique)
    inputs = default_inputs(model.graph, 6)
    (result,) = verify(model, ["host"], inputs, GenerateOptions())
    assert result.passed and (technique != "int8" or result.identical), result
    for one, other in zip(run_graph(model.graph, inputs), tflm(model.data, inputs), strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= (2 if technique == "int8" else 8)


@pytest.mark.parametrize("name", ["between", "shared"])
def test_outputs_are_near_the_float_meaning(name: str) -> None:
    graph, model = prepare(GRAPHS[name]()), quantized(name)
    batch = samples(graph)[0][:20]
    x = model.graph.input_tensors()[0]
    q = np.clip(np.rint(batch / x.scale) + x.zero_point, -128, 127).astype(np.int8)
    for y, real, tensor in zip(
        run_graph(model.graph, [q]), run_graph(graph, [batch]), model.graph.output_tensors(), strict=True
    ):
        assert np.abs(dequantize(y, tensor) - real).max() < 6 * tensor.scale
    litert_ref(model.data, [q])


def test_regions_are_float_as_a_whole() -> None:
    forms = {node.name: form_of(node) for node in quantized("between").graph.bound_nodes()}
    assert forms["mish/softplus/sum"] == forms["swish/gate"] == forms["again/gate"] == "float"
    assert forms["first"] == forms["third"] == "int8"
    forms = {node.name: form_of(node) for node in quantized("shared").graph.bound_nodes()}
    assert forms["first"] == forms["beside"] == "int8" and forms["square"] == "float"


def test_tables_have_the_names_of_what_they_stand_for() -> None:
    graph = deployed(quantized("between"))
    first, second = (node for node in graph.nodes if node.op == "lookup")
    names = [name for name, _ in first.attrs.layers]
    assert names[1:-1] == [
        "mish/softplus/exp",
        "mish/softplus/sum",
        "mish/softplus",
        "mish/gate",
        "mish",
        "swish/gate",
        "swish",
    ]
    assert second.attrs.summary == "a table of logistic, mul, exp, add, log"


def test_a_recipe_may_say_float_of_more() -> None:
    options = QuantizeOptions(recipe=recipe_of({"first": "float32"}))
    model = quantize(between(), samples(between()), options)
    inputs = default_inputs(model.graph, 4)
    (result,) = verify(model, ["host"], inputs, GenerateOptions())
    assert result.passed and output_tolerances(model.graph) != [None]


@pytest.mark.parametrize("edge", ["uint8", "float32"])
def test_edges_of_other_types(edge: str) -> None:
    model = quantized("at_the_edges", input_type=edge, output_type=edge)
    (x,), (y,) = model.graph.input_tensors(), model.graph.output_tensors()
    assert (x.dtype, y.dtype) == (edge, edge)
    inputs = default_inputs(model.graph, 4)
    (result,) = verify(model, ["host"], inputs, GenerateOptions())
    assert result.passed, result
    tflm(model.data, inputs)
