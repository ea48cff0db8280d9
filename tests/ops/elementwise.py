"""Cases of element-wise operators: all 256 inputs of unary ones, operands that broadcast for binary ones."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from tests.ops.driver import Case, activation

ALL_BYTES = np.arange(256, dtype=np.uint8)
Scheme = tuple[float, int]


def random_schemes(
    seed: int, count: int, low: float = 1e-3, high: float = 1.0
) -> list[tuple[Scheme, Scheme]]:
    """(scale, zero_point) of an input and of an output whose scales are within a factor of 8."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(count):
        scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        other = scale * float(2.0 ** rng.uniform(-3, 3))
        pairs.append(((scale, int(rng.integers(-128, 128))), (other, int(rng.integers(-128, 128)))))
    return pairs


def every_input(name: str, op: str, attrs: Any, x: Scheme, y: Scheme, **options: Any) -> Case:
    """A unary operator on all int8 values at once."""
    data = ALL_BYTES.view(np.int8).reshape(1, 1, 256)
    output = QuantParams.per_tensor(*y)
    return Case(name, op, attrs, (activation("x", (1, 256), *x),), output, data=(data,), **options)


def binary_case(
    name: str,
    op: str,
    attrs: Any,
    first: Sequence[int],
    second: Sequence[int],
    *,
    schemes: tuple[Scheme, Scheme, Scheme] = ((0.05, 3), (0.02, -7), (0.06, 11)),
    constant: int | None = None,
    **options: Any,
) -> Case:
    """Two operands of those shapes. schemes: of both and the output. constant: the operand that is one."""
    rng = np.random.default_rng(zlib.crc32(name.encode()) + 1)
    operands = []
    for index, shape in enumerate((first, second)):
        scheme, label = schemes[index], "ab"[index]
        if index == constant:
            data = rng.integers(-128, 128, shape).astype(np.int8)
            operands.append(Tensor.constant(label, data, QuantParams.per_tensor(*scheme)))
        else:
            operands.append(activation(label, shape, *scheme))
    return Case(name, op, attrs, tuple(operands), QuantParams.per_tensor(*schemes[2]), **options)


#: name: shapes of two operands, and which one is constant.
SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], int | None]] = {
    "same": ((1, 5, 3, 7), (1, 5, 3, 7), None),
    "one_element": ((1, 1), (1, 1), None),
    "channels": ((1, 5, 3, 7), (1, 1, 1, 7), None),
    "channels_first_operand": ((1, 1, 1, 7), (1, 5, 3, 7), None),
    "rows": ((1, 5, 3, 7), (1, 5, 1, 1), None),
    "outer_product": ((1, 5, 1, 7), (1, 1, 3, 1), None),
    "lower_rank": ((1, 4, 6), (6,), 1),
    "constant": ((1, 5, 3, 7), (1, 5, 3, 7), 1),
    "constant_first": ((1, 5, 3, 7), (1, 5, 3, 7), 0),
    "constant_channels": ((1, 5, 3, 7), (7,), 1),
    "scalar": ((1, 5, 3, 7), (1,), 1),
    "scalar_first": ((1,), (1, 9), 0),
    "rank_0": ((1, 9), (), 1),
    "alternating": ((1, 2, 1, 3, 1, 2), (1, 1, 4, 1, 3, 2), None),
}


def shape_cases(op: str, attrs: Any, **options: Any) -> list[Case]:
    """Every way of broadcasting."""
    return [binary_case(name, op, attrs, a, b, constant=c, **options) for name, (a, b, c) in SHAPES.items()]


def random_triples(seed: int, count: int, *, product: bool = False) -> list[tuple[Scheme, Scheme, Scheme]]:
    """Schemes of two operands and their sum, or their product, whose range about fits the output's."""
    rng = np.random.default_rng(seed)
    triples = []
    for _ in range(count):
        a, b = (float(np.exp(rng.uniform(np.log(1e-4), np.log(4.0)))) for _ in range(2))
        y = (a * b * 64 if product else max(a, b)) * float(2.0 ** rng.uniform(-3, 2))
        zero_points = rng.integers(-128, 128, 3).tolist()
        triples.append(((a, zero_points[0]), (b, zero_points[1]), (y, zero_points[2])))
    return triples


def without_0(case: Case) -> Case:
    """No operand is 0, neither the integer nor the number that it stands for."""
    inputs, data = [], []
    samples = iter(case.samples_of_inputs())
    for tensor in case.inputs:
        assert tensor is not None
        values = (next(samples) if tensor.data is None else tensor.data).copy()
        for zero in (tensor.zero_point, 0, tensor.zero_point):
            values[values == zero] = zero + 1 if zero < 100 else zero - 1
        if tensor.data is None:
            data.append(values)
        inputs.append(tensor if tensor.data is None else replace(tensor, data=values))
    return replace(case, inputs=tuple(inputs), data=tuple(data))
