"""What each tensor is to a node: weights, bias, an activation, or plain numbers.

A constant that is an activation has its own scheme in every place where it is used, so places are
identified by a key: the tensor's name for a computed tensor, node and position for a constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import QuantRule


def rule_of(node: BoundNode) -> QuantRule:
    return OPERATORS[node.node.op].quant_rule


def role(node: BoundNode, index: int) -> str:
    """ "weights", "bias", "state", "activation", "plain" (not float) or "absent": of the input there."""
    tensor, rule = node.inputs[index], rule_of(node)
    if tensor is None:
        return "absent"
    if tensor.dtype != "float32":
        return "plain"
    if tensor.is_constant and index in rule.weights_at:
        return "weights"
    if tensor.is_constant and index in rule.biases_at:
        return "bias"
    return "state" if index in OPERATORS[node.node.op].state_inputs else "activation"


def key(node: BoundNode, index: int) -> str:
    """Identifies the scheme of the input at that position, whose role is "activation"."""
    tensor = node.input(index)
    return f"{node.name}#{index}" if tensor.is_constant else tensor.name


def activations(node: BoundNode) -> Iterator[tuple[str, Tensor]]:
    """(key, tensor) of the inputs that are activations, constant ones included."""
    for index, tensor in enumerate(node.inputs):
        if tensor is not None and role(node, index) == "activation":
            yield key(node, index), tensor


def quantized_outputs(node: BoundNode) -> list[str]:
    """The outputs that get an int8 scheme; states have their own (states.py)."""
    if rule_of(node).output in ("float", "raw"):
        return []
    states = OPERATORS[node.node.op].state_inputs.values()
    return [t.name for i, t in enumerate(node.outputs) if t.dtype == "float32" and i not in states]


@dataclass
class Groups:
    """Union-find over keys: the tensors of a group share one scale and zero point."""

    parents: dict[str, str] = field(default_factory=dict)

    def find(self, member: str) -> str:
        self.parents.setdefault(member, member)
        root = member
        while self.parents[root] != root:
            root = self.parents[root]
        while self.parents[member] != root:
            self.parents[member], member = root, self.parents[member]
        return root

    def union(self, members: list[str]) -> None:
        for member in members[1:]:
            self.parents[self.find(member)] = self.find(members[0])

    def members(self) -> dict[str, list[str]]:
        """Root to members, both in the order in which they were first met."""
        groups: dict[str, list[str]] = {}
        for member in list(self.parents):
            groups.setdefault(self.find(member), []).append(member)
        return groups
