"""Exact rewrites of a quantized graph, and the value ranges that prove them: no output bit changes."""

from __future__ import annotations

from mcu_quant.deployment import GenerateOptions
from mcu_quant.ir import Graph, check
from mcu_quant.optimize.constant_channels import remove_constant_channels
from mcu_quant.optimize.constant_filters import clear_constant_filters
from mcu_quant.optimize.identities import remove_identities
from mcu_quant.optimize.last_steps import merge_last_steps
from mcu_quant.optimize.narrow_states import narrow_states
from mcu_quant.optimize.normalizations import merge_normalizations
from mcu_quant.optimize.ranges import annotate_ranges
from mcu_quant.optimize.slides import find_slides
from mcu_quant.optimize.states import place_states
from mcu_quant.optimize.storage import widen_constants
from mcu_quant.optimize.tables import tabulate
from mcu_quant.optimize.transposes import merge_transposes


def optimize(graph: Graph, options: GenerateOptions) -> Graph:
    """An equivalent graph, smaller where possible, with Tensor.value_range set for the choice of kernels.

    graph: quantized, and supported (ops/support.py). Inputs and outputs stay as they are.
    """
    graph = find_slides(widen_constants(narrow_states(graph)))
    graph = check(merge_last_steps(merge_normalizations(graph)))
    rewrites = [remove_identities, merge_transposes]
    if not options.keep_constant_channels:
        rewrites += [clear_constant_filters, remove_constant_channels]
    # What is an identity needs no table, and is in none.
    graph = check(tabulate(check(remove_identities(annotate_ranges(graph)))))
    graph = annotate_ranges(graph)
    changed = True
    while changed:
        before = graph
        for rewrite in rewrites:
            rewritten = rewrite(graph)
            if rewritten is not graph:
                graph = annotate_ranges(check(rewritten))
        changed = graph is not before
    return place_states(find_slides(graph)) if graph.states else graph
