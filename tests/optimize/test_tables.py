"""Chains of element-wise operators as tables: which, and the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.elementwise import byte_chains
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.leaky_relu import LeakyReluAttrs
from mcu_quant.ops.logistic import LogisticAttrs
from mcu_quant.ops.support import find_problems
from mcu_quant.ops.tolerance import output_tolerances
from mcu_quant.optimize import optimize
from mcu_quant.optimize.tables import tabulate

SHAPE = (1, 3, 2, 4)
ARITHMETIC = ArithmeticAttrs()
Q = QuantParams.per_tensor


class Net:
    """int8 activations called by their node."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {"x": Tensor("x", SHAPE, "int8", Q(0.05, 3))}
        self.nodes: list[Node] = []

    def node(
        self,
        name: str,
        op: str,
        *inputs: str,
        attrs: Any = None,
        dtype: str = "int8",
        quant: QuantParams | None = None,
        shape: tuple[int, ...] = SHAPE,
    ) -> str:
        quant = (quant or Q(0.04, -7)) if dtype in ("int8", "uint8") else None
        self.tensors[name] = Tensor(name, shape, dtype, quant)
        self.nodes.append(Node(name, op, attrs, inputs, (name,)))
        return name

    def float(self, name: str, op: str, *inputs: str, attrs: Any = None) -> str:
        return self.node(name, op, *inputs, attrs=attrs, dtype="float32")

    def constant(self, name: str, *values: float, dtype: str = "int8") -> str:
        data, quant = np.array(values, dtype), Q(0.02, 5) if dtype == "int8" else None
        self.tensors[name] = Tensor.constant(name, data, quant)
        return name

    def swish(self, x: str, name: str) -> str:
        gate = self.node(f"{name}/gate", "logistic", x, attrs=LogisticAttrs(), quant=Q(1 / 256, -128))
        return self.node(name, "mul", x, gate, attrs=ARITHMETIC)

    def graph(self, *outputs: str) -> Graph:
        inputs = tuple(
            name
            for name, tensor in self.tensors.items()
            if not tensor.is_constant and name not in {node.name for node in self.nodes}
        )
        graph = check(Graph("net", tuple(self.nodes), self.tensors, inputs, outputs))
        assert not find_problems(graph)
        return graph


def chains(graph: Graph) -> dict[str, tuple[str, list[str]]]:
    return {chain.target: (chain.source, [node.name for node in chain.nodes]) for chain in byte_chains(graph)}


def assert_same_bits(graph: Graph) -> Graph:
    """With tables, and optimized, it computes the same; returns it with tables."""
    rng = np.random.default_rng(1)
    inputs = [rng.integers(-128, 128, (40, *t.shape)).astype(t.dtype) for t in graph.input_tensors()]
    expected, after = run_graph(graph, inputs), check(tabulate(graph))
    for other in (after, optimize(graph, GenerateOptions())):
        for one, another in zip(run_graph(other, inputs), expected, strict=True):
            assert one.dtype == another.dtype and np.array_equal(one, another)
    return after


def test_several_operators_of_one_tensor() -> None:
    net = Net()
    graph = net.graph(net.swish(net.swish("x", "a"), "b"))
    assert chains(graph) == {"b": ("x", ["a/gate", "a", "b/gate", "b"])}
    (node,) = assert_same_bits(graph).nodes
    assert (node.name, node.op, node.inputs) == ("b", "lookup", ("x",))


def test_what_is_made_anyway_is_where_the_next_table_begins() -> None:
    net = Net()
    a = net.swish("x", "a")
    graph = net.graph(net.swish(a, "b"), a)
    assert chains(graph) == {"a": ("x", ["a/gate", "a"]), "b": ("a", ["b/gate", "b"])}
    assert_same_bits(graph)


def test_a_table_begins_at_the_source_if_one_tensor_in_between_is_not_all() -> None:
    net = Net()
    a = net.swish("x", "a")
    graph = net.graph(net.node("both", "add", net.swish(a, "b"), "x", attrs=ARITHMETIC, quant=Q(0.1, 0)), a)
    assert chains(graph)["both"] == ("x", ["a/gate", "a", "b/gate", "b", "both"])
    assert [node.inputs for node in assert_same_bits(graph).nodes] == [("x",), ("x",)]


