"""How far outputs of compiled C may be from the reference's: no bit where integers decide.

docs/ARITHMETIC.md section 13 has the numbers.

Sums of floats depend on their order, and exponentials on how they are approximated, so the C of float layers
is near the reference, not equal to it. What is behind such a layer, integers too, is no longer exact either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcu_quant.ir import BoundNode, Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.bands import BandsAttrs
from mcu_quant.ops.elementwise import byte_chains
from mcu_quant.ops.forms import FLOAT_FORMS, PLAIN_TYPES, form_of


@dataclass(frozen=True)
class Tolerance:
    """|actual - expected| may be absolute + relative * max |expected| of the output, sample by sample."""

    relative: float
    absolute: float


#: Of layers in float: float32 has 24 bits; hundreds of additions, and a few layers, cost some of them.
FLOAT = Tolerance(1e-4, 1e-6)
#: Behind hybrid layers, and integer ones that float ones feed: a value at the border of two steps may fall to
#: either side.
HYBRID = Tolerance(2e-2, 1e-6)
#: Behind int16 layers that float ones feed: their steps are finer.
FINE = Tolerance(1e-3, 1e-6)
#: Of int8 that was computed from any of these: steps. Of int16: what the relative tolerance is in steps.
STEPS = Tolerance(0.0, 2.0)
_INT16_STEPS = 2**15


def output_tolerances(graph: Graph) -> list[Tolerance | None]:
    """For each output of the graph, None where every engine must give the same bytes.

    A chain that is a table where code is generated (optimize/tables.py) is exact, its floats included. What a
    state holds is as exact as what the run before left.
    """
    before: dict[str, Tolerance] = {}
    while True:
        reached = _reached(graph, before)
        after = {s.before: reached[s.after] for s in graph.states if s.after in reached}
        if after == before:
            return [_at_output(graph, name, reached.get(name)) for name in graph.outputs]
        before = after


def _reached(graph: Graph, before: Mapping[str, Tolerance]) -> dict[str, Tolerance]:
    """Of every tensor that is not exact, from those that are not before the run."""
    reached = dict(before)
    tables = {chain.target: chain.source for chain in byte_chains(graph)}
    for node in graph.bound_nodes():
        if (table := tables.get(node.node.outputs[0])) is not None:
            reached |= {name: reached[table] for name in node.node.outputs if table in reached}
            continue
        found = [reached[name] for name in node.node.inputs if name in reached]
        found += _own(node)
        if found:
            found += [] if form_of(node) in FLOAT_FORMS else [_rounding(node)]
            worst = max(found, key=lambda tolerance: tolerance.relative)
            reached.update(dict.fromkeys(node.node.outputs, worst))
    return reached


def _own(node: BoundNode) -> list[Tolerance]:
    if isinstance(node.attrs, BandsAttrs):
        return []
    form = form_of(node)
    if form not in FLOAT_FORMS or OPERATORS[node.node.op].float_is_exact:
        return []
    return [HYBRID if form == "hybrid" else FLOAT]


def _rounding(node: BoundNode) -> Tolerance:
    """What falling to the other side of a step makes of a small difference."""
    tensors = (*node.inputs, *node.outputs)
    types = {tensor.dtype for tensor in tensors if tensor is not None and not tensor.is_constant}
    return HYBRID if types & {"int8", "uint8"} else FINE


def _at_output(graph: Graph, name: str, tolerance: Tolerance | None) -> Tolerance | None:
    dtype = graph.tensors[name].dtype
    if tolerance is None or dtype == "float32":
        return tolerance
    if dtype in PLAIN_TYPES:  # a condition or an index that is another one is no small difference
        return None
    return Tolerance(0.0, round(tolerance.relative * _INT16_STEPS)) if dtype == "int16" else STEPS
