"""relu_n1_to_1: x limited to -1 to 1."""

from __future__ import annotations

from mcu_quant.ops.clamp import Clamp


class ReluN1To1(Clamp):
    name = "relu_n1_to_1"
    tflite_builtins = ("RELU_N1_TO_1",)


OPERATOR = ReluN1To1()
