"""moving_average calibration: the average of the samples' own extremes, later ones counting more.

range = sum of w_i * extreme_i / sum of w_i with w_i = 0.99 ** (samples after i): TensorFlow's and PyTorch's
moving averages of ranges, without the weight that the first sample has there. It leaves out what few
samples reach.
Source: B. Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference (2018), section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.quantize.ranges import Calibrator, Ranges

_DECAY = 0.99


@dataclass
class _Average:
    low: float = 0.0
    high: float = 0.0
    weight: float = 0.0


class MovingAverage(Calibrator):
    """One pass; three numbers per tensor. It goes by samples, so batches of any size give the same."""

    def __init__(self) -> None:
        self._averages: dict[str, _Average] = {}

    def observe(self, tensor: str, values: np.ndarray) -> None:
        average = self._averages.setdefault(tensor, _Average())
        rows = values.reshape(len(values), -1)
        for low, high in zip(rows.min(axis=1), rows.max(axis=1), strict=True):
            average.low = _DECAY * average.low + float(low)
            average.high = _DECAY * average.high + float(high)
            average.weight = _DECAY * average.weight + 1.0

    def ranges(self) -> Ranges:
        return {name: (a.low / a.weight, a.high / a.weight) for name, a in self._averages.items()}
