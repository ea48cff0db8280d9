"""reduce_all: whether all of the conditions along some of the axes hold. bool to bool."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from mcu_quant.ops.base import QuantRule
from mcu_quant.ops.reduction import Reduction


class ReduceAll(Reduction):
    """Input: x, bool, of any rank."""

    name = "reduce_all"
    tflite_builtins = ("REDUCE_ALL",)
    version = 1
    absent_forms = MappingProxyType(dict.fromkeys(("int8", "int16", "float"), "conditions alone"))
    plain_types = MappingProxyType({0: ("bool",), None: ("bool",)})
    quant_rule = QuantRule(output="raw")

    def meaning(self, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        return np.asarray(x.all(axis=axes))


OPERATOR = ReduceAll()
