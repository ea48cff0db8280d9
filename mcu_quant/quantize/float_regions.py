"""Which nodes of an integer model are computed in float32: those whose operator has no such form, and those
that work element by element beside them. Between two of these nothing is rounded to integers and back.
"""

from __future__ import annotations

from collections.abc import Mapping

from mcu_quant.ir import BoundNode, Graph, Node
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.elementwise import element_sources, varying
from mcu_quant.quantize.activation_types import ActivationType
from mcu_quant.quantize.kinds import Kind


def lacks_forms(graph: Graph, kind: ActivationType) -> bool:
    """Whether some operator has no form of that type."""
    return any(_lacks(node, kind) for node in graph.nodes)


def with_float_regions(graph: Graph, kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """The kind of each node, by name: as given, but float32 (None) where the rules above say so.

    What is, element by element, a function of the same tensor as a node without a form becomes float32 behind
    it, and before it where nothing else reads it.
    """
    floats = {
        node.name for node in graph.nodes if (kind := kinds[node.name]) is not None and _lacks(node, kind)
    }
    if floats:
        region = _Region(graph)
        for node in graph.bound_nodes():
            if region.follows(node, floats):
                floats.add(node.name)
        for node in reversed(list(graph.bound_nodes())):
            if region.leads_to(node, floats):
                floats.add(node.name)
    return {name: None if name in floats else kind for name, kind in kinds.items()}


def _lacks(node: Node, kind: ActivationType) -> bool:
    """What is of conditions alone has no numbers to quantize."""
    operator = OPERATORS[node.op]
    if "float" in operator.absent_forms:
        return False
    return operator.quantized_in_float or kind.dtype in operator.absent_forms


class _Region:
    """What belongs together: nodes whose outputs have the same source (ops/elementwise.py)."""

    def __init__(self, graph: Graph) -> None:
        self.outputs = graph.kept
        self.sources = element_sources(graph)
        self.producers, self.readers = graph.producers(), graph.consumers()

    def follows(self, node: BoundNode, floats: set[str]) -> bool:
        """Whether it reads, within its region, what one of these writes."""
        source = self._source(node)
        inner = [name for name in varying(node) if name != source]
        return source is not None and any(self.producers[name].name in floats for name in inner)

    def leads_to(self, node: BoundNode, floats: set[str]) -> bool:
        """Whether these, within its region, are all that read it."""
        source, (output,) = self._source(node), node.node.outputs[:1]
        if source is None or output in self.outputs or not self.readers[output]:
            return False
        return all(
            reader.name in floats and self.sources[reader.outputs[0]] == source
            for reader in self.readers[output]
        )

    def _source(self, node: BoundNode) -> str | None:
        """None for a node that is not element-wise of one tensor."""
        output = node.node.outputs[0]
        return None if self.sources[output] == output else self.sources[output]
