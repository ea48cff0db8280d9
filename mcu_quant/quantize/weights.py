"""How far weights reach: the magnitude that the largest integer stands for, by minmax or mse.

mse clips the few largest weights of a channel where that makes the others' rounding errors smaller by more.
Source: M. Nagel et al., A White Paper on Neural Network Quantization (2021), section 3.1.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.errors import InvalidInputError

#: Shares of the largest magnitude that mse tries, from all of it down.
_SHARES = np.arange(100, 29, -1) / 100


def weight_peaks(rows: np.ndarray, method: str, limit: int) -> np.ndarray:
    """float64 [channels]: the magnitude at which weights [channels, K] are clipped.

    limit: the integer that it becomes. method: "minmax", the largest one there is, or "mse".
    """
    largest = np.abs(rows).max(axis=1, initial=0.0)
    if method == "minmax":
        return largest
    if method != "mse":
        raise InvalidInputError("the weights' calibration must be minmax or mse", value=method)
    best, least = largest.copy(), np.full(len(rows), np.inf)
    for share in _SHARES:
        scale = np.where(largest > 0, largest * share / limit, 1.0)[:, None]
        error = ((rows - np.clip(np.rint(rows / scale), -limit, limit) * scale) ** 2).sum(axis=1)
        better = error < least
        best, least = np.where(better, largest * share, best), np.where(better, error, least)
    return best
