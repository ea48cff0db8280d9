"""moving_average calibration: the average of the samples' own extremes, later ones counting more.

range = sum of w_i * extreme_i / sum of w_i with w_i = 0.99 ** (extremes after i): TensorFlow's and PyTorch's
moving averages of ranges, without the weight that the first sample has there. It leaves out what few
samples reach. The extremes of a few values say nothing of a range (of one value: low = high), so those of
small tensors are taken over as many samples in a row as make 64 values.
Source: B. Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference (2018), section 3.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mcu_quant.quantize.ranges import Calibrator, Ranges

_DECAY = 0.99
#: So many values of a tensor have an extreme that counts.
_VALUES = 64


@dataclass
class _Average:
    """low, high: sums by weight. least, most: extremes of the `samples` that no sum has yet."""

    low: float = 0.0
    high: float = 0.0
    weight: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    samples: int = 0

    def add(self, low: float, high: float) -> None:
        self.least, self.most = min(self.least, low), max(self.most, high)
        self.samples += 1

    def close(self) -> None:
        """What was added becomes one extreme of the average."""
        self.low = _DECAY * self.low + self.least
        self.high = _DECAY * self.high + self.most
        self.weight = _DECAY * self.weight + 1.0
        self.least, self.most, self.samples = math.inf, -math.inf, 0


class MovingAverage(Calibrator):
    """One pass; a few numbers per tensor. It goes by samples, so batches of any size give the same."""

    def __init__(self) -> None:
        self._averages: dict[str, _Average] = {}

    def observe(self, tensor: str, values: np.ndarray) -> None:
        average = self._averages.setdefault(tensor, _Average())
        rows = values.reshape(len(values), -1)
        together = -(-_VALUES // rows.shape[1])
        for low, high in zip(rows.min(axis=1), rows.max(axis=1), strict=True):
            average.add(float(low), float(high))
            if average.samples == together:
                average.close()

    def ranges(self) -> Ranges:
        for average in self._averages.values():
            if average.weight == 0.0:  # fewer samples than are taken together
                average.close()
        return {name: (a.low / a.weight, a.high / a.weight) for name, a in self._averages.items()}
