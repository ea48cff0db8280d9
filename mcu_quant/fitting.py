"""Kernels and addresses for a graph: the cheapest kernels, or the cheapest found whose arena fits a limit."""

from __future__ import annotations

from collections.abc import Iterator

from mcu_quant.deployment import GenerateOptions, MemoryPlan
from mcu_quant.ir import Graph
from mcu_quant.kernels import able_kernels
from mcu_quant.kernels.base import Core, Kernel
from mcu_quant.memory import plan_memory


def choose_and_plan(
    graph: Graph, core: Core, options: GenerateOptions, ram: int | None = None
) -> tuple[tuple[Kernel, ...], MemoryPlan]:
    """A kernel per node, and the plan. ram: the arena's limit in bytes, None for none.

    Where the cheapest kernels take too much, the layer that needs most gets its next cheaper one in
    scratch, until the arena fits or nothing is left to change: whether it fits is the caller's to ask.
    Raises UnsupportedModelError.
    """
    families = ("portable",) if options.kernels == "portable" else None
    able = able_kernels(graph, core, options.optimize, families)
    plans = _plans(graph, able, options.keep_input)
    kernels, plan = smallest = next(plans)
    while ram is not None and plan.arena_bytes > ram:
        if (smaller := next(plans, None)) is None:
            return smallest
        kernels, plan = smaller
        smallest = min(smallest, smaller, key=lambda found: found[1].arena_bytes)
    return kernels, plan


def _plans(
    graph: Graph, able: list[tuple[Kernel, ...]], keep_input: bool
) -> Iterator[tuple[tuple[Kernel, ...], MemoryPlan]]:
    """Plans with ever less scratch. able: for each node its kernels, the cheapest first."""
    nodes = list(graph.bound_nodes())
    kernels = [choices[0] for choices in able]
    while True:
        plan = plan_memory(graph, kernels, keep_input=keep_input)
        yield tuple(kernels), plan
        for index in sorted(range(len(nodes)), key=lambda i: -plan.live_bytes[i]):
            scratch = kernels[index].scratch_bytes(nodes[index])
            leaner = [kernel for kernel in able[index] if kernel.scratch_bytes(nodes[index]) < scratch]
            if leaner:
                kernels[index] = leaner[0]
                break
        else:
            return
