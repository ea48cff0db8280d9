"""reduce_any: whether any of the conditions along some of the axes holds. bool to bool."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from mcu_quant.ops.base import QuantRule
from mcu_quant.ops.reduction import Reduction


class ReduceAny(Reduction):
    """Input: x, bool, of any rank."""

    name = "reduce_any"
    tflite_builtins = ("REDUCE_ANY",)
    version = 1
    absent_forms = MappingProxyType(dict.fromkeys(("int8", "int16", "float"), "conditions alone"))
    oracles = MappingProxyType({"plain": "LiteRT"})
    plain_types = MappingProxyType({0: ("bool",), None: ("bool",)})
    quant_rule = QuantRule(output="raw")

    def meaning(self, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        return np.asarray(x.any(axis=axes))


OPERATOR = ReduceAny()