def test_floats_in_between() -> None:
    net = Net()
    half, real = net.constant("c", 0.5, dtype="float32"), net.float("real", "dequantize", "x")
    y = net.float("exp", "exp", net.float("half", "mul", real, half, attrs=ARITHMETIC))
    graph = net.graph(net.node("y", "quantize", y, quant=Q(0.1, -128)))
    assert output_tolerances(graph) == [None]
    assert [node.op for node in assert_same_bits(graph).nodes] == ["lookup"]


def test_a_float_that_is_read_is_computed() -> None:
    net = Net()
    a = net.swish("x", "a")
    y = net.float("exp", "exp", net.float("real", "dequantize", a))
    graph = net.graph(net.node("y", "quantize", y, quant=Q(0.1, -128)), y)
    after = assert_same_bits(graph)
    assert {node.name: node.op for node in after.nodes} == {
        "a": "lookup",
        "real": "dequantize",
        "exp": "exp",
        "y": "lookup",
    }
    exact, near = output_tolerances(graph)
    assert exact is None and near is not None


def test_conditions() -> None:
    net = Net()
    same = Q(0.05, 3)
    net.constant("zero", 3)
    net.tensors["zero"] = Tensor.constant("zero", np.array([3], np.int8), same)
    below = net.node("below", "greater_equal", "zero", "x", dtype="bool")
    graph = net.graph(net.node("y", "select_v2", below, "zero", "x", quant=same), below)
    assert chains(graph) == {"y": ("x", ["below", "y"])}
    assert_same_bits(graph)


def test_one_operator_that_reads_its_input_twice() -> None:
    net = Net()
    graph = net.graph(net.node("y", "mul", "x", "x", attrs=ARITHMETIC, quant=Q(0.2, -128)))
    assert chains(graph) == {"y": ("x", ["y"])}
    assert_same_bits(graph)


def test_bytes_of_either_type() -> None:
    net = Net()
    net.tensors["x"] = Tensor("x", SHAPE, "uint8", Q(0.05, 131))
    y = net.node("y", "leaky_relu", net.node("q", "quantize", "x"), attrs=LeakyReluAttrs(0.25))
    graph = net.graph(net.node("u", "quantize", y, dtype="uint8", quant=Q(0.03, 100)))
    assert chains(graph) == {"u": ("x", ["q", "y", "u"])}
    assert_same_bits(graph)


def test_a_constant_may_give_more_axes() -> None:
    net = Net()
    net.tensors["x"] = Tensor("x", (1, 9), "int8", Q(0.05, 3))
    net.tensors["c"] = Tensor.constant("c", np.full((1, 1, 1, 1), 100, np.int8), Q(0.02, 5))
    y = net.node("y", "add", "x", "c", attrs=ARITHMETIC, shape=(1, 1, 1, 9))
    graph = net.graph(net.node("z", "leaky_relu", y, attrs=LeakyReluAttrs(0.25), shape=(1, 1, 1, 9)))
    assert_same_bits(graph)


@pytest.mark.parametrize("what", ["channels", "two_tensors", "one_operator", "int16"])
def test_no_table(what: str) -> None:
    net = Net()
    y = net.node("y", "leaky_relu", "x", attrs=LeakyReluAttrs(0.25))
    if what == "channels":
        y = net.node("z", "add", y, net.constant("c", 1, 2, 3, 4), attrs=ARITHMETIC, quant=Q(0.1, 0))
    elif what == "two_tensors":
        net.tensors["other"] = Tensor("other", SHAPE, "int8", Q(0.05, 3))
        y = net.node("z", "add", y, "other", attrs=ARITHMETIC, quant=Q(0.1, 0))
    elif what == "int16":
        net.tensors["w"] = Tensor("w", SHAPE, "int16", Q(0.001))
        net.nodes.append(Node("w", "quantize", None, (y,), ("w",)))
        y = "w"
    graph = net.graph(y)
    assert byte_chains(graph) == [] and tabulate(graph) is graph
