"""What operators that only move or compare bytes share: every operand has the output's scale."""

from __future__ import annotations

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import Constraint
from mcu_quant.ops.pooling import replace_axis


def _moved(node: BoundNode) -> list[Tensor]:
    """The operands: all inputs but a condition."""
    return [tensor for tensor in node.inputs if tensor is not None and tensor.dtype != "bool"]


ONE_SCALE = Constraint(
    "the operands and the output must have the same scale and zero_point",
    lambda node: all(replace_axis(tensor) == replace_axis(node.output) for tensor in _moved(node)),
    lambda node: ", ".join(str(tensor.quant) for tensor in (*_moved(node), node.output)),
    "quantize the model with a LiteRT-8-bit-specification quantizer, as mcu-quant quantize does",
)
