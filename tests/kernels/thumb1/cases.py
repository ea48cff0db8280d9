"""Random one-operator models for thumb-1's kernels: shapes, weights, zero_points and clamps of all kinds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mcu_quant.ir import QuantParams
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from tests.ops.driver import Case, activation, linear_case

_ACTIVATIONS = ("none", "relu", "relu6", "none", "relu", "relu_n1_to_1")


def random_cases(seed: int, count: int, *, samples: int = 4) -> list[Case]:
    """Convolutions, pointwise and depthwise ones, fully connected, sums: in turn."""
    makers = (convolution, pointwise, depthwise, fully_connected, depthwise, one_channel, random_sum)
    return [
        replace(makers[i % len(makers)](np.random.default_rng([seed, i]), f"{seed}_{i}"), samples=samples)
        for i in range(count)
    ]


def convolution(rng: np.random.Generator, name: str) -> Case:
    h, w, c = _sizes(rng, 9, 8), _sizes(rng, 8, 8), int(rng.choice([1, 2, 3, 4, 5, 8, 12, 35]))
    attrs = Conv2DAttrs(**_window(rng))
    filter_h, filter_w = _filter(rng, h), _filter(rng, w)
    weights = (_channels(rng, 4), filter_h, filter_w, c)
    return _linear(rng, name, "conv_2d", attrs, (1, h, w, c), weights)


def pointwise(rng: np.random.Generator, name: str) -> Case:
    c = int(rng.choice([1, 3, 4, 7, 8, 16, 24, 37, 40, 68, 72]))
    attrs = Conv2DAttrs(activation=str(rng.choice(_ACTIVATIONS)))
    shape = (1, _sizes(rng, 6, 5), _sizes(rng, 6, 5), c)
    return _linear(rng, name, "conv_2d", attrs, shape, (_channels(rng, 6), 1, 1, c))


def depthwise(rng: np.random.Generator, name: str) -> Case:
    h, w, c = _sizes(rng, 16, 9), _sizes(rng, 8, 8), int(rng.integers(1, 7))
    if rng.random() < 0.2:
        h, w, c = int(rng.integers(40, 56)), int(rng.choice([3, 60])), 1
    attrs = DepthwiseConv2DAttrs(**_window(rng))
    weights = (1, min(_filter(rng, h) if rng.random() < 0.3 else 3, h), min(3, w), c)
    return _linear(rng, name, "depthwise_conv_2d", attrs, (1, h, w, c), weights)


def one_channel(rng: np.random.Generator, name: str) -> Case:
    """A depthwise convolution of one input channel, which is a convolution."""
    attrs = DepthwiseConv2DAttrs(**_window(rng))
    h, w = _sizes(rng, 9, 8), _sizes(rng, 8, 8)
    weights = (1, _filter(rng, h), _filter(rng, w), _channels(rng, 4))
    return _linear(rng, name, "depthwise_conv_2d", attrs, (1, h, w, 1), weights)


def fully_connected(rng: np.random.Generator, name: str) -> Case:
    size = int(rng.choice([1, 2, 5, 8, 12, 31, 64, 100, 222, 300]))
    attrs = FullyConnectedAttrs(activation=str(rng.choice(_ACTIVATIONS)))
    rows = int(rng.integers(1, 4))
    return _linear(rng, name, "fully_connected", attrs, (rows, size), (_channels(rng, 6), size))


def random_sum(rng: np.random.Generator, name: str) -> Case:
    shape = (1, int(rng.integers(12, 15)), int(rng.integers(9, 11)), int(rng.integers(10, 13)))
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
    gain = float(rng.choice([0.2, 1, 1, 3, 30]))
    per_channel, bias = bool(rng.random() < 0.8), bool(rng.random() < 0.8)
    case = linear_case(
        name,
        op,
        attrs,
        shape,
        weights,
        zero_points=zero_points,
        gain=gain,
        per_channel=per_channel,
        bias=bias,
    )
    return replace(case, inputs=(case.inputs[0], _with_weights(rng, case), *case.inputs[2:]))


def _with_weights(rng: np.random.Generator, case: Case) -> Any:
    """Random ones, small ones, or the largest there are."""
    weights = case.inputs[1]
    assert weights is not None and weights.data is not None
    kind = rng.integers(4)
    data = weights.data
    if kind == 1:
        data = rng.integers(-90, 80, data.shape).astype(np.int8)
    elif kind == 2:
        data = rng.choice(np.array([-127, 127], np.int8), data.shape)
    elif kind == 3:
        data = np.where(rng.random(data.shape) < 0.03, np.int8(-128), data // 4)
    return replace(weights, data=data.astype(np.int8))


def _channels(rng: np.random.Generator, most: int) -> int:
    """Fours, as a rule."""
    return 4 * int(rng.integers(1, most)) - int(rng.choice([0, 0, 0, 1, 2, 3]))


def _window(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "strides": (int(rng.choice([1, 1, 2, 3])), int(rng.choice([1, 1, 2, 3]))),
        "padding": str(rng.choice(["same", "valid"])),
        "activation": str(rng.choice(_ACTIVATIONS)),
    }


def _sizes(rng: np.random.Generator, most: int, usual: int) -> int:
    return int(rng.integers(1, most + 1)) if rng.random() < 0.5 else usual


def _filter(rng: np.random.Generator, size: int) -> int:
    return int(min(size, rng.choice([1, 2, 3, 3, 4, 5])))
