"""Cases of operators that read a table by index."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from tests.ops.driver import Case, activation

SAMPLES = 4


def index_case(
    name: str,
    op: str,
    attrs: Any,
    table: Sequence[int],
    indices: Sequence[int],
    sizes: int | Sequence[int],
    *,
    constant: str = "",
    x: tuple[float, int] = (0.05, 3),
    oracle: str | None = "TFLM",
) -> Case:
    """sizes: of what indices point into (of each of a row's, for gather_nd). constant: "table", "indices"."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    quant = QuantParams.per_tensor(*x)
    tables = rng.integers(-128, 128, (SAMPLES, *table)).astype(np.int8)
    where = rng.integers(0, np.array(sizes), (SAMPLES, *indices)).astype(np.int32)
    where[0], where[1] = 0, np.array(sizes) - 1
    inputs, data = (
        [activation("table", table, *x), Tensor("indices", tuple(indices), "int32")],
        [tables, where],
    )
    if constant == "table":
        inputs[0], data = Tensor.constant("table", tables[3], quant), [where]
    elif constant == "indices":
        inputs[1], data = Tensor.constant("indices", where[3]), [tables]
    return Case(name, op, attrs, tuple(inputs), quant, data=tuple(data), oracle=oracle)


def beyond_the_table(case: Case) -> Case:
    """With indices far outside, which the oracles refuse."""
    rng = np.random.default_rng(9)
    far = np.array([-(2**31), -1, -7, 1000, 2**31 - 1], np.int32)
    data = tuple(
        rng.choice(far, array.shape) if array.dtype == np.int32 else array for array in case.data or ()
    )
    return replace(case, name=f"{case.name}_beyond", data=data, oracle=None)
