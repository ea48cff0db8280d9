"""arg_min: where along an axis the smallest value is."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.arg_extremum import ArgExtremum


class ArgMin(ArgExtremum):
    name = "arg_min"
    tflite_builtins = ("ARG_MIN",)
    options_type = "ArgMinOptions"
    lowest = np.inf

    def index(self, x: np.ndarray, axis: int) -> np.ndarray:
        return np.argmin(x, axis)


OPERATOR = ArgMin()
