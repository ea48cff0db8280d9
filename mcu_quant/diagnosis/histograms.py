"""Histograms that need no range beforehand and whose counts do not depend on how data is batched."""

from __future__ import annotations

import math

import numpy as np

#: Bins on each side of 0.
SIDE = 64


class PairHistogram:
    """Counts of float and quantized values over the same bins: [k * width, (k + 1) * width), k from -SIDE.

    width is a power of two and doubles, pairs of bins merging, when a value lies outside: the result is
    the one of the smallest power of two that holds everything, in whatever order values come.
    """

    def __init__(self) -> None:
        self.width = 0.0
        self.counts = np.zeros((2, 2 * SIDE), np.int64)

    def add(self, real: np.ndarray, quantized: np.ndarray) -> None:
        largest = max(float(np.abs(real).max(initial=0.0)), float(np.abs(quantized).max(initial=0.0)))
        if largest > 0.0:
            self._hold(largest)
        for row, values in enumerate((real, quantized)):
            self.counts[row] += self._count(values)

    def _hold(self, largest: float) -> None:
        needed = 2.0 ** math.floor(math.log2(largest / SIDE) + 1.0)
        while needed * SIDE <= largest:
            needed *= 2.0
        if self.width == 0.0:
            zeros = self.counts.sum(axis=1)
            self.width, self.counts[:] = needed, 0
            self.counts[:, SIDE] = zeros
        while self.width < needed:
            self.width *= 2.0
            merged = np.zeros_like(self.counts)
            half = SIDE // 2
            merged[:, half : half + SIDE] = self.counts.reshape(2, SIDE, 2).sum(axis=2)
            self.counts = merged

    def _count(self, values: np.ndarray) -> np.ndarray:
        width = self.width or 1.0
        bins = np.floor(values.ravel().astype(np.float64) / width).astype(np.int64) + SIDE
        return np.bincount(bins, minlength=2 * SIDE)

    def central_range(self, share: float) -> tuple[float, float]:
        """The narrowest range of whole bins that leaves out at most (1 - share) / 2 of the values per end."""
        total = int(self.counts[0].sum())
        cut = total * (1.0 - share) / 2.0
        above = np.cumsum(self.counts[0])
        below = np.cumsum(self.counts[0][::-1])
        first = int(np.argmax(above > cut))
        last = 2 * SIDE - 1 - int(np.argmax(below > cut))
        return (first - SIDE) * self.width, (last + 1 - SIDE) * self.width

    def as_json(self) -> dict[str, object]:
        """Trimmed to the bins in use. start: the lower end of the first bin; width: of each bin."""
        used = np.flatnonzero(self.counts.sum(axis=0))
        first, last = (int(used[0]), int(used[-1])) if len(used) else (SIDE, SIDE)
        return {
            "start": (first - SIDE) * self.width,
            "width": self.width,
            "float": self.counts[0, first : last + 1].tolist(),
            "quantized": self.counts[1, first : last + 1].tolist(),
        }
