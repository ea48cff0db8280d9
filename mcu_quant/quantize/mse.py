"""mse calibration: the range whose int8 scheme has the least mean squared error over the values seen.

A narrower range rounds finer and saturates more. Source: the search over clipping ranges is common; for its
effect see R. Banner et al., Post-training 4-bit quantization of convolutional networks (2019), section 4, and
M. Nagel et al., A White Paper on Neural Network Quantization (2021), section 3.1.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN
from mcu_quant.quantize.histogram import Histogram, SearchingCalibrator
from mcu_quant.quantize.schemes import activation_scheme


class MeanSquaredError(SearchingCalibrator):
    """The error of each bin is that of its middle; zeros have none."""

    def cost(self, histogram: Histogram, low: float, high: float) -> float:
        quant = activation_scheme(low, high)
        scale, zero_point = quant.scale[0], quant.zero_point[0]
        x = histogram.centers()
        q = np.clip(np.rint(x / scale), INT8_MIN - zero_point, INT8_MAX - zero_point)
        return float(np.dot(histogram.counts, (x - q * scale) ** 2))
