"""entropy calibration: the range after which the distribution of the values is least changed (KL divergence).

The distribution P is the histogram with what saturates added to the outer bins; Q is what is left of the
histogram inside when each int8 level keeps only its total, spread evenly over those of its bins that are
not empty. The range with the least KL(P || Q) is taken. Source: S. Migacz, 8-bit Inference with TensorRT
(GTC 2017), there for ranges symmetric about 0; here for ranges with two ends, and values that are exactly
the end of the range (ReLU6 makes many) count as what they are: exact.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.quantize.histogram import Histogram, SearchingCalibrator

_LEVELS = 256
#: Ranges that saturate a larger share of the values are not considered.
_MOST_SATURATED = 0.001
#: What Q gives a bin where P has something and it has nothing, as a share of all.
_FLOOR = 1e-9


class Entropy(SearchingCalibrator):
    """Needs a bin or more per level, and lets hardly anything saturate.

    Without that limit, distributions with spikes (silence in audio, say) lose their upper half: the spikes
    make coarse levels look worse than any saturation.
    """

    def cost(self, histogram: Histogram, low: float, high: float) -> float:
        counts, last = histogram.counts.astype(np.float64), len(histogram.counts)
        start = int(np.clip(round(low / histogram.width) - histogram.first, 0, last - 1))
        stop = int(np.clip(round(high / histogram.width) - histogram.first, 0, last))
        start, stop = (0 if low <= histogram.low else start), (last if high >= histogram.high else stop)
        exact = 0
        if start == 0 and histogram.low:
            counts[0], exact = counts[0] - histogram.at_low, exact + histogram.at_low
        if stop == last and histogram.high:
            counts[-1], exact = counts[-1] - histogram.at_high, exact + histogram.at_high
        inside = counts[start:stop]
        if not inside.any():
            return 0.0 if exact else np.inf
        saturated = counts[:start].sum() + counts[stop:].sum()
        if len(inside) < _LEVELS or saturated > _MOST_SATURATED * histogram.total:
            return np.inf
        p = inside.copy()
        p[0] += counts[:start].sum()
        p[-1] += counts[stop:].sum()
        return _divergence(p / p.sum(), _by_levels(inside)) * float(p.sum() / (p.sum() + exact))


def _by_levels(counts: np.ndarray) -> np.ndarray:
    """Shares [bins] after each of _LEVELS runs of bins keeps its total only."""
    starts = np.arange(_LEVELS) * len(counts) // _LEVELS
    filled = counts > 0
    totals, bins = np.add.reduceat(counts, starts), np.add.reduceat(filled.astype(np.int64), starts)
    level = np.searchsorted(starts, np.arange(len(counts)), side="right") - 1
    spread = np.where(filled, (totals / np.maximum(bins, 1))[level], 0.0)
    return np.asarray(spread / spread.sum())


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    used = p > 0
    return float(np.sum(p[used] * np.log(p[used] / np.maximum(q[used], _FLOOR))))
