"""Kernels and addresses for a graph, within a limit of RAM: the cheapest way that is found.

Where the cheapest kernels take too much, there are two ways to need less: kernels with less scratch, and
layers that run in bands of rows (mcu_quant/bands), so that what is between them is never whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mcu_quant.banding import Banding
from mcu_quant.deployment import GenerateOptions, MemoryPlan
from mcu_quant.ir import BoundNode, Graph
from mcu_quant.kernels import able_kernels
from mcu_quant.kernels.base import Core, Kernel
from mcu_quant.memory import find_blocks, least_bytes, plan_memory


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
    """ram: the arena's limit in bytes, None for none.

    If nothing fits, the smallest that is found: whether it fits is the caller's to ask.
    Raises UnsupportedModelError.
    """
    families = ("portable",) if options.kernels == "portable" else None
    able = able_kernels(graph, core, options.optimize, families)
    cheapest = [kernels[0] for kernels in able]
    if ram is None:
        return _planned(graph, cheapest, core, options)
    found = [_fit(graph, able, core, options, ram)]
    if found[0].plan.arena_bytes > ram:
        banding = Banding(graph, able, core, options, families)
        found.append(_fit(*banding.cheapest(ram), core, options, ram))
        if found[1].plan.arena_bytes > ram:
            found.append(_fit(*banding.smallest(), core, options, ram))
    best = min(found, key=lambda fit: (max(fit.plan.arena_bytes, ram), fit.cycles))
    return replace(best, slowdown=best.cycles / max(_cycles(graph, cheapest, core), 1.0))


def _planned(graph: Graph, kernels: Sequence[Kernel], core: Core, options: GenerateOptions) -> Fit:
    plan = plan_memory(graph, kernels, keep_input=options.keep_input)
    return Fit(graph, tuple(kernels), plan, _cycles(graph, kernels, core))


def _cycles(graph: Graph, kernels: Sequence[Kernel], core: Core) -> float:
    return sum(k.cycles(node, core) for k, node in zip(kernels, graph.bound_nodes(), strict=True))


def _fit(
    graph: Graph, able: Sequence[Sequence[Kernel]], core: Core, options: GenerateOptions, ram: int
) -> Fit:
    """The layer that needs most gets its next cheaper kernel in scratch, until the arena fits.

    able: for each node its kernels, the cheapest first. If nothing fits, the smallest of the plans made:
    none is made for kernels that cannot fit, but for the last.
    """
    nodes = list(graph.bound_nodes())
    kernels = [choices[0] for choices in able]
    plans: list[Fit] = []
    while True:
        blocks = find_blocks(graph, kernels, options.keep_input)
        needs = [least_bytes(blocks, step) for step in range(len(nodes))]
        worst_first = sorted(range(len(nodes)), key=lambda i: -needs[i])
        better = next(
            (pair for i in worst_first if (pair := _leaner(nodes[i], kernels[i], able[i], i))), None
        )
        if better is None or max(needs) <= ram:
            plans.append(_planned(graph, kernels, core, options))
            if better is None or plans[-1].plan.arena_bytes <= ram:
                return min(plans, key=lambda fit: fit.plan.arena_bytes)
        index, kernel = better
        kernels[index] = kernel


def _leaner(node: BoundNode, kernel: Kernel, able: Sequence[Kernel], index: int) -> tuple[int, Kernel] | None:
    """The cheapest kernel that needs less scratch than that one."""
    scratch = kernel.scratch_bytes(node)
    return next(((index, other) for other in able if other.scratch_bytes(node) < scratch), None)
