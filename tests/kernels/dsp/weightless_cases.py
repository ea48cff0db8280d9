"""Random one-operator models for the kernels without weights: pooling and operators of two operands."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.pooling import Pool2DAttrs
from tests.ops.driver import Case, unary_case

_ACTIVATIONS = ("none", "none", "none", "relu", "relu6", "relu_n1_to_1")


def random_max_pool(index: int) -> Case:
    """Any windows, cut ones too; every second one small, which is straight-line code."""
    rng = np.random.default_rng([1, index])
    height, width = (int(size) for size in rng.integers(1, 15, 2))
    size = (int(rng.integers(1, height + 1)), int(rng.choice([width, rng.integers(1, width + 1)])))
    if index % 2:
        size = (min(size[0], int(rng.integers(1, 4))), min(size[1], int(rng.integers(1, 4))))
    attrs = Pool2DAttrs(
        filter_size=size,
        strides=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        padding=str(rng.choice(["same", "valid"])),
        activation=str(rng.choice(_ACTIVATIONS)),
    )
    channels = int(rng.choice([4, 8, 16, *rng.integers(1, 24, 6)]))
    x = (0.05, int(rng.choice([-128, 127, 0, rng.integers(-128, 128)])))
    shape = (1, height, width, channels)
    return unary_case(f"max_pool {index}", "max_pool_2d", attrs, shape, x=x, samples=2)
