"""The order of nodes that do not depend on each other."""

from __future__ import annotations

import random
from itertools import pairwise, permutations

import numpy as np
import pytest

from mcu_quant import ordering
from mcu_quant.deployment import GenerateOptions
from mcu_quant.fitting import choose_and_plan
from mcu_quant.ir import Graph, Node
from mcu_quant.kernels import choose_kernels
from mcu_quant.kernels.base import CORES
from mcu_quant.memory import plan_memory
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ordering import best_order, reordered
from tests.codegen.deployments import activation, bias, graph_of, random_inputs, weights
from tests.test_memory import PLAIN, graph, random_graph

BRANCHES = [("x", "a"), ("x", "c"), ("a", "b"), ("c", "d"), ("b d", "y")]
SIZES = {"x": 8, "a": 100, "c": 100, "b": 4, "d": 4, "y": 4}


def test_a_branch_is_finished_before_the_next_begins() -> None:
    g = graph(SIZES, BRANCHES, "x", "y")
    order = best_order(g, [PLAIN] * 5, False)
    assert order == [0, 2, 1, 3, 4]
    assert plan_memory(g, [PLAIN] * 5).arena_bytes == 208
    assert plan_memory(reordered(g, order), [PLAIN] * 5).arena_bytes == 112


def test_a_chain_stays_as_it_is() -> None:
    g = graph({"x": 4, "a": 8, "y": 4}, [("x", "a"), ("a", "y")], "x", "y")
    assert best_order(g, [PLAIN] * 2, False) == [0, 1]


@pytest.mark.parametrize("seed", range(30))
def test_the_peak_is_the_least_of_all_orders(seed: int) -> None:
    generator = random.Random(seed)
    g, kernels = random_graph(generator, generator.randint(1, 6))
    steps, buffers = ordering._steps(g, kernels, False)
    peaks = [ordering._peak(steps, buffers, order) for order in _orders(g)]
    assert ordering._peak(steps, buffers, best_order(g, kernels, False)) == min(peaks)


def _orders(g: Graph) -> list[tuple[int, ...]]:
    """All that are possible, by trying them."""
    made = {name: i for i, node in enumerate(g.nodes) for name in node.outputs}
    before = [{made[name] for name in node.inputs if name in made} for node in g.nodes]
    return [
        order
        for order in permutations(range(len(g.nodes)))
        if all(before[index] <= set(order[:place]) for place, index in enumerate(order))
    ]


def test_other_orders_are_taken_where_the_arena_gets_smaller_and_give_the_same_bytes() -> None:
    image = activation("x", (1, 8, 8, 4))
    tensors, nodes = [image], []
    for branch in "ab":
        tensors += [
            weights(f"{branch}/w", (16, 1, 1, 4), 0),
            bias(f"{branch}/b", 16),
            activation(f"{branch}/wide", (1, 8, 8, 16)),
            activation(f"{branch}/small", (1, 1, 1, 16)),
        ]
        inputs = ("x", f"{branch}/w", f"{branch}/b")
        nodes.append(Node(f"{branch} conv", "conv_2d", Conv2DAttrs(), inputs, (f"{branch}/wide",)))
    for branch in "ab":
        attrs = Pool2DAttrs((8, 8), (8, 8))
        nodes.append(Node(f"{branch} pool", "max_pool_2d", attrs, (f"{branch}/wide",), (f"{branch}/small",)))
    nodes.append(Node("sum", "add", ArithmeticAttrs(), ("a/small", "b/small"), ("y",)))
    g = graph_of(nodes, [*tensors, activation("y", (1, 1, 1, 16))], ["x"], ["y"])
    core = CORES["generic"]
    fit = choose_and_plan(g, core, GenerateOptions())
    assert [node.name for node in fit.graph.nodes] == ["a conv", "a pool", "b conv", "b pool", "sum"]
    assert fit.plan.arena_bytes < 0.7 * plan_memory(g, choose_kernels(g, core)).arena_bytes
    inputs = random_inputs(g, 2)
    (expected,), (actual,) = run_graph(g, inputs), run_graph(fit.graph, inputs)
    assert np.array_equal(expected, actual)


def test_a_node_costs_its_own_buffers_not_all_of_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unrolled loops have thousands of nodes: hours where each step looks at all buffers."""
    calls = [0]
    is_live = ordering._is_live

    def counted(buffer: ordering._Buffer, ran: int) -> bool:
        calls[0] += 1
        return is_live(buffer, ran)

    monkeypatch.setattr(ordering, "_is_live", counted)
    count = 300
    names = ["x", *(f"t{index}" for index in range(count))]
    g = graph(dict.fromkeys(names, 8), list(pairwise(names)), "x", names[-1])
    assert best_order(g, [PLAIN] * count, False) == list(range(count))
    assert calls[0] < 20 * count
