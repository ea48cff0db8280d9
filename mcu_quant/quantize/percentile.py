"""percentile calibration: the range that holds so many percent of the values, as many cut below as above.

Source: H. Wu et al., Integer Quantization for Deep Learning Inference: Principles and Empirical Evaluation
(2020), section 5.1, for ranges with two ends.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.choices import PERCENTILE, check_percentile
from mcu_quant.quantize.histogram import Histogram, HistogramCalibrator


class Percentile(HistogramCalibrator):
    """percent: above 50, at most 100, which is all of the range."""

    def __init__(self, percent: float = PERCENTILE) -> None:
        super().__init__()
        self._cut = (100.0 - check_percentile(percent)) / 200.0

    def choose(self, histogram: Histogram) -> tuple[float, float]:
        """Linear within bins. Zeros are values like any other here."""
        edges, counts = _with_zeros(histogram)
        below = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
        low = float(np.interp(self._cut, below, edges)) if self._cut else histogram.low
        high = float(np.interp(1.0 - self._cut, below, edges)) if self._cut else histogram.high
        return max(low, histogram.low), min(high, histogram.high)


def _with_zeros(histogram: Histogram) -> tuple[np.ndarray, np.ndarray]:
    """(edges [bins + 1], counts [bins]) with a bin of width 0 at 0.0 for the zeros."""
    edges, counts = histogram.edges(), histogram.counts
    if not histogram.zeros:
        return edges, counts
    if edges[0] > 0:
        return np.concatenate([[0.0, 0.0], edges]), np.concatenate([[histogram.zeros, 0], counts])
    if edges[-1] < 0:
        return np.concatenate([edges, [0.0, 0.0]]), np.concatenate([counts, [0, histogram.zeros]])
    at = int(np.searchsorted(edges, 0.0))
    return np.insert(edges, at, 0.0), np.insert(counts, at, histogram.zeros)
