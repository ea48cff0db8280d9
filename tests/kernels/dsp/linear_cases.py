"""Random convolutions and fully connected layers for the kernels of the DSP extension."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from tests.ops.driver import Case, linear_case

_ACTIVATIONS = ("none", "none", "relu", "relu6", "relu_n1_to_1")


def random_convolution(index: int, samples: int = 1) -> Case:
    """Small maps, all strides and dilations, few and many channels; every fourth one pointwise."""
    rng = np.random.default_rng(index)
    channels = int(rng.choice([1, 2, 3, 4, 5, 8, 12, 16, 20, 33, 64]))
    outputs = int(rng.choice([1, 2, 3, 4, 6, 7, 8, 12, 16, 31, 32]))
    filter_h, filter_w = (1, 1) if index % 4 == 0 else map(int, rng.integers(1, 6, 2))
    strides = (1, 1) if rng.random() < 0.5 else tuple(map(int, rng.integers(1, 4, 2)))
    dilation = (1, 1) if rng.random() < 0.6 else tuple(map(int, rng.integers(1, 4, 2)))
    padding = str(rng.choice(["same", "valid"]))
    least = [(f - 1) * d + 1 for f, d in zip((filter_h, filter_w), dilation, strict=True)]
    height, width = (int(rng.integers(low if padding == "valid" else 1, low + 9)) for low in least)
    attrs = Conv2DAttrs(strides, padding, dilation, str(rng.choice(_ACTIVATIONS)))
    return linear_case(
        f"convolution_{index}",
        "conv_2d",
        attrs,
        (1, height, width, channels),
        (outputs, filter_h, filter_w, channels),
        samples=samples,
        **_options(rng),
    )


def random_winograd(index: int, samples: int = 1) -> Case:
    """3x3 at stride 1 with whole words of channels: whole tiles and cut ones."""
    rng = np.random.default_rng(2000 + index)
    channels, outputs = int(rng.choice([4, 8, 12, 16, 32, 64, 128])), int(rng.choice([4, 8, 16, 32]))
    height, width = map(int, rng.integers(3, 12, 2))
    attrs = Conv2DAttrs(padding=str(rng.choice(["same", "valid"])), activation=str(rng.choice(_ACTIVATIONS)))
    return linear_case(
        f"winograd_{index}",
        "conv_2d",
        attrs,
        (1, height, width, channels),
        (outputs, 3, 3, channels),
        samples=samples,
        **_options(rng),
    )


def random_fully_connected(index: int, samples: int = 1) -> Case:
    rng = np.random.default_rng(1000 + index)
    size = int(rng.choice([1, 3, 4, 8, 12, 20, 31, 64, 68, 100, 128, 260, 640]))
    units = int(rng.choice([1, 2, 3, 4, 5, 8, 10, 12, 33, 64]))
    rows = int(rng.choice([1, 1, 2, 3]))
    attrs = FullyConnectedAttrs(activation=str(rng.choice(_ACTIVATIONS)))
    return linear_case(
        f"fully_connected_{index}",
        "fully_connected",
        attrs,
        (rows, size),
        (units, size),
        samples=samples,
        **_options(rng),
    )


def _options(rng: np.random.Generator) -> dict:
    fill = -128 if rng.random() < 0.05 else None
    ends = (-128, -128, 127, int(rng.integers(-128, 128)), int(rng.integers(-128, 128)))
    return {
        "zero_points": (int(rng.choice(ends)), int(rng.choice(ends))),
        "per_channel": bool(rng.random() < 0.8),
        "bias": bool(rng.random() < 0.9),
        "gain": float(np.exp(rng.normal() * 1.5)),
        "fill": fill,
    }
