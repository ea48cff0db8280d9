"""Transpositions behind each other become one; inverse ones no code."""

from __future__ import annotations

import numpy as np

from mcu_quant.deployment import GenerateOptions
from mcu_quant.ir import Graph
from mcu_quant.kernels import choose_kernels
from mcu_quant.kernels.base import CORES
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.transpose import TransposeAttrs
from mcu_quant.optimize import optimize
from mcu_quant.optimize.transposes import merge_transposes
from tests.optimize.graphs import Net
from tests.optimize.soundness import hard_samples


def orders(graph: Graph) -> list[tuple[int, ...]]:
    return [node.attrs.permutation for node in graph.nodes if node.op == "transpose"]


def optimized(graph: Graph) -> Graph:
    """The optimized graph, which gives the same."""
    inputs = [hard_samples(tensor, 5) for tensor in graph.input_tensors()]
    new = optimize(graph, GenerateOptions())
    for actual, expected in zip(run_graph(new, inputs), run_graph(graph, inputs), strict=True):
        np.testing.assert_array_equal(actual, expected)
    return new


def test_three_become_one() -> None:
    net = Net(zero_point=7)
    x = net.conv(net.input(1, 4, 3, 2), 5)
    for order in ((0, 3, 1, 2), (0, 2, 1, 3), (0, 1, 3, 2)):
        x = net.add("transpose", TransposeAttrs(order), x)
    assert orders(optimized(net.graph(x))) == [(0, 1, 2, 3)]


def test_inverse_ones_are_no_code() -> None:
    net = Net(zero_point=7)
    x = net.add("transpose", TransposeAttrs((0, 3, 1, 2)), net.conv(net.input(1, 4, 3, 2), 5))
    graph = optimized(net.graph(net.conv(net.add("transpose", TransposeAttrs((0, 2, 3, 1)), x), 3)))
    kernels = choose_kernels(graph, CORES["generic"])
    assert [kernel.is_alias for kernel in kernels] == [False, True, False]


def test_what_others_read_stays() -> None:
    net = Net(zero_point=7)
    a = net.add("transpose", TransposeAttrs((0, 3, 1, 2)), net.conv(net.input(1, 4, 3, 2), 5))
    b = net.add("transpose", TransposeAttrs((0, 3, 2, 1)), a)
    assert orders(optimized(net.graph(net.conv(a, 3), b))) == [(0, 3, 1, 2), (0, 2, 1, 3)]
    assert orders(optimized(net.graph(a, b))) == [(0, 3, 1, 2), (0, 2, 1, 3)]


def test_a_graph_without_any_is_the_same() -> None:
    net = Net(zero_point=7)
    graph = net.graph(net.add("transpose", TransposeAttrs((0, 3, 1, 2)), net.input(1, 4, 3, 2)))
    assert merge_transposes(graph) is graph
