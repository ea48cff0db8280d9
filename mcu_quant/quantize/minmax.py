"""minmax calibration: the range of a tensor is everything it was ever seen to hold."""

from __future__ import annotations

import numpy as np

from mcu_quant.quantize.ranges import Calibrator, Ranges


class MinMax(Calibrator):
    """One pass; two numbers per tensor."""

    def __init__(self) -> None:
        self._ranges: Ranges = {}

    def observe(self, tensor: str, values: np.ndarray) -> None:
        low, high = float(values.min()), float(values.max())
        if tensor in self._ranges:
            known_low, known_high = self._ranges[tensor]
            low, high = min(low, known_low), max(high, known_high)
        self._ranges[tensor] = (low, high)

    def ranges(self) -> Ranges:
        return dict(self._ranges)
