"""Random one-operator cases for each kernel of the family, inside its domain and at its edges."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import numpy as np

from mcu_quant.ir import QuantParams
from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import Kernel
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from tests.ops.driver import Case, activation, linear_case, unary_case

Maker = Callable[[np.random.Generator, str], Case]
ACTIVATIONS = ("none", "none", "relu", "relu6")


def kernel_named(name: str) -> Kernel:
    return next(kernel for kernel in KERNELS if kernel.name == name)


def random_cases(kernel: Kernel, maker: Maker, count: int, first_seed: int = 0) -> Iterator[Case]:
    """`count` cases that the kernel takes."""
    seed = first_seed
    while count:
        name = f"{kernel.name}_{maker.__name__}_{seed}"
        case = maker(np.random.default_rng(zlib.crc32(name.encode())), name)
        seed += 1
        assert seed < first_seed + 50 * (count + 10), (
            f"{kernel.name} refuses nearly everything of {maker.__name__}"
        )
        if kernel.refusal(case.node()) is None:
            count -= 1
            yield case


def _pick(rng: np.random.Generator, *values: int) -> int:
    return int(rng.choice(values))


def _options(rng: np.random.Generator) -> dict[str, object]:
    zero_points = (int(rng.integers(-128, 128)), _pick(rng, -128, -128, 127, int(rng.integers(-128, 128))))
    return {
        "zero_points": zero_points,
        "per_channel": bool(rng.integers(2)),
        "bias": bool(rng.integers(4)),
        "gain": float(rng.choice([0.3, 1.0, 3.0])),
        "samples": 3,
    }


def _linear(
    rng: np.random.Generator,
    name: str,
    op: str,
    shape: tuple[int, ...],
    weights: tuple[int, ...],
    strides: tuple[int, int] = (1, 1),
) -> Case:
    padding = str(rng.choice(["same", "valid"]))
    if padding == "valid":
        shape = (shape[0], max(shape[1], weights[1]), max(shape[2], weights[2]), shape[3])
    shape, weights = tuple(map(int, shape)), tuple(map(int, weights))
    make = Conv2DAttrs if op == "conv_2d" else DepthwiseConv2DAttrs
    attrs = make(strides, padding, (1, 1), activation=str(rng.choice(ACTIVATIONS)))
    return linear_case(name, op, attrs, shape, weights, **_options(rng))


def pointwise(rng: np.random.Generator, name: str) -> Case:
    h, w = rng.integers(1, 8, 2)
    depth = _pick(rng, 4, 8, 12, 16, 20, 24, 32, 40, 64, 100, 256, 300, 520, int(rng.integers(1, 70)))
    channels = 4 * int(rng.integers(1, 9))
    stride = _pick(rng, 1, 1, 1, 2, 3)
    return _linear(rng, name, "conv_2d", (1, h, w, depth), (channels, 1, 1, depth), (stride, stride))


def spatial(rng: np.random.Generator, name: str) -> Case:
    h, w = rng.integers(1, 12, 2)
    filter_h, filter_w = rng.integers(1, 6, 2)
    depth = _pick(rng, 1, 2, 3, 4, 8, 16, 16, 32, 48, 80, int(rng.integers(1, 40)))
    channels = 4 * int(rng.integers(1, 7))
    strides = (_pick(rng, 1, 1, 2, 3), _pick(rng, 1, 1, 2, 3))
    return _linear(rng, name, "conv_2d", (1, h, w, depth), (channels, filter_h, filter_w, depth), strides)


def one_channel(rng: np.random.Generator, name: str) -> Case:
    h, w = rng.integers(1, 14, 2)
    filter_h, filter_w = rng.integers(1, 12), rng.integers(1, 6)
    channels = 4 * int(rng.integers(1, 7))
    strides = (_pick(rng, 1, 2, 3, 4), _pick(rng, 1, 2, 3))
    shape, weights = (1, h, w, 1), (1, filter_h, filter_w, channels)
    return _linear(rng, name, "depthwise_conv_2d", shape, weights, strides)


def narrow(rng: np.random.Generator, name: str) -> Case:
    h, w = rng.integers(2, 30), rng.integers(1, 8)
    filter_h, filter_w, depth = rng.integers(2, 13), rng.integers(1, 5), rng.integers(1, 4)
    channels = 4 * int(rng.integers(1, 9))
    strides = (_pick(rng, 1, 2, 2, 3, 4), _pick(rng, 1, 2))
    return _linear(rng, name, "conv_2d", (1, h, w, depth), (channels, filter_h, filter_w, depth), strides)


def depthwise(rng: np.random.Generator, name: str) -> Case:
    h, w = rng.integers(1, 14), rng.integers(1, 20)
    filter_h, filter_w = rng.choice([1, 2, 3, 3, 3, 4], 2)
    channels = _pick(rng, 3, 4, 5, 8, 8, 12, 16, 16, 20, 32, 40, int(rng.integers(1, 50)))
    strides = (_pick(rng, 1, 1, 2, 3), _pick(rng, 1, 1, 2, 3))
    shape, weights = (1, h, w, channels), (1, filter_h, filter_w, channels)
    return _linear(rng, name, "depthwise_conv_2d", shape, weights, strides)


def one_axis(rng: np.random.Generator, name: str) -> Case:
    steps, taps = int(rng.integers(1, 60)), int(rng.integers(1, 17))
    channels = _pick(rng, 16, 16, 17, 24, 32, 40, 130)
    stride = _pick(rng, 1, 1, 1, 4, 8)
    shape, weights = (1, steps, 1, channels), (1, taps, 1, channels)
    strides = (stride, 1)
    if rng.integers(2):
        shape, weights, strides = (1, 1, steps, channels), (1, 1, taps, channels), (1, stride)
    return _linear(rng, name, "depthwise_conv_2d", shape, weights, strides)


def fully_connected(rng: np.random.Generator, name: str) -> Case:
    size = _pick(rng, 8, 16, 17, 64, 160, 161, 176, 177, 256, 640, int(rng.integers(16, 300)))
    units, rows = int(rng.integers(1, 40)), _pick(rng, 1, 1, 1, 3)
    attrs = FullyConnectedAttrs(activation=str(rng.choice(ACTIVATIONS)))
    return linear_case(name, "fully_connected", attrs, (rows, size), (units, size), **_options(rng))


def whole_window(rng: np.random.Generator, name: str) -> Case:
    h, w, depth = (int(n) for n in rng.integers(1, 7, 3))
    attrs = Conv2DAttrs(padding="valid", activation=str(rng.choice(ACTIVATIONS)))
    weights = (int(rng.integers(1, 20)), h, w, depth)
    return linear_case(name, "conv_2d", attrs, (1, h, w, depth), weights, **_options(rng))


def addition(rng: np.random.Generator, name: str) -> Case:
    shape = (1, *(int(n) for n in rng.integers(1, 9, 3)))
    first = float(rng.uniform(0.01, 0.1))
    second = first * float(rng.choice([1.0, 1.0, 0.5, *rng.uniform(0.05, 20.0, 2)]))
    points = rng.integers(-128, 128, 3)
    operands = [
        activation(n, shape, s, int(z)) for n, s, z in zip("ab", (first, second), points, strict=False)
    ]
    scale = (first + second) * float(rng.choice([0.2, 1.0, 3.0]))
    output = QuantParams.per_tensor(scale, _pick(rng, -128, int(points[2])))
    return Case(
        name, "add", ArithmeticAttrs(str(rng.choice(ACTIVATIONS))), tuple(operands), output, samples=3
    )


def average_pool(rng: np.random.Generator, name: str) -> Case:
    filters = (int(rng.integers(1, 8)), int(rng.integers(1, 8)))
    h, w = (f + int(rng.integers(0, 6)) for f in filters)
    strides = (_pick(rng, 1, 2, 3), _pick(rng, 1, 2, 3))
    attrs = Pool2DAttrs(filters, strides, "valid", str(rng.choice(ACTIVATIONS)))
    return unary_case(name, "average_pool_2d", attrs, (1, h, w, 8 * int(rng.integers(1, 9))), samples=3)


def max_pool(rng: np.random.Generator, name: str) -> Case:
    h, w = (int(n) for n in rng.integers(1, 12, 2))
    filters = (int(rng.integers(1, h + 1)), int(rng.integers(1, w + 1)))
    if rng.integers(2):
        filters = (min(filters[0], 3), min(filters[1], 3))
    strides = (_pick(rng, 1, 2, 3), _pick(rng, 1, 2, 3))
    attrs = Pool2DAttrs(filters, strides, str(rng.choice(["same", "valid"])), str(rng.choice(ACTIVATIONS)))
    channels = _pick(rng, 1, 3, 15, 16, 17, 32, 40, 127, 128, int(rng.integers(1, 60)))
    x = (0.05, _pick(rng, -128, 127, int(rng.integers(-128, 128))))
    return unary_case(name, "max_pool_2d", attrs, (1, h, w, channels), x=x, samples=3)


def product(rng: np.random.Generator, name: str) -> Case:
    """Operands of one shape, or the one or the other repeated along some axes."""
    full = (1, *(int(n) for n in rng.integers(1, 20, 3)))
    keep = rng.random(4) < float(rng.choice([0.0, 0.5, 1.0]))
    other = tuple(n if kept else 1 for n, kept in zip(full, keep, strict=True))
    first, second = (float(scale) for scale in rng.uniform(0.01, 0.1, 2))
    points = [_pick(rng, -128, 127, int(rng.integers(-128, 128))) for _ in range(3)]
    operands = [activation("a", full, first, points[0]), activation("b", other, second, points[1])]
    if rng.integers(2):
        operands.reverse()
    scale = first * second * float(rng.choice([3.0, 40.0, 120.0]))
    output = QuantParams.per_tensor(scale, points[2])
    attrs = ArithmeticAttrs(str(rng.choice(ACTIVATIONS)))
    return Case(name, "mul", attrs, tuple(operands), output, samples=3)


#: Kernel to what makes cases for it.
MAKERS: dict[str, tuple[Maker, ...]] = {
    "conv_2d_s8_mve": (pointwise, spatial, one_channel),
    "conv_2d_columns_s8_mve": (narrow, one_channel),
    "depthwise_conv_2d_s8_mve": (depthwise,),
    "depthwise_conv_1d_s8_mve": (one_axis,),
    "fully_connected_s8_mve": (fully_connected, whole_window),
    "add_s8_mve": (addition,),
    "mul_s8_mve": (product,),
    "average_pool_2d_s8_mve": (average_pool,),
    "max_pool_2d_s8_mve": (max_pool,),
}
PAIRS = [(kernel, maker) for kernel, makers in MAKERS.items() for maker in makers]
