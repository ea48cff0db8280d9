"""Of the portable kernels that move, convert or pad elements of any type."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcu_quant.ir import Tensor
from mcu_quant.ops.base import Shape
from mcu_quant.ops.cast import CastAttrs
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.transpose import TransposeAttrs
from tests.kernels.guards.guard import Guard
from tests.ops.driver import Case, unary_case
from tests.ops.int16 import as_int16
from tests.ops.plain import UNUSED


def _case(op: str, attrs: Any, shape: Shape, dtype: str, y: str | None = None, *more: Tensor) -> Case:
    """Small whole numbers of that type, to the same type or y."""
    data = np.resize(np.arange(-9, 9), (2, *shape)).astype(dtype)
    inputs = (Tensor("x", shape, dtype), *more)
    return Case("guard", op, attrs, inputs, UNUSED, output_dtype=y or dtype, data=(data,))


def _padded(border: int) -> Case:
    value = Tensor.constant("border", np.array([border], np.int64))
    return _case("pad", PadAttrs(((0, 0), (1, 2))), (1, 5), "int64", None, value)


def _turned(shape: Shape, dtype: str, *permutation: int) -> Case:
    return _case("transpose", TransposeAttrs(permutation), shape, dtype)


def _cast(x: str, y: str) -> Case:
    return _case("cast", CastAttrs(y), (1, 6), x, y)


_INTEGERS = "input and output must be integers"

GUARDS = [
    Guard("pad_s8", "a border of int64 must be 0 or -1", _padded(-2), _padded(-1)),
    Guard("pad_s8", "a border of int64 must be 0 or -1", _padded(1), _padded(0)),
    Guard(
        "strided_copy_f32",
        "elements lie together in runs",
        _turned((1, 3, 4, 2), "float32", 0, 2, 1, 3),
        _turned((1, 3, 4, 1), "float32", 0, 2, 1, 3),
    ),
    Guard(
        "strided_copy_s16",
        "elements lie together in runs",
        *(
            as_int16(unary_case("guard", "transpose", TransposeAttrs((0, 2, 1, 3)), (1, 3, 4, channels)))
            for channels in (2, 1)
        ),
    ),
    Guard(
        "alias",
        "elements change their places",
        _turned((1, 3, 4), "int32", 0, 2, 1),
        _turned((1, 1, 4), "int32", 0, 2, 1),
        runs=False,
    ),
    Guard(
        "cast_integer",
        "input and output must be integers",
        _cast("float32", "int32"),
        _cast("int64", "int32"),
    ),
    Guard("cast_integer", _INTEGERS, _cast("int32", "float32"), _cast("int32", "bool")),
    Guard("cast_f32", "input or output must be float32", _cast("int32", "int64"), _cast("int32", "float32")),
]
