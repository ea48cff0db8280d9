"""Which tensor and which node of a quantized graph stands for which of the float graph.

Quantizing keeps names; it only puts QUANTIZE and DEQUANTIZE nodes in between (types at the model's edges,
operators whose output scale is fixed).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node, Tensor

_CONVERSIONS = ("quantize", "dequantize")
_INTEGERS = ("int8", "uint8", "int16")


@dataclass(frozen=True)
class Step:
    """A layer of the float graph. node: None for a graph input. tensor: what it computes.

    stored: the tensor that stands for it in the quantized graph. quantized: the node that computes that,
    None for a graph input.
    """

    name: str
    node: Node | None
    tensor: Tensor
    stored: Tensor
    quantized: Node | None


class Alignment:
    """A float graph (after passes.prepare) and the quantized graph made of it."""

    def __init__(self, reference: Graph, quantized: Graph) -> None:
        self.reference, self.quantized = reference, quantized
        self._producers = quantized.producers()
        self.steps = tuple(self._steps())

    def _steps(self) -> list[Step]:
        steps = [
            Step(name, None, self.reference.tensors[name], stored, None)
            for name in self.reference.inputs
            if (stored := self._stored(name)) is not None
        ]
        for node in self.reference.nodes:
            name = node.outputs[0]
            stored = self._stored(name)
            if stored is not None and self.reference.tensors[name].dtype == "float32":
                made_by = self._producers.get(stored.name)
                steps.append(Step(node.name, node, self.reference.tensors[name], stored, made_by))
        return steps

    def _stored(self, name: str) -> Tensor | None:
        """The integer tensor behind a name, the float one if there is none, None if the name is gone."""
        tensor = self.quantized.tensors.get(name)
        if tensor is None or tensor.is_constant:
            return None
        if tensor.dtype in _INTEGERS and tensor.dtype != "uint8":
            return tensor
        producer = self._producers.get(name)
        if producer is not None and producer.op in _CONVERSIONS:
            return self.quantized.tensors[str(producer.inputs[0])]
        if name in self.quantized.inputs:
            for node in self.quantized.consumers()[name]:
                if node.op == "quantize":
                    return self.quantized.tensors[node.outputs[0]]
        return tensor


def channels_of(tensor: Tensor) -> int:
    """The size of the last axis."""
    return tensor.shape[-1] if tensor.shape else 1


def is_quantized(tensor: Tensor) -> bool:
    return tensor.dtype in _INTEGERS and tensor.quant is not None


def representable(tensor: Tensor) -> tuple[float, float]:
    """(range_min, range_max): the real values of the smallest and the largest integer."""
    limits = np.iinfo(tensor.dtype)
    low, high = int(limits.min), int(limits.max)
    return (low - tensor.zero_point) * tensor.scale, (high - tensor.zero_point) * tensor.scale


def real_constant(tensor: Tensor) -> np.ndarray:
    """A constant as float32: dequantized if it is quantized."""
    assert tensor.data is not None
    if tensor.quant is None:
        return tensor.data.astype(np.float32)
    rank = tensor.data.ndim
    shifted = tensor.data.astype(np.float64) - tensor.quant.broadcast_zero_point(rank)
    return (shifted * tensor.quant.broadcast_scale(rank)).astype(np.float32)


def weights_of(node: BoundNode) -> tuple[int, int] | None:
    """(input index, channel axis) of the constant weights of a node; None if it has none."""
    from mcu_quant.ops import OPERATORS

    rule = OPERATORS[node.node.op].quant_rule.weights
    if rule is None:
        return None
    tensor = node.optional_input(rule.index)
    return (rule.index, rule.channel_axis) if tensor is not None and tensor.is_constant else None
