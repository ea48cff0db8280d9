"""cast: numbers as another type, truncated towards zero; quantized ones as integers, whatever their scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import QuantRule, TfliteForm, TfliteNode
from mcu_quant.ops.unary import UnaryOperator

#: To TensorType of schema.fbs.
CAST_TYPES = {"float32": 0, "int32": 2, "int64": 4, "bool": 6, "int16": 7, "int8": 9}
_ANY = ("float32", *(dtype for dtype in CAST_TYPES if dtype != "float32"))


@dataclass(frozen=True)
class CastAttrs:
    """dtype: of the output, one of CAST_TYPES."""

    dtype: str


class Cast(UnaryOperator):
    """Input: x, of any type but uint8. What is not 0 is true.

    Integers wrap around where the type does not hold them; floats are limited to it, and NaN gives 0.
    """

    name = "cast"
    attrs_type = CastAttrs
    is_elementwise = False
    quantized_in_float = True  # its integer forms are of the integers, not of what they stand for
    float_is_exact = True
    plain_types = MappingProxyType({0: _ANY, None: _ANY})
    plain_form = ("bool", "int32", "int64")
    oracles = MappingProxyType({"plain": "LiteRT"})
    tflite_builtins = ("CAST",)
    quant_rule = QuantRule(output="raw")

    def output_type(self, attrs: CastAttrs, input_types: Sequence[str | None]) -> str:
        return attrs.dtype

    def from_tflite(self, node: TfliteNode) -> tuple[CastAttrs, tuple[Tensor | None, ...]]:
        """The tensors' types count: converters leave the options out."""
        return CastAttrs(node.outputs[0].dtype), node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        options = {
            "InDataType": CAST_TYPES[node.input(0).dtype],
            "OutDataType": CAST_TYPES[node.output.dtype],
        }
        return TfliteForm("CAST", 1, "CastOptions", options)

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        dtype = np.dtype(node.output.dtype)
        if dtype.kind == "b":
            return x != 0
        if x.dtype.kind != "f" or dtype.kind == "f":
            return x.astype(dtype)
        limits = np.iinfo(dtype)
        whole = np.trunc(np.where(np.isnan(x), 0.0, x.astype(np.float64)))
        above, below = whole >= float(limits.max) + 1.0, whole <= float(limits.min)
        inside = np.where(above | below, 0.0, whole).astype(dtype)
        return np.where(above, limits.max, np.where(below, limits.min, inside)).astype(dtype)

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        return self.meaning(node, q).astype(np.int64)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return self.run_float(node, inputs)


OPERATOR = Cast()
