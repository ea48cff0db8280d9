"""Intervals: as narrow as they can be for one linear operator, and what rewrites learn from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.ir import BoundNode, Graph, Node, QuantParams, Tensor, ValueRange, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.linear import LinearOperator, accumulator_range
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.quantize import Quantize
from mcu_quant.ops.relu import ReluAttrs
from mcu_quant.optimize import optimize
from mcu_quant.optimize.identities import remove_identities
from mcu_quant.optimize.ranges import annotate_ranges
from tests.optimize.graphs import SCALE, Net, constant_but_for_the_padding
from tests.optimize.soundness import assert_optimized_is_same, hard_samples


def linear_nodes() -> dict[str, tuple[Net, str]]:
    """One operator each over an input that its filters just cover, or with padding on some sides."""
    nets: dict[str, tuple[Net, str]] = {}
    for name, shape, add in (
        ("conv", (1, 3, 3, 4), lambda net, x: net.conv(x, 5, 3, padding="valid")),
        ("conv, same", (1, 4, 2, 3), lambda net, x: net.conv(x, 5, 3)),
        ("conv, strides", (1, 5, 4, 3), lambda net, x: net.conv(x, 4, 2, strides=(2, 3), bias=False)),
        ("conv, groups", (1, 3, 2, 6), lambda net, x: net.conv(x, 4, 3, groups=2)),
        ("depthwise", (1, 4, 3, 3), lambda net, x: net.depthwise(x, 2)),
        ("depthwise, dilated", (1, 4, 3, 3), lambda net, x: net.depthwise(x, dilation=(2, 1))),
        ("transposed", (1, 3, 2, 4), lambda net, x: net.transposed(x, 5, (7, 5), 3, strides=(2, 3))),
        ("transposed, valid", (1, 2, 2, 3), lambda net, x: net.transposed(x, 4, (5, 4), 3, padding="valid")),
        ("dense", (1, 12), lambda net, x: net.dense(x, 5)),
        ("dense, rows", (1, 3, 4), lambda net, x: net.dense(x, 5)),
        ("dense, image", (1, 2, 3, 4), lambda net, x: net.dense(x, 5, inputs=24)),
    ):
        net = Net(zero_point=-11, seed=len(nets))
        nets[name] = net, add(net, net.input(*shape))
    return nets


@pytest.mark.parametrize("name", linear_nodes())
def test_accumulators_reach_both_ends(name: str) -> None:
    net, y = linear_nodes()[name]
    node = _with_random_range(net.graph(y).bind(net.nodes[0]), net.rng)
    low, high = accumulator_range(node)
    least, largest = _reached(node)
    np.testing.assert_array_equal(low, least)
    np.testing.assert_array_equal(high, largest)


def _with_random_range(node: BoundNode, rng: np.random.Generator) -> BoundNode:
    ends = np.sort(rng.integers(-128, 128, (2, node.input(0).shape[-1])), axis=0)
    x = replace(node.input(0), value_range=ValueRange(ends[0], ends[1]))
    return replace(node, inputs=(x, *node.inputs[1:]))


def _reached(node: BoundNode) -> tuple[np.ndarray, np.ndarray]:
    """The least and largest accumulators of each channel, by the input that is worst for each output."""
    operator, x, weights = OPERATORS[node.node.op], node.input(0), node.input(1)
    assert isinstance(operator, LinearOperator) and weights.data is not None and x.value_range is not None

    units, filters = np.eye(x.elements).reshape(-1, 1, *x.shape), weights.data.astype(np.float64)
    slopes = np.stack([operator.sums(node, unit, filters) for unit in units]).reshape(x.elements, -1)
    ends = [np.broadcast_to(end - x.zero_point, x.shape).reshape(-1, 1) for end in _ends(x.value_range)]
    products = [slopes * end for end in ends]
    channels = node.output.shape[-1]
    bias = node.optional_input(2)
    offset = 0 if bias is None or bias.data is None else bias.data
    least = np.minimum(*products).sum(axis=0).reshape(-1, channels).min(axis=0)
    largest = np.maximum(*products).sum(axis=0).reshape(-1, channels).max(axis=0)
    return least + offset, largest + offset


def _ends(known: ValueRange) -> tuple[np.ndarray, np.ndarray]:
    return known.low, known.high


def test_a_channel_that_differs_by_position_is_not_constant() -> None:
    graph = annotate_ranges(constant_but_for_the_padding().graph)
    before, after = (graph.tensors[name].value_range for name in ("n0", "n1"))
    assert before is not None and after is not None
    assert [c for c in range(8) if before.low[c] == before.high[c]] == [1, 2, 5, 7]
    assert (after.low < after.high).all()


def test_a_border_belongs_to_the_range() -> None:
    net = Net(zero_point=50)
    x = net.conv(net.input(1, 4, 3, 2), 4, constants={0: 3, 2: 0})
    y = net.add("pad", PadAttrs(((0, 0), (1, 0), (0, 0), (1, 2))), x)
    known = annotate_ranges(net.graph(y)).tensors[y].value_range
    assert known is not None
    expected = {0: (50, 50), 1: (50, 53), 3: (50, 50), 5: (50, 50), 6: (50, 50)}
    assert {c: (known.low[c], known.high[c]) for c in expected} == expected


def test_floats_and_conditions_have_no_range() -> None:
    net = Net()
    x = net.input(1, 3)
    net.nodes.append(Node("compare", "greater_equal", None, (x, x), ("c",)))
    net.nodes.append(Node("back", "dequantize", None, (x,), ("f",)))
    net.tensors |= {"c": Tensor("c", (1, 3), "bool"), "f": Tensor("f", (1, 3))}
    tensors = annotate_ranges(net.graph("c", "f")).tensors
    assert tensors["c"].value_range is None and tensors["f"].value_range is None
    assert tensors[x].value_range is not None


def test_a_relu_that_cannot_clip_goes_and_others_stay() -> None:
    net = Net(zero_point=0)
    a = net.conv(net.input(1, 4, 3, 4), 4, activation="relu")
    b = net.add("relu", ReluAttrs(), a)
    c = net.add("relu", ReluAttrs(), net.conv(b, 4))
    graph = net.graph(c)
    optimized = assert_optimized_is_same(graph, [hard_samples(graph.tensors["x"], 20)])
    assert [node.name for node in optimized.nodes] == ["n0", "n2", "n3"]


@pytest.mark.parametrize("last", (True, False), ids=("at the end", "at the start"))
def test_an_equal_scale_is_not_quantized_again(last: bool) -> None:
    net = Net(zero_point=4)
    x = net.input(1, 4, 3, 4)
    a = net.conv(x, 4) if last else net.add("quantize", None, x)
    y = net.add("quantize", None, a) if last else net.conv(a, 4)
    graph = net.graph(y)
    optimized = assert_optimized_is_same(graph, [hard_samples(graph.tensors["x"], 20)])
    assert [node.op for node in optimized.nodes] == ["conv_2d"]


def test_what_ties_an_input_to_an_output_stays() -> None:
    net = Net(zero_point=4)
    y = net.add("quantize", None, net.input(1, 4))
    assert [node.op for node in optimize(net.graph(y), GenerateOptions()).nodes] == ["quantize"]


def test_another_type_of_the_same_scale_is_no_identity() -> None:
    quant = QuantParams.per_tensor(SCALE, 0)
    tensors = {"x": Tensor("x", (1, 4), "int8", quant), "y": Tensor("y", (1, 4), "uint8", quant)}
    tensors["z"] = replace(tensors["x"], name="z")
    nodes = (
        Node("a", Quantize.name, None, ("x",), ("y",)),
        Node("b", Quantize.name, None, ("y",), ("z",)),
    )
    graph: Graph = check(Graph("types", nodes, tensors, ("x",), ("z",)))
    assert remove_identities(annotate_ranges(graph)).nodes == graph.nodes
