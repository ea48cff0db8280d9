"""What operators that only move or compare bytes share: every operand has the output's scale."""

from __future__ import annotations

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import Constraint, without_axis
from mcu_quant.ops.forms import PLAIN_TYPES


def _moved(node: BoundNode) -> list[Tensor]:
    """The operands: all inputs but conditions and indices."""
    return [tensor for tensor in node.inputs if tensor is not None and tensor.dtype not in PLAIN_TYPES]


ONE_SCALE = Constraint(
    "the operands and the output must have the same scale and zero_point",
    lambda node: all(
        without_axis(tensor.quant) == without_axis(node.output.quant) for tensor in _moved(node)
    ),
    lambda node: ", ".join(str(tensor.quant) for tensor in (*_moved(node), node.output)),
    "quantize the model with a LiteRT-8-bit-specification quantizer, as mcu-quant quantize does",
)
