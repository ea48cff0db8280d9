"""squared_difference: (first - second) squared; the operands broadcast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcu_quant.fixed_point import IntArray, quantize_multiplier, requantize
from mcu_quant.ir import BoundNode, ValueRange
from mcu_quant.ops.add import SumMultipliers, common_scale
from mcu_quant.ops.base import Constraint, QuantRule, TfliteForm, to_output
from mcu_quant.ops.binary import BinaryOperator
from mcu_quant.ops.broadcast import BROADCASTS
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.ranges import full_range

#: Fractional bits of both operands in their common scale (TFLM's left_shift).
LEFT_SHIFTS = {"int8": 7, "int16": 0}


def square_ratio(node: BoundNode) -> float:
    """From the common scale, squared, to the output's."""
    return common_scale(node) ** 2 / (4.0 ** LEFT_SHIFTS[node.output.dtype] * node.output.scale)


def difference_multipliers(node: BoundNode) -> SumMultipliers:
    """ARITHMETIC section 6."""
    first, second = (quantize_multiplier(node.input(i).scale / common_scale(node)) for i in (0, 1))
    return SumMultipliers(first, second, quantize_multiplier(square_ratio(node)))


class SquaredDifference(BinaryOperator):
    name = "squared_difference"
    plain_form = ("int32",)
    tflite_builtins = ("SQUARED_DIFFERENCE",)
    quant_rule = QuantRule()
    constraints = (
        BROADCASTS,
        Constraint(
            "(2 * max(scale(inputs)))**2 / scale(output) must be below 2**14, of int16 below 1",
            lambda node: square_ratio(node) < 1.0,
            square_ratio,
            "calibrate with representative data",
        ),
    )

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("SQUARED_DIFFERENCE", 2, "SquaredDifferenceOptions")

    def meaning(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a - b) * (a - b)

    def integer(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if form_of(node) == "plain":
            with np.errstate(over="ignore"):
                return self.meaning(node, a, b)  # wraps
        multipliers, shift = difference_multipliers(node), LEFT_SHIFTS[node.output.dtype]
        difference = _scaled(node, 0, a, shift, multipliers.first)
        difference = difference - _scaled(node, 1, b, shift, multipliers.second)
        y = requantize(difference * difference, *multipliers.output) + node.output.zero_point
        return to_output(y, node.output)

    def least_output_scale(self, attrs: Any, input_scales: Sequence[float], dtype: str) -> float:
        return (2 * max(input_scales)) ** 2 / 4.0 ** LEFT_SHIFTS[dtype] * 1.001

    def value_range(self, node: BoundNode) -> tuple[ValueRange | None, ...]:
        """Squares fall and rise."""
        return (full_range(node.output),)


def _scaled(node: BoundNode, index: int, q: np.ndarray, shift: int, multiplier: tuple[int, int]) -> IntArray:
    """An operand in the common scale."""
    steps = q.astype(np.int64) - node.input(index).zero_point
    return requantize(steps << shift, *multiplier)


OPERATOR = SquaredDifference()
