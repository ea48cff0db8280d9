"""Histograms of activations that widen as they must, and the calibration methods' common part.

A bin is a power of two wide and starts at a multiple of its width, so that 0 is an edge, a range on one side
of 0 spends no bin on the other, and widening is exact: two bins become one. What comes out depends on the
values alone, not on their order. Exact zeros (of ReLU, of padding) are counted apart: every scheme has them
exactly, so that they bear no error, and in the lowest bin they would hide what else is in it.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field

import numpy as np

from mcu_quant.quantize.ranges import Calibrator, Ranges

#: Bins of a histogram; the values seen span more than half of them.
BINS = 4096

#: Bins are no finer than float32's own steps at the largest value.
_FINEST = 2.0**-23
_SMALLEST = 2.0**-120

#: Shares of the range that searches try for an end, from all of it inwards: 1/128 apart, in two rounds.
_SHARES = np.arange(128, 0, -1) / 128
_ROUNDS = 2


@dataclass
class Histogram:
    """Values of one tensor. counts[i] values are in [(first + i) * width, (first + i + 1) * width).

    low, high: the exact least and largest value. zeros: how many were exactly 0 (not in counts).
    at_low, at_high: how many were exactly low and high (in counts, unless 0): what ReLU6 clamps.
    """

    width: float = 0.0
    first: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    zeros: int = 0
    low: float = math.inf
    high: float = -math.inf
    at_low: int = 0
    at_high: int = 0

    def add(self, values: np.ndarray) -> None:
        """Count more values, float32 and finite."""
        flat = values.reshape(-1)
        low, high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        self.at_low = (self.at_low if low == self.low else 0) + int(np.count_nonzero(flat == low))
        self.at_high = (self.at_high if high == self.high else 0) + int(np.count_nonzero(flat == high))
        self.low, self.high = low, high
        flat = flat[flat != 0]
        self.zeros += values.size - flat.size
        self._widen(_width_for(self.low, self.high))
        if not flat.size:
            return
        steps = np.floor(flat.astype(np.float64) / self.width).astype(np.int64)
        first, last = int(steps.min()), int(steps.max())
        self._cover(first, last)
        self.counts += np.bincount(steps - self.first, minlength=len(self.counts))

    @property
    def total(self) -> int:
        """How many values there were."""
        return int(self.counts.sum()) + self.zeros

    def edges(self) -> np.ndarray:
        """float64 [bins + 1]."""
        return (self.first + np.arange(len(self.counts) + 1)) * self.width

    def centers(self) -> np.ndarray:
        """float64 [bins]: the middle of each bin, of the outer ones no further out than the values."""
        return np.clip((self.first + np.arange(len(self.counts)) + 0.5) * self.width, self.low, self.high)

    def _widen(self, width: float) -> None:
        if not len(self.counts):
            self.width = max(width, self.width)
        while self.width < width:
            odd = self.first % 2
            counts = np.pad(self.counts, (odd, (odd + len(self.counts)) % 2))
            self.counts, self.first = counts[0::2] + counts[1::2], (self.first - odd) // 2
            self.width *= 2

    def _cover(self, first: int, last: int) -> None:
        if not len(self.counts):
            self.first, self.counts = first, np.zeros(last - first + 1, np.int64)
            return
        before = max(self.first - first, 0)
        after = max(last - (self.first + len(self.counts) - 1), 0)
        self.first, self.counts = self.first - before, np.pad(self.counts, (before, after))


def _width_for(low: float, high: float) -> float:
    """The smallest width, a power of two, by which BINS bins cover low..high."""
    least = max((high - low) / BINS, max(-low, high) * _FINEST, _SMALLEST)
    width = 2.0 ** math.ceil(math.log2(least))
    return width if math.floor(high / width) - math.floor(low / width) < BINS else 2 * width


class HistogramCalibrator(Calibrator):
    """One pass; a histogram per tensor, from which `choose` takes the range."""

    def __init__(self) -> None:
        self._histograms: dict[str, Histogram] = {}

    def observe(self, tensor: str, values: np.ndarray) -> None:
        self._histograms.setdefault(tensor, Histogram()).add(values)

    def ranges(self) -> Ranges:
        return {
            tensor: (histogram.low, histogram.high)
            if not len(histogram.counts) or histogram.low == histogram.high
            else self.choose(histogram)
            for tensor, histogram in self._histograms.items()
        }

    @abstractmethod
    def choose(self, histogram: Histogram) -> tuple[float, float]:
        """(range_min, range_max) for values that are not all the same."""


class SearchingCalibrator(HistogramCalibrator):
    """The range within what was seen whose `cost` is least; among equals the widest.

    One end is tried at shares of its distance from 0 (where the values are on one side of 0, the end
    nearer to 0 stays, as it costs nothing: every scheme holds 0), then the other, twice.
    """

    @abstractmethod
    def cost(self, histogram: Histogram, low: float, high: float) -> float:
        """What using that range (low <= 0 <= high) costs."""

    def choose(self, histogram: Histogram) -> tuple[float, float]:
        ends = [min(histogram.low, 0.0), max(histogram.high, 0.0)]
        full = tuple(ends)
        for _ in range(_ROUNDS):
            for side in (1, 0):
                tried = [(end, *_with(ends, side, end)) for end in full[side] * _SHARES if end != 0.0]
                costs = [self.cost(histogram, low, high) for _, low, high in tried]
                if costs:
                    ends[side] = float(tried[int(np.argmin(costs))][0])
        return ends[0], ends[1]


def _with(ends: list[float], side: int, end: float) -> tuple[float, float]:
    return (float(end), ends[1]) if side == 0 else (ends[0], float(end))
