"""What functions of two numbers share that are of floats, some of whole numbers too, and never quantized."""

from __future__ import annotations

from types import MappingProxyType
from typing import ClassVar

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import QuantRule, TfliteForm
from mcu_quant.ops.binary import BinaryOperator


class FloatBinary(BinaryOperator):
    """Two operands that broadcast; attrs: None."""

    absent_forms = MappingProxyType(
        dict.fromkeys(("int8", "int16"), "TFLM has none, and LiteRT none of real numbers")
    )
    oracles = MappingProxyType({"plain": "LiteRT"})
    quant_rule = QuantRule()
    #: The options' type in schema.fbs.
    options_type: ClassVar[str]

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm(self.tflite_builtins[0], 2, self.options_type)

    def integer(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.meaning(node, a, b)
