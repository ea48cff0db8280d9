"""The integer types that activations can have, and what follows from them for the rest of a model."""

from __future__ import annotations

from dataclasses import dataclass

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, INT16_MAX, INT16_MIN, INT32_MAX
from mcu_quant.ir import QuantParams
from mcu_quant.ops.base import FIXED_INT16, QuantRule
from mcu_quant.ops.linear import INT64_ACCUMULATOR_MAX


@dataclass(frozen=True)
class ActivationType:
    """dtype: of activations. low, high: its limits. symmetric: whether every zero_point is 0.

    bias_dtype: of biases, and of the accumulators that they begin; those stay within accumulator_max.
    edges: the types that a model's inputs and outputs may have, the usual one first.
    """

    dtype: str
    low: int
    high: int
    symmetric: bool
    bias_dtype: str
    accumulator_max: int
    edges: tuple[str, ...]

    def fixed(self, rule: QuantRule) -> QuantParams:
        """The scheme of an operator whose output is "fixed"."""
        assert rule.fixed is not None
        return rule.fixed if self.dtype == "int8" else FIXED_INT16


INT8 = ActivationType("int8", INT8_MIN, INT8_MAX, False, "int32", INT32_MAX, ("int8", "uint8", "float32"))
INT16 = ActivationType(
    "int16", INT16_MIN, INT16_MAX, True, "int64", INT64_ACCUMULATOR_MAX, ("int16", "int8", "float32")
)
#: By dtype.
ACTIVATION_TYPES = {kind.dtype: kind for kind in (INT8, INT16)}
