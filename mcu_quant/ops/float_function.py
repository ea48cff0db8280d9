"""Functions that TFLM computes in float32 alone: in integer models they are between converters."""

from __future__ import annotations

from abc import abstractmethod
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import INTEGER_FORMS
from mcu_quant.ops.unary import UnaryOperator


class FloatFunction(UnaryOperator):
    """Input: x. No attributes, no integer form.

    The reference computes in double and rounds once, so that it gives the same float32 numbers, and tables,
    on every computer. Beyond the function's domain it gives NaN or an infinity, as C does.
    """

    absent_forms = MappingProxyType(dict.fromkeys(INTEGER_FORMS, "TFLM and LiteRT have none"))

    @abstractmethod
    def function(self, x: np.ndarray) -> np.ndarray:
        """float64 to float64."""

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(self.function(x.astype(np.float64)).astype(np.float32))

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        raise NotImplementedError(f"{self.name} has no integer form")
