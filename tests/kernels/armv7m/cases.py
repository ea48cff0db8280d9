"""Random one-operator models for armv7m's kernels: shapes, weights, zero_points and clamps of all kinds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from tests.ops.driver import Case, activation, linear_case

_ACTIVATIONS = ("none", "relu", "relu6", "none", "relu", "relu_n1_to_1")


def random_cases(seed: int, count: int, *, samples: int = 3) -> list[Case]:
    """Convolutions, depthwise ones, fully connected, sums: in turn."""
    makers = (convolution, depthwise, fully_connected, pointwise, depthwise, line, random_sum)
    return [
        replace(makers[i % len(makers)](np.random.default_rng([seed, i]), f"{seed}_{i}"), samples=samples)
        for i in range(count)
    ]


def convolution(rng: np.random.Generator, name: str) -> Case:
    h, w = _sizes(rng), _sizes(rng)
    channels = int(rng.choice([1, 2, 3, 4, 5, 8, 12, 23]))
    weights = (int(rng.integers(1, 14)), _filter(rng, h), _filter(rng, w), channels)
    return _linear(rng, name, "conv_2d", Conv2DAttrs(**_window(rng, h, w)), (1, h, w, channels), weights)


def pointwise(rng: np.random.Generator, name: str) -> Case:
    channels = int(rng.choice([1, 3, 7, 8, 16, 31, 63, 64, 65, 90, 96, 129, 200]))
    attrs = Conv2DAttrs(activation=str(rng.choice(_ACTIVATIONS)))
    shape = (1, _sizes(rng), _sizes(rng), channels)
    return _linear(rng, name, "conv_2d", attrs, shape, (int(rng.integers(1, 18)), 1, 1, channels))


def depthwise(rng: np.random.Generator, name: str) -> Case:
    h, w, channels = _sizes(rng, 14), _sizes(rng, 11), int(rng.integers(1, 7))
    multiplier = int(rng.choice([1, 1, 1, 2, 5]))
    weights = (1, _filter(rng, h), _filter(rng, w), channels * multiplier)
    attrs = DepthwiseConv2DAttrs(**_window(rng, h, w))
    return _linear(rng, name, "depthwise_conv_2d", attrs, (1, h, w, channels), weights)


def line(rng: np.random.Generator, name: str) -> Case:
    """A depthwise convolution along one axis, or of rows that are far apart."""
    size, channels = int(rng.integers(2, 40)), int(rng.integers(1, 5))
    taps = int(rng.integers(1, min(size, 16)))
    attrs = DepthwiseConv2DAttrs(padding=str(rng.choice(["same", "valid"])))
    if rng.random() < 0.2:
        shape, weights = (1, 9, 110, 11), (1, 3, 3, 11)
    elif rng.random() < 0.4:
        shape, weights = (1, int(rng.integers(20, 50)), int(rng.integers(30, 70)), 2), (1, 3, 3, 2)
        attrs = replace(attrs, strides=(int(rng.integers(1, 4)), int(rng.integers(1, 3))))
    elif rng.random() < 0.5:
        shape, weights = (1, size, 1, channels), (1, taps, 1, channels)
    else:
        shape, weights = (1, 1, size, channels), (1, 1, taps, channels)
    return _linear(rng, name, "depthwise_conv_2d", attrs, shape, weights)


def fully_connected(rng: np.random.Generator, name: str) -> Case:
    size = int(rng.choice([1, 2, 5, 8, 31, 32, 33, 60, 64, 65, 95, 100, 222, 300]))
    attrs = FullyConnectedAttrs(activation=str(rng.choice(_ACTIVATIONS)))
    units, rows = int(rng.integers(1, 22)), int(rng.integers(1, 4))
    return _linear(rng, name, "fully_connected", attrs, (rows, size), (units, size))


def random_sum(rng: np.random.Generator, name: str) -> Case:
    shape = (1, _sizes(rng), _sizes(rng), int(rng.integers(1, 9)))
    first, second, output = np.exp(rng.uniform(-4, 0, 3)).tolist()
    if rng.random() < 0.3:
        second = output = first
    zero_points = [int(z) for z in rng.choice([-128, -5, 0, 33, 127], 3)]
    return Case(
        name,
        str(rng.choice(["add", "sub"])),
        ArithmeticAttrs(str(rng.choice(_ACTIVATIONS))),
        (activation("a", shape, first, zero_points[0]), activation("b", shape, second, zero_points[1])),
        QuantParams.per_tensor(output, zero_points[2]),
    )


def _linear(
    rng: np.random.Generator,
    name: str,
    op: str,
    attrs: Any,
    shape: tuple[int, ...],
    weights: tuple[int, ...],
) -> Case:
    zero_points = (int(rng.choice([-128, -128, 127, 0, 11])), int(rng.choice([-128, -128, 127, -7, 40])))
    case = linear_case(
        name,
        op,
        attrs,
        shape,
        weights,
        zero_points=zero_points,
        gain=float(rng.choice([0.2, 1, 1, 3, 30])),
        per_channel=bool(rng.random() < 0.8),
        bias=bool(rng.random() < 0.8),
    )
    return replace(case, inputs=(case.inputs[0], _with_weights(rng, case), *case.inputs[2:]))


def _with_weights(rng: np.random.Generator, case: Case) -> Tensor:
    """Random ones, smaller ones, the largest there are, or mostly small ones and a few of -128."""
    weights = case.inputs[1]
    assert weights is not None and weights.data is not None
    data = weights.data
    kind = rng.integers(5)
    if kind == 1:
        most = int(rng.choice([31, 42, 63, 85]))
        data = rng.integers(-most, most + 1, data.shape)
    elif kind == 2:
        data = rng.choice(np.array([-127, 127]), data.shape)
    elif kind == 3:
        data = np.where(rng.random(data.shape) < 0.05, -128, data // 8)
    return replace(weights, data=data.astype(np.int8))


def _window(rng: np.random.Generator, h: int, w: int) -> dict[str, Any]:
    dilation = (int(rng.integers(1, 3)), int(rng.integers(1, 3))) if rng.random() < 0.15 else (1, 1)
    strides = (1, 1) if dilation != (1, 1) else (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    return {
        "strides": strides if rng.random() < 0.6 else (1, 1),
        "dilation": dilation,
        "padding": "same" if dilation != (1, 1) else str(rng.choice(["same", "valid"])),
        "activation": str(rng.choice(_ACTIVATIONS)),
    }


def _sizes(rng: np.random.Generator, most: int = 9) -> int:
    return int(rng.integers(1, most + 1))


def _filter(rng: np.random.Generator, size: int) -> int:
    return int(min(size, rng.choice([1, 2, 3, 3, 4, 5])))
