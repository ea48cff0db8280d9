"""The memory plan: published models, every special case of a graph, random graphs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from mcu_quant.addresses import place
from mcu_quant.deployment import MemoryPlan
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import BoundNode, Graph, Node, Tensor, check
from mcu_quant.kernels import choose_kernels
from mcu_quant.kernels.base import CORES, Kernel, KernelCall
from mcu_quant.memory import overlaps, plan_memory

#: Bytes of the arena that disjoint buffers need at least, input and output included.
DISJOINT = {
    "ad01_int8": 768,
    "pretrainedResnet_quant": 49_152,
    "kws_ref_model": 16_000,
    "vww_96_int8": 55_296,
}
SCRATCH = 2048


class Fake(Kernel):
    """distance: the same answer of overlap() for all inputs."""

    name = "relu"
    ops = ("relu",)

    def __init__(self, *, alias: bool = False, distance: int | None = None, scratch: int = 0) -> None:
        self.is_alias = alias  # type: ignore[misc]
        self._distance = distance
        self._scratch = scratch

    def call(self, node: BoundNode) -> KernelCall:
        return KernelCall({}, ())

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (self._distance,) * len(node.inputs)

    def scratch_bytes(self, node: BoundNode) -> int:
        return self._scratch


PLAIN, ALIAS, IN_PLACE = Fake(), Fake(alias=True), Fake(distance=0)


def graph(
    sizes: dict[str, int],
    steps: Sequence[tuple[str, str]],
    inputs: str,
    outputs: str,
    constants: dict[str, int] | None = None,
) -> Graph:
    """steps: ("inputs", "output"), names apart by spaces."""
    tensors = {name: Tensor(name, (size,), "int8") for name, size in sizes.items()}
    for name, size in (constants or {}).items():
        tensors[name] = Tensor.constant(name, np.zeros(size, np.int8))
    nodes = tuple(Node(f"to {y}", "relu", None, tuple(x.split()), (y,)) for x, y in steps)
    return check(Graph("g", nodes, tensors, tuple(inputs.split()), tuple(outputs.split())))


def plan(g: Graph, kernels: Sequence[Kernel] | None = None, *, keep_input: bool = False) -> MemoryPlan:
    chosen = kernels or [PLAIN] * len(g.nodes)
    result = plan_memory(g, chosen, keep_input=keep_input)
    assert not overlaps(g, chosen, result, keep_input=keep_input)
    return result


@pytest.mark.parametrize("name", DISJOINT)
def test_published_models(shared: Path, name: str) -> None:
    g = read_tflite((shared / "models" / f"{name}.tflite").read_bytes(), name)
    kernels = choose_kernels(g, CORES["generic"])
    result = plan(g, kernels)
    assert result.disjoint_bytes == DISJOINT[name]
    assert result.lower_bound <= result.arena_bytes
    assert result.arena_bytes <= DISJOINT[name] + SCRATCH
    assert plan(g, kernels, keep_input=True).arena_bytes >= result.arena_bytes


def test_a_chain_takes_its_largest_pair() -> None:
    g = graph({"x": 100, "a": 40, "b": 80, "y": 8}, [("x", "a"), ("a", "b"), ("b", "y")], "x", "y")
    result = plan(g)
    assert result.arena_bytes == result.lower_bound == 140
    assert result.live_bytes == (140, 120, 88)


def test_kept_inputs_last_to_the_end() -> None:
    g = graph({"x": 100, "a": 40, "b": 80}, [("x", "a"), ("a", "b")], "x", "b")
    assert plan(g).arena_bytes == 140
    assert plan(g, keep_input=True).arena_bytes == 220


def test_all_inputs_are_there_from_the_start() -> None:
    g = graph({"x": 8, "late": 100, "a": 60, "y": 4}, [("x", "a"), ("a late", "y")], "x late", "y")
    assert plan(g).arena_bytes == 168


def test_an_unused_input_has_room_until_the_run() -> None:
    g = graph({"x": 8, "unused": 100, "y": 60}, [("x", "y")], "x unused", "y")
    assert plan(g).arena_bytes == 108
    assert plan(g, keep_input=True).arena_bytes == 168


class Exact(Fake):
    """The output may lie exactly where the input does, and nowhere else over it."""

    def in_place(self, node: BoundNode) -> bool:
        return True


def test_outputs_lie_exactly_over_inputs() -> None:
    g = graph({"x": 100, "a": 100, "b": 60, "y": 8}, [("x", "a"), ("a", "b"), ("b", "y")], "x", "y")
    exact = Exact()
    assert plan(g, [exact, exact, PLAIN]).arena_bytes == 100  # y is where a, longer than b, ended
    # An input that is read later, or kept, stays; a larger output does not fit over its input.
    again = graph({"x": 100, "a": 100, "y": 8}, [("x", "a"), ("a x", "y")], "x", "y")
    assert plan(again, [exact, PLAIN]).arena_bytes == 208
    assert plan(g, [exact, exact, PLAIN], keep_input=True).arena_bytes == 200
    grown = graph({"x": 60, "y": 100}, [("x", "y")], "x", "y")
    assert plan(grown, [exact]).arena_bytes == 160


def test_early_outputs_last_to_the_end() -> None:
    g = graph(
        {"x": 4, "early": 100, "a": 60, "y": 60}, [("x", "early"), ("early", "a"), ("a", "y")], "x", "early y"
    )
    assert plan(g).arena_bytes == 220


def test_aliases_are_the_same_bytes() -> None:
    g = graph({"x": 40, "r": 40, "s": 40, "y": 8}, [("x", "r"), ("r", "s"), ("s r", "y")], "x", "y")
    result = plan(g, [ALIAS, ALIAS, PLAIN])
    assert result.arena_bytes == 48
    assert result.addresses["x"] == result.addresses["r"] == result.addresses["s"]


def test_an_alias_that_is_an_output_keeps_the_bytes() -> None:
    g = graph({"x": 40, "r": 40, "y": 40}, [("x", "r"), ("x", "y")], "x", "r y")
    assert plan(g, [ALIAS, IN_PLACE]).arena_bytes == 80


def test_in_place_where_the_input_dies() -> None:
    g = graph({"x": 40, "a": 40, "y": 40}, [("x", "a"), ("a", "y")], "x", "y")
    assert plan(g, [IN_PLACE, IN_PLACE]).arena_bytes == 40
    assert plan(g, [IN_PLACE, IN_PLACE], keep_input=True).arena_bytes == 80
    assert plan(g).arena_bytes == 80


def test_not_in_place_where_the_input_is_read_again() -> None:
    g = graph({"x": 40, "a": 40, "y": 40}, [("x", "a"), ("a x", "y")], "x", "y")
    assert plan(g, [IN_PLACE, PLAIN]).arena_bytes == 120
    assert plan(g, [IN_PLACE, IN_PLACE]).arena_bytes == 80


def test_not_in_place_where_an_alias_is_read_again() -> None:
    g = graph({"x": 40, "r": 40, "a": 40, "y": 40}, [("x", "r"), ("x", "a"), ("r a", "y")], "x", "y")
    assert plan(g, [ALIAS, IN_PLACE, PLAIN]).arena_bytes == 120


def test_an_output_lies_below_its_input_by_the_distance() -> None:
    g = graph({"x": 100, "y": 80}, [("x", "y")], "x", "y")
    result = plan(g, [Fake(distance=12)])
    assert result.arena_bytes == 112
    assert result.addresses["x"] - result.addresses["y"] == 12
    assert plan(g, [Fake(distance=999)]).arena_bytes == 180


def test_inputs_that_are_equal_must_all_allow_overlap() -> None:
    class OneOfTwo(Fake):
        def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
            return (0, None)

    g = graph({"x": 40, "y": 40}, [("x x", "y")], "x", "y")
    assert plan(g, [OneOfTwo()]).arena_bytes == 80


def test_scratch_is_beside_everything() -> None:
    g = graph({"x": 40, "a": 40, "y": 40}, [("x", "a"), ("a", "y")], "x", "y")
    result = plan(g, [IN_PLACE, Fake(distance=0, scratch=24)])
    assert result.arena_bytes == 64
    assert result.scratch[0] == (0, 0) and result.scratch[1][1] == 24
    assert result.live_bytes == (80, 104)
    assert result.lower_bound == 40 and result.disjoint_bytes == 80


def test_outputs_that_are_inputs_or_constants_or_given_twice() -> None:
    g = graph({"x": 40, "y": 8}, [("x c", "y")], "x", "x y y c", {"c": 16})
    result = plan(g)
    assert result.arena_bytes == 48
    assert set(result.addresses) == {"x", "y"}


def test_an_alias_of_a_constant_is_not_in_the_arena() -> None:
    g = graph({"x": 40, "r": 16, "y": 8}, [("c", "r"), ("x r", "y")], "x", "y r", {"c": 16})
    result = plan(g, [ALIAS, PLAIN])
    assert result.arena_bytes == 48 and "r" not in result.addresses


def test_no_nodes_at_all() -> None:
    g = graph({"x": 40, "z": 2}, [], "x z", "x")
    assert plan(g).arena_bytes == 42


def test_sizes_that_are_not_words_start_at_words() -> None:
    g = graph({"x": 5, "a": 3, "y": 1}, [("x", "a"), ("a x", "y")], "x", "y")
    result = plan(g)
    assert all(address % 4 == 0 for address in result.addresses.values())
    assert result.arena_bytes == 13


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs(seed: int) -> None:
    generator = random.Random(seed)
    g, kernels = random_graph(generator, generator.randint(0, 25))
    for keep_input in (False, True):
        result = plan(g, kernels, keep_input=keep_input)
        assert result == plan_memory(g, kernels, keep_input=keep_input), "the plan is not reproducible"
        assert len(result.scratch) == len(result.live_bytes) == len(g.nodes)


def random_graph(generator: random.Random, count: int) -> tuple[Graph, list[Kernel]]:
    """A mesh of fake nodes: aliases, constants, overlap, scratch, outputs anywhere."""
    inputs = [f"in{i}" for i in range(generator.randint(1, 3))]
    sizes = {name: generator.randint(1, 60) for name in inputs}
    steps: list[tuple[str, str]] = []
    kernels: list[Kernel] = []
    known = [*inputs, "constant"]
    for index in range(count):
        name, kind = f"t{index}", generator.choice(("plain", "in place", "scratch", "alias", "distance"))
        read = [
            generator.choice(known[-4:]) for _ in range(1 if kind == "alias" else generator.randint(1, 3))
        ]
        sizes[name] = generator.randint(1, 60)
        if kind in ("alias", "in place"):
            sizes[name] = sizes.get(read[0], 7)
        distance = {"in place": 0, "distance": generator.randint(-5, 30)}.get(kind)
        scratch = generator.randint(1, 30) if kind == "scratch" else 0
        kernels.append(Fake(alias=kind == "alias", distance=distance, scratch=scratch))
        steps.append((" ".join(read), name))
        known.append(name)
    outputs = generator.sample(known, generator.randint(1, min(3, len(known)))) + known[-1:]
    return graph(sizes, steps, " ".join(inputs), " ".join(outputs), {"constant": 7}), kernels


@pytest.mark.parametrize("seed", range(40))
def test_placement_is_optimal_for_small_problems(seed: int) -> None:
    """Against all orders: every optimum is reached by putting blocks down in some order."""
    generator = random.Random(seed)
    count = generator.randint(1, 6)
    sizes = [4 * generator.randint(1, 12) for _ in range(count)]
    gaps: list[list[int | None]] = [[None] * count for _ in sizes]
    for i in range(count):
        for j in range(i):
            if generator.random() < 0.6:
                gaps[i][j], gaps[j][i] = sizes[i], sizes[j]
                if generator.random() < 0.3:
                    gaps[i][j] = 4 * generator.randint(0, sizes[i] // 4)
    addresses = place(sizes, gaps, 4, 0)
    best = min(height(lay_out(order, sizes, gaps), sizes) for order in permutations(range(count)))
    assert height(addresses, sizes) == best


def height(addresses: Sequence[int], sizes: Sequence[int]) -> int:
    return max(address + size for address, size in zip(addresses, sizes, strict=True))


def lay_out(order: Sequence[int], sizes: Sequence[int], gaps: Sequence[Sequence[int | None]]) -> list[int]:
    """First fit, by trying every address."""
    addresses: dict[int, int] = {}

    def fits(i: int, at: int) -> bool:
        return all(
            gaps[i][j] is None or at >= where + (gaps[j][i] or 0) or where >= at + (gaps[i][j] or 0)
            for j, where in addresses.items()
        )

    for i in order:
        addresses[i] = next(at for at in range(0, 4000, 4) if fits(i, at))
    return [addresses[i] for i in range(len(sizes))]


def test_the_check_itself_sees_overlap() -> None:
    g = graph({"x": 40, "y": 40}, [("x", "y")], "x", "y")
    bad = MemoryPlan(60, {"x": 0, "y": 20}, ((0, 0),), (80,), 80, 80)
    assert overlaps(g, [PLAIN], bad)
    assert overlaps(g, [PLAIN], MemoryPlan(70, {"x": 0, "y": 40}, ((0, 0),), (80,), 80, 80))
    assert not overlaps(g, [PLAIN], MemoryPlan(80, {"x": 0, "y": 40}, ((0, 0),), (80,), 80, 80))
