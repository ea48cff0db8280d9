"""Float graph to float graph: what is left has an integer form, in as few operators as exactness allows.

Nodes keep the Keras name of the main layer in them; graph inputs and outputs keep their names.
"""

from __future__ import annotations

from mcu_quant.ir import Graph, check
from mcu_quant.passes.activations import fuse_activations, hoist_activations, lower_clamps
from mcu_quant.passes.affine import (
    fold_into_next,
    fold_into_previous,
    lower_normalizations,
    merge_normalizations,
)
from mcu_quant.passes.constants import fold_constants
from mcu_quant.passes.dead import remove_dead_nodes
from mcu_quant.passes.names import name_activations
from mcu_quant.passes.normalization_moves import hoist_normalizations, sink_normalizations
from mcu_quant.passes.padding import fold_padding
from mcu_quant.passes.pools import pools_to_means
from mcu_quant.passes.reshapes import simplify_reshapes
from mcu_quant.passes.training import Normalizations, set_apart, settle_normalizations

#: In the order in which they run.
PASSES = (
    remove_dead_nodes,
    fold_constants,
    simplify_reshapes,
    fold_padding,
    merge_normalizations,
    hoist_normalizations,
    fold_into_previous,
    sink_normalizations,
    fold_into_next,
    lower_normalizations,
    simplify_reshapes,
    hoist_activations,
    fuse_activations,
    lower_clamps,
    pools_to_means,
    remove_dead_nodes,
    name_activations,
)


def prepare(graph: Graph) -> Graph:
    """All passes in order; ir.check after each.

    A graph that was trained with quantization has been through them, and is returned as it is.
    """
    if graph.trained is not None:
        return graph
    for rewrite in PASSES:
        graph = check(rewrite(graph))
    return graph


def prepare_for_training(graph: Graph) -> tuple[Graph, Normalizations]:
    """prepare, but for batch normalizations that follow their linear operator: those stay apart.

    Returns the graph, in which such an operator has its own weights and bias, and the normalizations of
    its output by node name. Folded, they give the graph of `prepare`.
    """
    normalizations: Normalizations = {}
    for rewrite in PASSES:
        if rewrite is merge_normalizations:
            graph = check(settle_normalizations(graph))
        if rewrite is fold_into_previous:
            graph = check(set_apart(graph, normalizations))
        else:
            graph = check(rewrite(graph))
    return graph, normalizations
