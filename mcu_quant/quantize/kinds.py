"""Which type of activations each node and each tensor of a float graph will have: one for all, or a mix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mcu_quant.ir import BoundNode, Graph
from mcu_quant.quantize.activation_types import INT8, ActivationType
from mcu_quant.quantize.operands import Groups, activations, key, quantized_outputs, rule_of

#: None is float32.
Kind = ActivationType | None


@dataclass(frozen=True)
class Kinds:
    """usual: of what is in neither mapping. nodes, tensors: by name; None is float32.

    All activations of a node are of one kind but where it converts: its kind is then that of its output.
    Constants that are activations are of their node's kind.
    """

    usual: Kind = INT8
    nodes: Mapping[str, Kind] = field(default_factory=dict)
    tensors: Mapping[str, Kind] = field(default_factory=dict)

    def of_node(self, name: str) -> Kind:
        return self.nodes.get(name, self.usual)

    def of_tensor(self, name: str) -> Kind:
        return self.tensors.get(name, self.usual)

    def inputs(self, node: BoundNode) -> dict[str, ActivationType]:
        """Key (operands.key) to type, of the inputs that are integer activations, in order."""
        kinds = {
            key: self.of_constant(node, key) if tensor.is_constant else self.of_tensor(tensor.name)
            for key, tensor in activations(node)
        }
        return {key: kind for key, kind in kinds.items() if kind is not None}

    def of_constant(self, node: BoundNode, place: str) -> Kind:
        """Of a constant activation of the node, by its key."""
        kind = self.of_node(node.name)
        narrow = {key(node, index) for index in rule_of(node).int8_constants}
        return INT8 if kind is not None and place in narrow else kind

    def outputs(self, node: BoundNode) -> dict[str, ActivationType]:
        """Name to type, of the outputs that are integer activations, in order."""
        kinds = {name: self.of_tensor(name) for name in quantized_outputs(node)}
        return {name: kind for name, kind in kinds.items() if kind is not None}

    def with_one(self, node: str, tensor: str, kind: Kind) -> Kinds:
        """With a node and its output."""
        return Kinds(self.usual, {**self.nodes, node: kind}, {**self.tensors, tensor: kind})


#: Every activation is int8.
ALL_INT8 = Kinds()


def equal_scale_groups(graph: Graph, kinds: Kinds = ALL_INT8) -> Groups:
    """Every integer activation of the graph, those that operators with the "same" rule touch united."""
    groups = Groups()
    for name in graph.inputs:
        if graph.tensors[name].dtype == "float32" and kinds.of_tensor(name) is not None:
            groups.find(name)
    for node in graph.bound_nodes():
        touched = [*kinds.inputs(node), *kinds.outputs(node)]
        for member in touched:
            groups.find(member)
        if rule_of(node).output == "same":
            groups.union(touched)
    return groups
