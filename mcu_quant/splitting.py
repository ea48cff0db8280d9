"""The arena in two memories: which blocks are in the small fast one, and which in the main one.

A block lies wholly in one of them, and overlaps another only in the same. First comes a main arena that is as
small as is found, then the bytes that are used most in the fast one. The search exchanges blocks at the step
where the main arena is fullest; small graphs are searched whole. All of it is counted, not timed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from mcu_quant.deployment import MemoryPlan
from mcu_quant.ir import Graph
from mcu_quant.kernels.base import Kernel
from mcu_quant.memory import (
    Block,
    describe,
    find_blocks,
    height,
    layout,
    least_bytes,
    plan_memory,
    with_states,
)
from mcu_quant.ops import OPERATORS

Indices = frozenset[int]

#: All ways to split so many blocks are looked at.
_WHOLE_SEARCH = 10


def plan_arenas(
    graph: Graph, kernels: Sequence[Kernel], *, keep_input: bool = False, fast_bytes: int | None = None
) -> MemoryPlan:
    """fast_bytes: the most that the fast arena may have; None for one arena, as plan_memory has it.

    Each arena of a split plan has a byte at least, so that C can declare it.
    """
    if fast_bytes is None:
        return plan_memory(graph, kernels, keep_input=keep_input)
    blocks = find_blocks(graph, kernels, keep_input)
    fast, addresses = _Split(blocks, _accesses(graph, blocks), fast_bytes).best()
    plan = with_states(describe(graph, blocks, addresses, fast), graph, kernels)
    return replace(plan, arena_bytes=max(plan.arena_bytes, 1), fast_arena_bytes=max(plan.fast_arena_bytes, 1))


def _accesses(graph: Graph, blocks: Sequence[Block]) -> list[int]:
    """How often bytes of each tensor are read, estimated: once per node, or once per multiplication."""
    counts = [0] * len(blocks)
    block_of = {name: index for index, block in enumerate(blocks) for name in block.tensors}
    for node in graph.bound_nodes():
        for position, tensor in enumerate(node.inputs):
            if tensor is not None and tensor.name in block_of:
                macs = 0 if position else OPERATORS[node.node.op].macs(node)
                counts[block_of[tensor.name]] += max(tensor.bytes, macs)
    return counts


class _Split:
    """accesses: per block. The fast arena is a set of indices of blocks; all others are in the main one."""

    def __init__(self, blocks: Sequence[Block], accesses: Sequence[int], fast_bytes: int) -> None:
        self._blocks = blocks
        self._accesses = accesses
        self._fast_bytes = fast_bytes
        self._all = frozenset(range(len(blocks)))
        steps = sorted({block.first for block in blocks} | {block.last for block in blocks})
        self._live = [(s, [i for i, b in enumerate(blocks) if b.first <= s <= b.last]) for s in steps]
        self._needs: dict[tuple[int, ...], int] = {}
        self._fits: dict[Indices, bool] = {}

    def best(self) -> tuple[Indices, list[int]]:
        """The fast arena, and the address of every block in its arena."""
        starts = {frozenset[int](): None, self._filled(frozenset()): None}
        found = dict(starts)
        if len(self._blocks) <= _WHOLE_SEARCH:
            found[self._smallest()] = None
        for start in starts:
            found[self._climb(start)] = None
        found |= {self._filled(self._lean(fast)): None for fast in list(found)}
        layouts = {fast: self._addresses(fast) for fast in found}
        fast = min(layouts, key=lambda fast: (self._main_height(fast, layouts[fast]), *self._coldness(fast)))
        return fast, layouts[fast]

    def _addresses(self, fast: Indices) -> list[int]:
        addresses = [0] * len(self._blocks)
        for chosen in (sorted(fast), sorted(self._all - fast)):
            for index, address in zip(chosen, layout(_only(self._blocks, chosen)), strict=True):
                addresses[index] = address
        return addresses

    def _main_height(self, fast: Indices, addresses: Sequence[int]) -> int:
        main = sorted(self._all - fast)
        return height([self._blocks[i] for i in main], [addresses[i] for i in main])

    def _coldness(self, fast: Indices) -> tuple[int, int, list[int]]:
        """Less is better: bytes of scratch in it, then reads of tensors, both below 0; then any order."""
        scratch = sum(self._blocks[i].bytes for i in fast if not self._blocks[i].tensors)
        return -scratch, -sum(self._accesses[i] for i in fast), sorted(fast)

    def _hottest(self, chosen: Indices) -> list[int]:
        """Scratch first, then tensors by reads of each byte."""

        def key(index: int) -> tuple[bool, float, int]:
            block = self._blocks[index]
            return bool(block.tensors), -self._accesses[index] / block.bytes, index

        return sorted(chosen, key=key)

    def _profile(self, chosen: Indices) -> list[int]:
        """What those blocks need at least at each step."""
        needs = []
        for step, live in self._live:
            key = tuple(i for i in live if i in chosen)
            if key not in self._needs:
                self._needs[key] = least_bytes(_only(self._blocks, key), step)
            needs.append(self._needs[key])
        return needs

    def _main(self, fast: Indices) -> list[int]:
        """What the main arena needs, the fullest steps first."""
        return sorted(self._profile(self._all - fast), reverse=True)

    def _is_possible(self, fast: Indices) -> bool:
        if fast not in self._fits:
            blocks = _only(self._blocks, sorted(fast))
            quick = len(self._blocks) > _WHOLE_SEARCH
            self._fits[fast] = (
                max(self._profile(fast), default=0) <= self._fast_bytes
                and height(blocks, layout(blocks, quick=quick)) <= self._fast_bytes
            )
        return self._fits[fast]

    def _smallest(self) -> Indices:
        """The least need of the main arena, of all ways."""
        ways = [frozenset(c) for n in range(len(self._blocks) + 1) for c in combinations(self._all, n)]
        ranked = sorted(ways, key=lambda fast: (self._main(fast), *self._coldness(fast)))
        return next(fast for fast in ranked if self._is_possible(fast))

    def _climb(self, fast: Indices) -> Indices:
        """Move or exchange blocks where the main arena is fullest, as long as that makes it less full."""
        while True:
            need = self._main(fast)
            ranked = sorted((self._main(way), sorted(way)) for way in self._moves(fast))
            better = (frozenset(way) for main, way in ranked if main < need)
            following = next((way for way in better if self._is_possible(way)), None)
            if following is None:
                return fast
            fast = following

    def _moves(self, fast: Indices) -> Iterator[Indices]:
        profile = self._profile(self._all - fast)
        fullest = profile.index(max(profile)) if profile else 0
        for _, live in self._live[fullest : fullest + 1]:
            for incoming in (i for i in live if i not in fast):
                yield fast | {incoming}
                yield from (fast - {outgoing} | {incoming} for outgoing in fast)

    def _lean(self, fast: Indices) -> Indices:
        """Without blocks for which the main arena has room, the coldest first."""
        need = max(self._profile(self._all - fast), default=0)
        for index in reversed(self._hottest(fast)):
            if max(self._profile(self._all - fast | {index})) <= need:
                fast = fast - {index}
        return fast

    def _filled(self, fast: Indices) -> Indices:
        """With the hottest blocks that still fit."""
        for index in self._hottest(self._all - fast):
            if self._is_possible(fast | {index}):
                fast = fast | {index}
        return fast


def _only(blocks: Sequence[Block], chosen: Sequence[int]) -> list[Block]:
    """Some of the blocks, with what they may overlap of each other."""
    number = {index: i for i, index in enumerate(chosen)}
    return [
        replace(
            block,
            may_cover={number[i]: distance for i, distance in block.may_cover.items() if i in number},
            may_replace=None if block.may_replace is None else number.get(block.may_replace),
        )
        for block in (blocks[index] for index in chosen)
    ]
