"""Functions whose int8 form TFLM and LiteRT make as a table of floats, before the first inference."""

from __future__ import annotations

from abc import abstractmethod
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.ops.unary import UnaryOperator


class FloatTable(UnaryOperator):
    """Input: x. int8: round(f(s_in * (q - z_in)) * (1 / s_out)) + z_out, each step in float32."""

    absent_forms = MappingProxyType({"int16": "TFLM and LiteRT have none"})

    @abstractmethod
    def function(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        """float64 to float64; the reference rounds once."""

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(self.function(node, x.astype(np.float64)).astype(np.float32))

    def tabulated(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        """float32 to float32: what the table is made of."""
        return self.meaning(node, x)

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        x = np.float32(node.input(0).scale) * (q - node.input(0).zero_point).astype(np.float32)
        with np.errstate(all="ignore"):
            steps = self.tabulated(node, x) * (np.float32(1.0) / np.float32(node.output.scale))
        rounded = np.trunc(steps.astype(np.float64) + np.copysign(0.5, steps))
        rounded = np.nan_to_num(rounded, nan=-(2.0**31))  # 0 * inf; LiteRT's cast of NaN is undefined
        return np.clip(rounded, -(2.0**31), 2.0**31).astype(np.int64) + node.output.zero_point
