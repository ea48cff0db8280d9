"""Random LSTM layers."""

from __future__ import annotations

import numpy as np

from tests.ops.driver import Case
from tests.ops.test_unidirectional_sequence_lstm import case

_SIZES = (1, 2, 3, 4, 5, 7, 8, 12, 17, 33)


def random_lstm(rng: np.random.Generator, name: str) -> Case:
    """All ends of the zero_points, weights alike, gates that are all or nothing, any cell state."""
    size, units = (int(size) for size in rng.choice(_SIZES, 2))
    scale_x, scale_y = (float(scale) for scale in np.exp(rng.uniform(-6, 0, 2)))
    largest = np.exp(rng.uniform(-2, 2, 2))
    return case(
        name,
        (int(rng.integers(1, 6)), size, units),
        keeps=False,
        time_major=bool(rng.integers(2)),
        clip=float(rng.choice([0.0, 0.0, 0.25, 3.0])),
        x=(scale_x, _point(rng)),
        y=(scale_y / 60, _point(rng)),
        cell=int(rng.integers(-27, 3)) if rng.random() < 0.3 else int(rng.integers(-15, -8)),
        weights=(float(largest[0]), float(largest[1])),
        fill=int(rng.choice([-128, 127])) if rng.random() < 0.1 else None,
        samples=1,
    )


def _point(rng: np.random.Generator) -> int:
    return int(rng.choice([-128, 127, 0, int(rng.integers(-128, 128))]))
