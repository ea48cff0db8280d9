"""Random transposed convolutions and products of matrices."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.batch_matmul import BatchMatmulAttrs
from mcu_quant.ops.transpose_conv import TransposeConvAttrs
from tests.ops.driver import Case, linear_case
from tests.ops.elementwise import binary_case

_ACTIVATIONS = ("none", "none", "relu", "relu6", "relu_n1_to_1")
_SIZES = (1, 2, 3, 4, 5, 7, 8, 12, 17, 33)


def random_transposed(index: int) -> Case:
    """Small maps; outputs of the size that the strides give, or of any."""
    rng = np.random.default_rng([5, index])
    height, width, filter_h, filter_w = (int(size) for size in rng.integers(1, 6, 4))
    strides = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    made = (height * strides[0], width * strides[1])
    if index % 3 == 0:
        made = (int(rng.integers(1, 12)), int(rng.integers(1, 12)))
    channels, outputs = int(rng.choice(_SIZES)), int(rng.choice(_SIZES))
    padding, activation = str(rng.choice(["same", "valid"])), str(rng.choice(_ACTIVATIONS))
    return linear_case(
        f"transposed {index}",
        "transpose_conv",
        TransposeConvAttrs(made, strides, padding, activation),
        (1, height, width, channels),
        (outputs, filter_h, filter_w, channels),
        zero_points=(_point(rng), _point(rng)),
        per_channel=bool(rng.integers(2)),
        bias=rng.random() < 0.8,
        gain=float(np.exp(rng.uniform(-1, 2))),
        samples=1,
    )


def random_product(index: int) -> Case:
    """All ways in which matrices lie, batches that repeat, a constant second operand."""
    rng = np.random.default_rng([6, index])
    rows, depth, columns = (int(size) for size in rng.choice(_SIZES, 3))
    batch = tuple(int(size) for size in rng.integers(1, 4, index % 3))
    parts = [tuple(1 if rng.random() < 0.3 else size for size in batch) for _ in "ab"]
    attrs = BatchMatmulAttrs(index % 4 == 0, bool(rng.integers(2)))
    a = (depth, rows) if attrs.adj_x else (rows, depth)
    b = (columns, depth) if attrs.adj_y else (depth, columns)
    scales = [float(scale) for scale in np.exp(rng.uniform(-5, 0, 2))]
    scale = scales[0] * scales[1] * 100 * float(np.sqrt(depth) * np.exp(rng.uniform(-2, 1)))
    return binary_case(
        f"product {index}",
        "batch_matmul",
        attrs,
        (1, *parts[0], *a),
        (1, *parts[1], *b),
        schemes=((scales[0], _point(rng)), (scales[1], _point(rng)), (scale, _point(rng))),
        constant=1 if rng.random() < 0.3 else None,
        samples=1,
    )


def _point(rng: np.random.Generator) -> int:
    return int(rng.choice([-128, 127, 0, rng.integers(-128, 128)]))
