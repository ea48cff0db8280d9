"""elu: x where x is positive, exp(x) - 1 elsewhere."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_table import FloatTable


class Elu(FloatTable):
    name = "elu"
    oracles = MappingProxyType({"float": "TFLM"})  # LiteRT's reference kernels are without it
    tflite_builtins = ("ELU",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("ELU")

    def function(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, np.expm1(np.minimum(x, 0.0)), x)

    def tabulated(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        """TFLM takes 1 from a rounded exponential; for x near 0, little is left."""
        exponential = np.exp(np.minimum(x, 0).astype(np.float64)).astype(np.float32)
        return np.where(x < 0, exponential - np.float32(1), x)


OPERATOR = Elu()
