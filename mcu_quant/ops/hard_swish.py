"""hard_swish: x * min(max(x + 3, 0), 6) / 6."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import (
    INT16_MAX,
    INT16_MIN,
    IntArray,
    quantize_multiplier,
    reduced_multiplier,
    rounding_divide_by_power_of_two,
    saturate,
)
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint, TfliteForm
from mcu_quant.ops.unary import UnaryOperator

#: The input has so many more bits where its product is formed, so that 16 of them count.
_INPUT_BITS = 7
#: What min(max(x + 3, 0), 6) is in, less 3: 3 is 2**15.
_GATE_SCALE = 3.0 / 32768.0


def output_multiplier(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) from the finer input to the output."""
    return quantize_multiplier(node.input(0).scale / 2**_INPUT_BITS / node.output.scale)


def gate_multiplier(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) from the finer input to the gate's scale."""
    return quantize_multiplier(node.input(0).scale / 2**_INPUT_BITS / _GATE_SCALE)


class HardSwish(UnaryOperator):
    """Input: x. int8: products of 16 bits, each rounded."""

    name = "hard_swish"
    absent_forms = MappingProxyType({"int16": "TFLM and LiteRT have none"})
    tflite_builtins = ("HARD_SWISH",)
    constraints = (
        Constraint(
            "scale(input) / scale(output) must be above 2**-9 and at most 128",
            lambda node: -15 <= output_multiplier(node)[1] <= 0,
            lambda node: node.input(0).scale / node.output.scale,
            "calibrate with representative data",
            ("int8",),
        ),
        Constraint(
            "scale(input) must be above 2**-22 and below 2**8",
            lambda node: -15 <= gate_multiplier(node)[1] <= 15,
            lambda node: node.input(0).scale,
            "calibrate with representative data",
            ("int8",),
        ),
    )

    def least_input_scale(self, attrs: None, dtype: str) -> float:
        return 2.0**-21

    def least_output_scale(self, attrs: None, input_scales: Sequence[float], dtype: str) -> float:
        return input_scales[0] / 2 ** (_INPUT_BITS - 1)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("HARD_SWISH", 1, "HardSwishOptions")

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            gate = np.clip(x + np.float32(3), np.float32(0), np.float32(6))
            return np.asarray(x * gate / np.float32(6))

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        """ARITHMETIC section 16."""
        x = (q - node.input(0).zero_point) << _INPUT_BITS
        multiplier, shift = output_multiplier(node)
        product = _high_mul_16(x, reduced_multiplier(np.asarray(multiplier)))
        gate = (_gate(node, x) + 32768) >> 1
        y = np.trunc(gate * product / 2.0**15).astype(np.int64)
        return rounding_divide_by_power_of_two(_int16(y), -shift) + node.output.zero_point


def _gate(node: BoundNode, x: IntArray) -> IntArray:
    """x in steps of 3 / 32768, limited to int16."""
    multiplier, shift = gate_multiplier(node)
    gate = _int16(x << max(shift - 1, 0))
    gate = _high_mul_16(gate, reduced_multiplier(np.asarray(multiplier)))
    if shift > 0:
        gate = _int16(gate << 1)
    return rounding_divide_by_power_of_two(gate, max(-shift, 0))


def _int16(x: IntArray) -> IntArray:
    return saturate(x, INT16_MIN, INT16_MAX)


def _high_mul_16(a: IntArray, b: IntArray) -> IntArray:
    """SaturatingRoundingDoublingHighMul of int16: (a * b + 2**14) >> 15."""
    return np.minimum((a * b + (1 << 14)) >> 15, INT16_MAX)


OPERATOR = HardSwish()
