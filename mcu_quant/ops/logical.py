"""What operators on conditions share. Inputs and output: bool."""

from __future__ import annotations

from abc import abstractmethod
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import QuantRule, TfliteForm
from mcu_quant.ops.binary import BinaryOperator

#: absent_forms of operators on conditions.
NO_NUMBERS = MappingProxyType(dict.fromkeys(("float", "int8", "int16"), "conditions are no numbers"))


class Logical(BinaryOperator):
    """Of two conditions that broadcast."""

    plain_types = MappingProxyType({0: ("bool",), 1: ("bool",), None: ("bool",)})
    plain_form = ("bool",)
    absent_forms = NO_NUMBERS
    quant_rule = QuantRule(output="raw")
    #: The options' type in schema.fbs.
    options_type: ClassVar[str]

    @abstractmethod
    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Of conditions, aligned for broadcasting; bool."""

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm(self.tflite_builtins[0], 1, self.options_type)

    def meaning(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.combine(a, b)

    def integer(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.meaning(node, a, b)
