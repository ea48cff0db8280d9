"""arg_max: where along an axis the largest value is."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.arg_extremum import ArgExtremum


class ArgMax(ArgExtremum):
    name = "arg_max"
    tflite_builtins = ("ARG_MAX",)
    options_type = "ArgMaxOptions"
    lowest = -np.inf

    def index(self, x: np.ndarray, axis: int) -> np.ndarray:
        return np.argmax(x, axis)


OPERATOR = ArgMax()
