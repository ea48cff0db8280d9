"""Take out operators that change nothing: a relu that cannot clip, an equal scale quantized again."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode, Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.ranges import QUANTIZED, range_of
from mcu_quant.ops.unary import UnaryOperator


def remove_identities(graph: Graph) -> Graph:
    """The graph, with ranges annotated, without them; the same graph if there are none."""
    for node in graph.nodes:
        # Bound anew each time: an earlier removal may have changed what it reads.
        (current,) = (other for other in graph.nodes if other.name == node.name)
        if _is_identity(graph.bind(current)):
            graph = _without(graph, graph.bind(current)) or graph
    return graph


def _is_identity(node: BoundNode) -> bool:
    operator = OPERATORS[node.node.op]
    if not isinstance(operator, UnaryOperator) or node.input(0).is_constant:
        return False
    x, y = node.input(0), node.output
    if x.dtype != y.dtype or x.dtype not in QUANTIZED:
        return False
    known, first = range_of(x), np.iinfo(x.dtype).min
    low, high = int(known.low.min()), int(known.high.max())
    table = operator.ordered_table(node)[low - first : high - first + 1]
    return bool((table == np.arange(low, high + 1)).all()) and x.quant == y.quant


def _without(graph: Graph, node: BoundNode) -> Graph | None:
    """Readers of the output read the input; a graph output keeps its name. None if both have to stay."""
    x, y = node.input(0).name, node.output.name
    old, new = y, x
    if y in graph.kept:
        if x in graph.kept or x in graph.sources:
            return None
        old, new = x, y
    nodes = tuple(other.renamed({old: new}) for other in graph.nodes if other.name != node.name)
    return graph.with_(nodes=nodes)
