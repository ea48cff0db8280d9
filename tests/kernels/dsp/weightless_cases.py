"""Random one-operator models for the kernels without weights: pooling and operators of two operands."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from tests.ops.driver import Case, activation, unary_case

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


def random_binary(index: int) -> Case:
    """Sums, differences and products; operands of one shape or that broadcast, either one, constants too."""
    rng = np.random.default_rng([2, index])
    op = ("add", "sub", "mul")[index % 3]
    full = (1, *(int(n) for n in rng.integers(1, 9, 3)))
    other = tuple(
        1 if axis == 0 or drop else n
        for axis, (n, drop) in enumerate(zip(full, rng.random(4) < rng.choice([0, 0.4, 1]), strict=True))
    )
    if rng.random() < 0.2:
        other = other[3:] if other[:3] == (1, 1, 1) else other
    scales = [float(scale) for scale in np.exp(rng.uniform(-5, 0, 2))]
    if rng.random() < 0.3:
        scales[1] = scales[0] * float(rng.choice([1.0, 0.5, 2.0]))
    points = [int(rng.choice([-128, 127, 0, rng.integers(-128, 128)])) for _ in range(3)]
    operands: list[Tensor] = [
        activation(n, s, scale, z)
        for n, s, scale, z in zip("ab", (full, other), scales, points, strict=False)
    ]
    if rng.random() < 0.3:
        values = rng.integers(-128, 128, other).astype(np.int8)
        operands[1] = Tensor.constant("b", values, QuantParams.per_tensor(scales[1], points[1]))
    if rng.random() < 0.5:
        operands.reverse()
    return binary_case(
        f"{op} {index}",
        op,
        operands,
        points[2],
        float(np.exp(rng.uniform(-1, 3))),
        str(rng.choice(_ACTIVATIONS)),
    )


def binary_case(
    name: str,
    op: str,
    operands: list[Tensor],
    zero_point: int,
    gain: float,
    activation: str = "none",
    **options: Any,
) -> Case:
    """gain: by how much the operands' range is larger than the output's."""
    scales = [operand.scale for operand in operands]
    reach = 128 * 128 * scales[0] * scales[1] if op == "mul" else 128 * sum(scales)
    output = QuantParams.per_tensor(reach / 128 / gain, zero_point)
    return Case(name, op, ArithmeticAttrs(activation), tuple(operands), output, samples=2, **options)


def every_pair(index: int) -> Case:
    """All 65,536 pairs of bytes."""
    rng = np.random.default_rng([3, index])
    op = ("add", "sub", "mul")[index % 3]
    scales, points = np.exp(rng.uniform(-4, 0, 2)), rng.choice([-128, 127, 0, -17, 45], 3)
    shape = (1, 256, 256)
    operands = [activation(n, shape, float(s), int(z)) for n, s, z in zip("ab", scales, points, strict=False)]
    byte = np.arange(-128, 128, dtype=np.int8)
    data = tuple(np.ascontiguousarray(x)[None, None] for x in np.meshgrid(byte, byte))
    gain = float(np.exp(rng.uniform(-1, 2)))
    return binary_case(
        f"pairs {index}", op, operands, int(points[2]), gain, str(rng.choice(_ACTIVATIONS)), data=data
    )


def random_quantize(index: int) -> Case:
    """float32 to int8 or uint8: halves of steps, the numbers beside them, ends of float32, others."""
    rng = np.random.default_rng([4, index])
    scale = float(np.float32(np.exp(rng.uniform(-9, 3))))
    dtype = str(rng.choice(["int8", "uint8"]))
    limits = np.iinfo(dtype)
    halves = (rng.integers(-600, 600, 100) / 2).astype(np.float32) * np.float32(scale)
    beside = [np.nextafter(halves, np.float32(side)) for side in (-np.inf, np.inf)]
    far = np.float32([0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38, np.inf, -np.inf, np.nan, 1e9, -1e9])
    usual = (rng.normal(size=90) * 100 * scale).astype(np.float32)
    values = np.concatenate([halves, *beside, far, usual])
    data = np.resize(values, (5, 1, 82))  # as many samples as the other kernels' cases have
    x = Tensor("x", data.shape[1:])
    output = QuantParams.per_tensor(
        scale, int(rng.choice([limits.min, limits.max, rng.integers(limits.min, limits.max)]))
    )
    return Case(f"quantize {index}", "quantize", None, (x,), output, output_dtype=dtype, data=(data,))
