"""gelu: x times the normal distribution's integral up to x, or an approximation of it by a tanh."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import TfliteForm, TfliteNode
from mcu_quant.ops.float_table import FloatTable

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


@dataclass(frozen=True)
class GeluAttrs:
    """approximate: by a tanh."""

    approximate: bool = False


class Gelu(FloatTable):
    name = "gelu"
    attrs_type = GeluAttrs
    absent_forms = MappingProxyType({"int16": "TFLM has none; LiteRT's table is not supported"})
    oracles = MappingProxyType({"int8": "LiteRT"})  # TFLM has none
    tflite_builtins = ("GELU",)

    def from_tflite(self, node: TfliteNode) -> tuple[GeluAttrs, tuple[Tensor | None, ...]]:
        return GeluAttrs(bool(node.option("Approximate", False))), node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("GELU", 2, "GeluOptions", {"Approximate": node.attrs.approximate})

    def function(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        if node.attrs.approximate:
            return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))
        return np.asarray(x * 0.5 * _erfc(-x * math.sqrt(0.5))) if x.size else x


OPERATOR = Gelu()
