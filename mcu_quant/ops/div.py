"""div: the quotient of two operands, which broadcast."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import (
    IntArray,
    high_mul,
    one_over_one_plus_x,
    quantize_multiplier,
    rounding_divide_by_power_of_two,
    wrap_int32,
)
from mcu_quant.ir import BoundNode, ValueRange
from mcu_quant.ops.base import Constraint, scale_ratio
from mcu_quant.ops.binary import NO_ACTIVATION_ON_INT32, ArithmeticAttrs, ArithmeticOperator
from mcu_quant.ops.broadcast import BROADCASTS
from mcu_quant.ops.ranges import full_range

#: A quotient by 0, in output steps.
_BEYOND = 1 << 20


def quotient_ratio(node: BoundNode) -> float:
    return scale_ratio((node.input(0).scale,), node.input(1).scale * node.output.scale)


def quotient_multiplier(node: BoundNode) -> tuple[int, int]:
    return quantize_multiplier(quotient_ratio(node))


class Div(ArithmeticOperator):
    """Quantized: by 0 the largest value of the numerator's sign (0 / 0 is 0). ARITHMETIC section 6.

    Of int32: truncated towards zero; by 0 it is 0.
    """

    name = "div"
    plain_form = ("int32",)
    attrs_type = ArithmeticAttrs
    float_is_exact = True
    tflite_builtins = ("DIV",)
    options_type = "DivOptions"
    absent_forms = MappingProxyType({"int16": "TFLM has none; LiteRT's is not supported"})
    constraints = (
        BROADCASTS,
        NO_ACTIVATION_ON_INT32,
        Constraint(
            "scale(first) / (scale(second) * scale(output)) must be below 2**23",
            lambda node: quotient_ratio(node) < 2.0**23,
            quotient_ratio,
            "calibrate with representative data",
            ("int8",),
        ),
    )

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if a.dtype.kind == "f":
            with np.errstate(divide="ignore", invalid="ignore"):
                return a / b
        return truncated_quotient(a, b)

    def requantized(self, node: BoundNode, a: IntArray, b: IntArray) -> IntArray:
        a, b = np.broadcast_arrays(a, b)
        multiplier, shift = quotient_multiplier(node)
        signed, size = np.where(b < 0, -a, a), np.maximum(np.abs(b), 1)
        zeros = _leading_zeros(size)
        inverse = one_over_one_plus_x((size << zeros) - (1 << 31))
        headroom = _leading_zeros(np.where(signed < 0, 2 * np.abs(signed) - 1, np.maximum(signed, 1))) - 1
        quotient = high_mul(high_mul(signed << headroom, inverse), multiplier)
        right = 31 - zeros + headroom - shift
        y = np.where(right > 31, 0, rounding_divide_by_power_of_two(quotient, np.minimum(right, 31)))
        return np.where(a == 0, 0, np.where(b == 0, np.sign(a) * _BEYOND, y))

    def least_output_scale(self, attrs: ArithmeticAttrs, input_scales: Sequence[float], dtype: str) -> float:
        first, second = input_scales
        return first / second / 2.0**22

    def value_range(self, node: BoundNode) -> tuple[ValueRange | None, ...]:
        """Quotients jump where the denominator changes its sign."""
        return (full_range(node.output),)


def truncated_quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of int32: C's, but 0 by 0; the one that does not fit wraps."""
    wide, divisor = a.astype(np.int64), np.where(b == 0, 1, b.astype(np.int64))
    quotient = np.abs(wide) // np.abs(divisor) * np.sign(wide) * np.sign(divisor)
    return wrap_int32(np.where(b == 0, 0, quotient)).astype(a.dtype)


def _leading_zeros(x: IntArray) -> IntArray:
    """Of x in [1, 2**32), as 32 bits."""
    return 32 - np.frexp(x.astype(np.float64))[1].astype(np.int64)


OPERATOR = Div()
