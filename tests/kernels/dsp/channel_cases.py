"""Random one-operator models for the kernels of the DSP extension that go channel by channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from tests.ops.driver import Case, activation, linear_case, unary_case

_ACTIVATIONS = ("none", "none", "relu", "relu", "relu6", "relu_n1_to_1")


def random_depthwise(index: int) -> Case:
    """3x3 filters mostly; others, lines along one axis, depth multipliers; wide and narrow images."""
    rng = np.random.default_rng([1, index])
    height, width = (int(size) for size in rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 24, 31], 2))
    taps = [int(min(rng.choice([1, 2, 3, 3, 3, 3, 5, 7]), size)) for size in (height, width)]
    if rng.random() < 0.3:  # a line
        height, taps = int(rng.integers(1, 40)), [int(rng.integers(1, 16)), 1]
        width, taps[0] = 1, min(taps[0], height)
        if rng.random() < 0.4:
            height, width, taps = width, height, taps[::-1]
    channels, multiplier = int(rng.integers(1, 14)), int(rng.choice([1, 1, 1, 1, 2, 3]))
    attrs = DepthwiseConv2DAttrs(
        strides=(int(rng.choice([1, 1, 1, 2, 2, 3])), int(rng.choice([1, 1, 1, 2, 2, 3]))),
        padding=str(rng.choice(["same", "same", "valid"])),
        activation=str(rng.choice(_ACTIVATIONS)),
    )
    zero_point = int(rng.choice([-128, -128, 127, 0, rng.integers(-128, 128)]))
    output_zero_point = -128 if attrs.activation == "relu" else int(rng.integers(-128, 128))
    case = linear_case(
        f"depthwise {index}",
        "depthwise_conv_2d",
        attrs,
        (1, height, width, channels),
        (1, *taps, channels * multiplier),
        zero_points=(zero_point, output_zero_point),
        per_channel=bool(rng.random() < 0.8),
        bias=bool(rng.random() < 0.8),
        gain=float(rng.choice([0.5, 1.0, 3.0, 20.0])),
        samples=2,
    )
    return _spread(case, rng) if rng.random() < 0.3 else case


def _spread(case: Case, rng: np.random.Generator) -> Case:
    """The same with channels whose scales are far apart, and some that hardly give anything."""
    x, weights, *bias = case.inputs
    assert weights is not None and weights.quant is not None
    if weights.quant.channel_axis is None:
        return case
    scales = np.array(weights.quant.scale) * np.exp2(-rng.integers(0, 14, len(weights.quant.scale)))
    quant = QuantParams.per_channel(scales.tolist(), 3)
    return replace(case, inputs=(x, replace(weights, quant=quant), *bias))


def random_dilated(index: int) -> Case:
    """Dilated along rows, columns or both; lines too."""
    rng = np.random.default_rng([5, index])
    taps, dilation = (tuple(map(int, rng.choice(c, 2))) for c in ([1, 2, 3, 3, 3, 4, 5], [1, 2, 2, 3, 4, 7]))
    size = [int(rng.integers((k - 1) * d + 1, (k - 1) * d + 12)) for k, d in zip(taps, dilation, strict=True)]
    if rng.random() < 0.3:  # a line
        axis = int(rng.integers(2))
        taps, size[axis] = (1, taps[1]) if axis == 0 else (taps[0], 1), 1
    channels, multiplier = int(rng.integers(1, 14)), int(rng.choice([1, 1, 1, 2]))
    strides = (1, 1) if rng.random() < 0.6 else tuple(map(int, rng.integers(1, 4, 2)))
    attrs = DepthwiseConv2DAttrs(
        strides=strides,
        padding=str(rng.choice(["same", "valid"])),
        dilation=dilation,
        activation=str(rng.choice(_ACTIVATIONS)),
    )
    zero_points = (int(rng.choice([-128, 127, rng.integers(-128, 128)])), int(rng.integers(-128, 128)))
    return linear_case(
        f"dilated {index}",
        "depthwise_conv_2d",
        attrs,
        (1, *size, channels),
        (1, *taps, channels * multiplier),
        zero_points=zero_points,
        gain=float(rng.choice([0.5, 1.0, 3.0])),
        samples=2,
    )


def random_large_filter(index: int) -> Case:
    """Filters of 5 to 7 rows over wide images, for which planes of four channels would take much."""
    rng = np.random.default_rng([6, index])
    taps = tuple(map(int, rng.choice([5, 6, 7], 2)))
    attrs = DepthwiseConv2DAttrs(
        strides=tuple(map(int, rng.choice([1, 2, 2, 3], 2))),
        padding=str(rng.choice(["same", "same", "valid"])),
        activation=str(rng.choice(_ACTIVATIONS)),
    )
    channels = int(rng.integers(4, 10))
    zero_points = (int(rng.choice([-128, 127, rng.integers(-128, 128)])), int(rng.integers(-128, 128)))
    return linear_case(
        f"large filter {index}",
        "depthwise_conv_2d",
        attrs,
        (1, int(rng.integers(7, 16)), int(rng.integers(20, 45)), channels),
        (1, *taps, channels),
        zero_points=zero_points,
        gain=float(rng.choice([0.5, 1.0, 3.0])),
        samples=2,
    )


def random_sum(index: int) -> Case:
    rng = np.random.default_rng([2, index])
    shape = (1, *(int(size) for size in rng.integers(1, 9, 3)))
    first, second, output = (float(scale) for scale in np.exp(rng.uniform(-4, 0, 3)))
    zero_points = [int(z) for z in rng.choice([-128, -5, 0, 33, 127], 3)]
    operands: list[Tensor] = [
        activation(name, shape, scale, zero_point)
        for name, scale, zero_point in zip("ab", (first, second), zero_points, strict=False)
    ]
    attrs = ArithmeticAttrs(activation=str(rng.choice(_ACTIVATIONS)))
    quant = QuantParams.per_tensor(output, zero_points[2])
    op = str(rng.choice(["add", "sub"]))
    return Case(f"{op} {index}", op, attrs, tuple(operands), quant, samples=2)


def random_pool(index: int) -> Case:
    rng = np.random.default_rng([3, index])
    height, width = (int(size) for size in rng.integers(1, 20, 2))
    attrs = Pool2DAttrs(
        filter_size=(int(rng.integers(1, height + 1)), int(rng.choice([width, rng.integers(1, width + 1)]))),
        strides=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        padding=str(rng.choice(["same", "valid"])),
        activation=str(rng.choice(_ACTIVATIONS)),
    )
    shape = (1, height, width, int(rng.integers(1, 14)))
    x = (0.05, int(rng.integers(-128, 128)))
    return unary_case(f"pool {index}", "average_pool_2d", attrs, shape, x=x, samples=2)


def random_mean(index: int) -> Case:
    rng = np.random.default_rng([4, index])
    shape = (1, *(int(size) for size in rng.integers(1, 20, 2)), int(rng.integers(1, 14)))
    axes = ((1, 2), (1,), (2,))[int(rng.integers(3))]
    attrs = ReductionAttrs(axes, keepdims=bool(rng.random() < 0.5))
    x, y = ((float(rng.uniform(0.02, 0.2)), int(rng.integers(-128, 128))) for _ in range(2))
    return unary_case(f"mean {index}", "mean", attrs, shape, x=x, y=y, samples=2)
