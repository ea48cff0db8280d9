"""Hard cases that all operators which combine elements along axes share."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcu_quant.ir import Tensor
from mcu_quant.ops.reduction import ReductionAttrs
from tests.ops.driver import Case, unary_case

#: name: (axes, keepdims, shape, zero points of input and output).
_TABLE: dict[str, tuple[tuple[int, ...], bool, tuple[int, ...], tuple[int, int]]] = {
    "time": ((1,), False, (1, 9, 4), (3, -9)),
    "vector": ((1,), False, (1, 9), (3, -9)),
    "channels_kept": ((3,), True, (1, 5, 4, 3), (3, -9)),
    "image": ((1, 2), False, (1, 5, 4, 3), (3, -9)),
    "two_runs_kept": ((1, 3), True, (1, 5, 4, 3), (-7, 11)),
    "all": ((1, 2, 3), False, (1, 3, 2, 4), (3, -9)),
    "one_element": ((1, 2), False, (1, 1, 1, 1), (0, 0)),
    "of_one_each": ((1, 2), True, (1, 1, 1, 6), (3, -9)),
    "one_channel": ((2,), False, (1, 7, 5, 1), (3, -9)),
    "rank_5": ((2, 4), False, (1, 3, 4, 2, 3), (3, -9)),
    "batch_too": ((0, 1), True, (1, 7), (3, -9)),
    "zero_points_low": ((1, 2), False, (1, 5, 5, 4), (-128, -128)),
    "zero_points_high": ((1, 2), False, (1, 5, 5, 4), (127, 127)),
    "zero_points_opposite": ((2,), False, (1, 5, 5, 4), (-128, 127)),
}


def reduction_cases(
    op: str, scales: tuple[float, float] | None, *, largest: float | None = None, **options: Any
) -> list[Case]:
    """scales: of input and output; None: both are quantized alike. largest: what gives the input's scale."""
    cases = []
    for name, (axes, keepdims, shape, zero_points) in _TABLE.items():
        x = (0.05 if scales is None else scales[0], zero_points[0])
        if largest is not None:
            x = (largest / max(127 - zero_points[0], zero_points[0] + 128), zero_points[0])
        y = x if scales is None else (scales[1], zero_points[1])
        cases.append(unary_case(name, op, ReductionAttrs(axes, keepdims), shape, x=x, y=y, **options))
    return cases


def condition_cases(op: str, **options: Any) -> list[Case]:
    """Of the same shapes: none true, all, and some; of few and of many."""
    rng = np.random.default_rng(len(op))
    cases = []
    for name, (axes, keepdims, shape, _) in _TABLE.items():
        data = rng.random((8, *shape)) < np.linspace(0.0, 1.0, 8).reshape(8, *(1,) * len(shape))
        no_quant: Any = None
        tensor = Tensor("x", shape, "bool")
        attrs = ReductionAttrs(axes, keepdims)
        cases.append(Case(name, op, attrs, (tensor,), no_quant, output_dtype="bool", data=(data,), **options))
    return cases
