"""relu6: min(max(x, 0), 6), in the input's own scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import SAME_SCALE, QuantRule, TfliteForm, TfliteNode, float_activation, quantize_bound
from mcu_quant.ops.unary import UnaryOperator


@dataclass(frozen=True)
class Relu6Attrs:
    pass


class Relu6(UnaryOperator):
    """Input: x. TFLM never rescales here, so both scales must be the same."""

    name = "relu6"
    attrs_type = Relu6Attrs
    float_is_exact = True
    tflite_builtins = ("RELU6",)
    keras_activations = {"relu6": Relu6Attrs()}  # noqa: RUF012 - a Mapping that nothing writes to
    quant_rule = QuantRule(output="same")
    constraints = (SAME_SCALE,)

    def from_tflite(self, node: TfliteNode) -> tuple[Relu6Attrs, tuple[Tensor | None, ...]]:
        return Relu6Attrs(), node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("RELU6", 2)

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        return float_activation(x, "relu6")

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        return np.clip(q, node.input(0).zero_point, quantize_bound(6.0, node.input(0)))


OPERATOR = Relu6()
