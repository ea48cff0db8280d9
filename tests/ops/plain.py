"""Cases of the form "plain": conditions and whole numbers, computed as they are."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops import OPERATORS
from tests.ops.driver import C_CHECKS, Case, equals_oracle
from tests.ops.elementwise import SHAPES

#: Of plain cases: there is no float meaning apart from the reference.
PLAIN_CHECKS = (equals_oracle, *C_CHECKS)
#: What a plain output has in place of a scale: nothing reads it.
UNUSED = QuantParams.per_tensor(1.0)


def plain_case(
    name: str,
    op: str,
    attrs: Any,
    shapes: Sequence[Sequence[int]],
    dtypes: str | Sequence[str] = "int32",
    *,
    constant: int | None = None,
    limit: int | None = None,
    **options: Any,
) -> Case:
    """Inputs of those shapes and types. constant: the input that is one.

    limit: of the values, in both directions; else any that the type holds, its extremes among them.
    """
    dtypes = [dtypes] * len(shapes) if isinstance(dtypes, str) else dtypes
    rng = np.random.default_rng(zlib.crc32(name.encode()) + 3)
    inputs, data = [], []
    for index, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True)):
        values = plain_values(rng, (5, *shape), dtype, limit)
        label = "abcd"[index]
        if index == constant:
            inputs.append(Tensor.constant(label, values[-1]))
        else:
            inputs.append(Tensor(label, tuple(shape), dtype))
            data.append(values)
    output = OPERATORS[op].output_type(attrs, dtypes)
    return Case(name, op, attrs, tuple(inputs), UNUSED, output_dtype=output, data=tuple(data), **options)


def plain_values(
    rng: np.random.Generator, shape: Sequence[int], dtype: str, limit: int | None = None
) -> np.ndarray:
    """[N, *shape]: a sample of the smallest values, one of the largest, and random ones."""
    if dtype == "bool":
        low, high = 0, 1
    else:
        low, high = (np.iinfo(dtype).min, np.iinfo(dtype).max) if limit is None else (-limit, limit)
    values = rng.integers(low, high, shape, np.int64, endpoint=True)
    values[0], values[1] = low, high
    return values.astype(dtype)


def plain_shape_cases(op: str, attrs: Any, dtype: str = "int32", **options: Any) -> list[Case]:
    """The ways of broadcasting that differ."""
    names = ("same", "one_element", "channels", "channels_first_operand", "rows", "outer_product")
    names += ("lower_rank", "constant_first", "scalar", "rank_0")
    return [
        plain_case(f"{name}_{dtype}", op, attrs, SHAPES[name][:2], dtype, constant=SHAPES[name][2], **options)
        for name in names
    ]


def as_plain(case: Case, dtype: str, oracle: str | None = "LiteRT") -> Case:
    """A case of int8 that only moves elements, with others of that type in their place."""
    rng = np.random.default_rng(zlib.crc32(case.name.encode()) + 4)

    def values(shape: Sequence[int]) -> np.ndarray:
        return plain_values(rng, (max(shape[0], 2), *shape[1:]), dtype)[: shape[0]]

    inputs = []
    for tensor in case.inputs:
        if tensor is not None and tensor.dtype == "int8":
            data = None if tensor.data is None else plain_values(rng, (3, *tensor.shape), dtype)[2]
            tensor = replace(tensor, dtype=dtype, quant=None, data=data)
        inputs.append(tensor)
    arrays = case.samples_of_inputs()
    data = tuple(values(x.shape) if x.dtype == np.int8 else x for x in arrays)
    return replace(
        case,
        name=f"{case.name}_{dtype}",
        inputs=tuple(inputs),
        output_quant=UNUSED,
        output_dtype=dtype,
        data=data,
        oracle=oracle,
    )


def truth_table(op: str) -> Case:
    """An operator on conditions, with every combination."""
    operands = 1 if op == "logical_not" else 2
    grids = np.meshgrid(*[np.array([False, True])] * operands)
    data = tuple(grid.reshape(1, 1, -1) for grid in grids)
    inputs = tuple(Tensor("ab"[index], x.shape[1:], "bool") for index, x in enumerate(data))
    return Case("truth_table", op, None, inputs, UNUSED, output_dtype="bool", data=data)
