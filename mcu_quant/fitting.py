"""Kernels and addresses for a graph, within a limit of RAM: the cheapest way that is found.

Where the cheapest kernels take too much, there are two ways to need less: kernels with less scratch, and
layers that run in bands of rows (mcu_quant/bands), so that what is between them is never whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mcu_quant.banding import Banding
from mcu_quant.choices import OPTIMIZE_MODES
from mcu_quant.deployment import GenerateOptions, MemoryPlan
from mcu_quant.ir import Graph
from mcu_quant.kernels import able_kernels
from mcu_quant.kernels.base import Core, Kernel
from mcu_quant.memory import find_blocks, footprints, least_bytes
from mcu_quant.ops.bands import BandsAttrs
from mcu_quant.ordering import best_order, reordered
from mcu_quant.splitting import plan_arenas

#: Bands are not looked for if other kernels fit at so little more cost.
_CLOSE = 1.02
#: So many choices of kernels are planned, where none fits, to say how small it gets.
_PLANNED = 6


@dataclass(frozen=True)
class Fit:
    """graph: with layers in bands as one node. kernels: one per node. cycles: modelled.

    slowdown: cycles over those of the cheapest kernels.
    """

    graph: Graph
    kernels: tuple[Kernel, ...]
    plan: MemoryPlan
    cycles: float
    slowdown: float = 1.0


def choose_and_plan(graph: Graph, core: Core, options: GenerateOptions, ram: int | None = None) -> Fit:
    """ram: the arena's limit in bytes (the main one's, where there is a fast one, too), None for none.

    If nothing fits, the smallest that is found: whether it fits is the caller's to ask. Mode "size" takes no
    larger arena than "balanced": where its own kernels do, some of another mode's are taken.
    Raises UnsupportedModelError.
    """
    families = ("portable",) if options.kernels == "portable" else None
    source = graph
    able = able_kernels(graph, core, options.optimize, families)
    graph, able = _ordered(graph, able, core, options)
    cheapest = _planned(graph, [kernels[0] for kernels in able], core, options)
    if ram is None or cheapest.plan.arena_bytes <= ram:
        if options.optimize == "size":
            balanced = choose_and_plan(source, core, replace(options, optimize="balanced"))
            if cheapest.plan.arena_bytes > (limit := balanced.plan.arena_bytes):
                fit = _fit(graph, _with_other_modes(graph, able, core, families), core, options, limit)
                return fit if fit.plan.arena_bytes <= limit else balanced
        return cheapest
    both = ram + (options.placement.fast_bytes or 0)
    able = _with_other_modes(graph, able, core, families)
    found = [cheapest, _fit(graph, able, core, options, ram)]
    if found[1].plan.arena_bytes > ram or found[1].cycles > _CLOSE * cheapest.cycles:
        ways = Banding(graph, able, core, options, families).ways(both)
        different = {_identity(banded, able): (banded, able) for banded, able in ways}
        found += [_fit(banded, able, core, options, ram) for banded, able in different.values()]
    if options.optimize == "size" and min(fit.plan.arena_bytes for fit in found) > ram:
        found.append(choose_and_plan(source, core, replace(options, optimize="balanced"), ram))
    best = min(found, key=lambda fit: (max(fit.plan.arena_bytes, ram), fit.cycles))
    return replace(best, slowdown=best.cycles / max(cheapest.cycles, 1.0))


def _identity(graph: Graph, able: list[tuple[Kernel, ...]]) -> object:
    """Equal for ways that have the same bands, of as many rows, by the same kernels."""
    rows = [node.attrs.rows if isinstance(node.attrs, BandsAttrs) else 0 for node in graph.nodes]
    return tuple(node.name for node in graph.nodes), tuple(rows), tuple(len(kernels) for kernels in able)


def _with_other_modes(
    graph: Graph, able: list[tuple[Kernel, ...]], core: Core, families: tuple[str, ...] | None
) -> list[tuple[Kernel, ...]]:
    """Behind each node's kernels those that are for other modes: RAM that is asked for counts more."""
    others = [able_kernels(graph, core, mode, families) for mode in OPTIMIZE_MODES]
    return [tuple(dict.fromkeys(sum(kernels, ()))) for kernels in zip(able, *others, strict=True)]


def _ordered(
    graph: Graph, able: list[tuple[Kernel, ...]], core: Core, options: GenerateOptions
) -> tuple[Graph, list[tuple[Kernel, ...]]]:
    """Nodes in another order where that makes the arena of the cheapest kernels smaller."""
    order = best_order(graph, [kernels[0] for kernels in able], options.keep_input)
    if order == sorted(order):
        return graph, able
    ways = [(graph, able), (reordered(graph, order), [able[index] for index in order])]
    fits = [_planned(way, [kernels[0] for kernels in choices], core, options) for way, choices in ways]
    return ways[1] if fits[1].plan.arena_bytes < fits[0].plan.arena_bytes else ways[0]


def _planned(graph: Graph, kernels: Sequence[Kernel], core: Core, options: GenerateOptions) -> Fit:
    plan = plan_arenas(graph, kernels, keep_input=options.keep_input, fast_bytes=options.placement.fast_bytes)
    return Fit(graph, tuple(kernels), plan, _cycles(graph, kernels, core, options))


def _cycles(graph: Graph, kernels: Sequence[Kernel], core: Core, options: GenerateOptions) -> float:
    nodes = graph.bound_nodes()
    return sum(k.cycles_in(node, core, options.optimize) for k, node in zip(kernels, nodes, strict=True))


def _fit(
    graph: Graph, able: Sequence[Sequence[Kernel]], core: Core, options: GenerateOptions, ram: int
) -> Fit:
    """The layer that needs most gets its next cheaper kernel in memory, until the arena fits.

    able: for each node its kernels, the cheapest first. If nothing fits, the smallest arena of those with
    kernels that need least.
    """
    sizes = footprints(graph, able, options.keep_input)
    chosen = [0] * len(able)
    smaller: list[list[Kernel]] = []
    least = math.inf
    while True:
        kernels = [choices[i] for choices, i in zip(able, chosen, strict=True)]
        blocks = find_blocks(graph, kernels, options.keep_input)
        needs = [least_bytes(blocks, step) for step in range(len(able))]
        if (need := max(needs, default=0)) <= ram + (options.placement.fast_bytes or 0):
            fit = _planned(graph, kernels, core, options)
            if fit.plan.arena_bytes <= ram:
                return fit
        if need < least:
            smaller, least = [*smaller, kernels], need
        for index in sorted(range(len(able)), key=lambda i: -needs[i]):
            leaner = [i for i, size in enumerate(sizes[index]) if size < sizes[index][chosen[index]]]
            if leaner:
                chosen[index] = leaner[0]
                break
        else:
            fits = [_planned(graph, kernels, core, options) for kernels in smaller[-_PLANNED:]]
            return min(fits, key=lambda fit: fit.plan.arena_bytes)
