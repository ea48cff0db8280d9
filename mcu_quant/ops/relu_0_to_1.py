"""relu_0_to_1: x limited to 0 to 1."""

from __future__ import annotations

from mcu_quant.ops.clamp import Clamp


class Relu0To1(Clamp):
    name = "relu_0_to_1"
    tflite_builtins = ("RELU_0_TO_1",)


OPERATOR = Relu0To1()
