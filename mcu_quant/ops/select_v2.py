"""select_v2: where a condition holds the second input, elsewhere the third; all three broadcast."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from mcu_quant.ir import BoundNode, Tensor, ValueRange
from mcu_quant.ops.base import Constraint, Operator, QuantRule, Shape, TfliteForm, TfliteNode
from mcu_quant.ops.broadcast import BROADCASTS, broadcast_shape
from mcu_quant.ops.forms import FORMS, PLAIN_TYPES
from mcu_quant.ops.ranges import channels_of, full_range, range_of, spanned
from mcu_quant.ops.raw import ONE_SCALE


class SelectV2(Operator):
    """Inputs: condition (bool), what it selects where true, and where false. Raw bytes: one scale."""

    name = "select_v2"
    plain_form = PLAIN_TYPES
    oracles = MappingProxyType({"plain": "LiteRT"})
    is_elementwise = True
    float_is_exact = True
    is_selection = True
    plain_types = MappingProxyType({0: ("bool",)})
    tflite_builtins = ("SELECT_V2",)
    quant_rule = QuantRule(output="same")
    constraints = (
        BROADCASTS,
        ONE_SCALE,
        Constraint(
            "the condition must be bool",
            lambda node: node.input(0).dtype == "bool",
            lambda node: node.input(0).dtype,
            "a comparison in front of it",
            forms=FORMS,
        ),
    )

    def output_shapes(self, attrs: Any, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        condition, chosen, other = input_shapes
        return (broadcast_shape(condition, chosen, other),)

    def from_tflite(self, node: TfliteNode) -> tuple[Any, tuple[Tensor | None, ...]]:
        return None, node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("SELECT_V2", 1, "SelectV2Options")

    def value_range(self, node: BoundNode) -> tuple[ValueRange | None, ...]:
        """Of both operands together: the condition may be anything."""
        if full_range(node.output) is None:
            return super().value_range(node)
        operands = [range_of(node.input(index)) for index in (1, 2)]
        ends = [end for operand in operands for end in (operand.low, operand.high)]
        return (spanned(*np.broadcast_arrays(*ends, np.empty(channels_of(node.output)))[:4]),)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        condition, chosen, other = (
            _aligned(x, tensor, len(node.output.shape)) for x, tensor in zip(inputs, node.inputs, strict=True)
        )
        return (np.where(condition, chosen, other),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return self.run_float(node, inputs)


def _aligned(x: np.ndarray | None, tensor: Tensor | None, rank: int) -> np.ndarray:
    """x with the output's rank; a sample axis, if it has one, stays in front."""
    assert x is not None and tensor is not None
    samples = x.shape[: x.ndim - len(tensor.shape)] or (1,)
    return x.reshape(*samples, *(1,) * (rank - len(tensor.shape)), *tensor.shape)


OPERATOR = SelectV2()
