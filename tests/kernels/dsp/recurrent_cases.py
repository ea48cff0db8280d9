"""Random recurrent layers of our own: gru and simple_rnn."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.gru import GruAttrs
from mcu_quant.ops.simple_rnn import SimpleRnnAttrs
from tests.ops.driver import Case
from tests.ops.recurrent import recurrent_case

_SIZES = (1, 2, 3, 4, 5, 7, 8, 12, 17, 33)


def random_gru(rng: np.random.Generator, name: str) -> Case:
    return _case(rng, name, "gru", GruAttrs(bool(rng.integers(2))))


def random_simple_rnn(rng: np.random.Generator, name: str) -> Case:
    return _case(rng, name, "simple_rnn", SimpleRnnAttrs())


def _case(rng: np.random.Generator, name: str, op: str, attrs: object) -> Case:
    """All ends of the zero_points, weights alike, gates that are all or nothing, outputs that saturate."""
    columns, units = (int(size) for size in rng.choice(_SIZES, 2))
    scale_x, scale_y = (float(scale) for scale in np.exp(rng.uniform(-6, 0, 2)))
    largest = np.exp(rng.uniform(-2, 2, 2))
    return recurrent_case(
        name,
        op,
        attrs,
        (int(rng.integers(1, 6)), columns, units),
        x=(scale_x, _point(rng)),
        y=(scale_y / 60, _point(rng)),
        weights=(float(largest[0]), float(largest[1])),
        per_channel=bool(rng.integers(2)),
        biases=str(rng.choice(["both", "both", "input", "none"])),
        fill=int(rng.choice([-128, 127])) if rng.random() < 0.1 else None,
        samples=1,
    )


def _point(rng: np.random.Generator) -> int:
    return int(rng.choice([-128, 127, 0, int(rng.integers(-128, 128))]))
