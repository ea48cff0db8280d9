"""Cases of arg_max and arg_min."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode, Node, Tensor
from mcu_quant.kernels.portable.arg_extremum_f32 import KERNEL
from mcu_quant.ops.arg_extremum import ArgAttrs
from mcu_quant.ops.interpreter import run_node
from tests.kernel_harness import run_kernel
from tests.ops.driver import Case, c_equals_reference, c_overlapped, equals_oracle, unary_case
from tests.ops.plain import plain_case

#: There is no near_float: equal bytes may be different numbers.
CHECKS = (equals_oracle, c_equals_reference, c_overlapped)
_SHAPES = (
    ((1, 10), 1),
    ((1, 1), 1),
    ((1,), 0),
    ((1, 300), 1),
    ((1, 5, 3, 7), 3),
    ((1, 5, 3, 7), 1),
    ((1, 5, 3, 7), 2),
    ((1, 6), 0),
    ((1, 2, 3, 2, 4), 4),
    ((1, 2, 3, 2, 4), 2),
)


def arg_cases(op: str) -> list[Case]:
    """Outputs of int32: TFLM has no other."""
    cases = []
    for shape, axis in _SHAPES:
        name = "x".join(map(str, shape)) + f"_axis_{axis}"
        cases.append(unary_case(name, op, ArgAttrs(axis), shape, x=(0.05, -128), output_dtype="int32"))
    rng = np.random.default_rng(5)
    equals = rng.integers(-2, 2, (6, 1, 3, 9)).astype(np.int8)
    x = unary_case("equals", op, ArgAttrs(2), (1, 3, 9), x=(0.05, 127), output_dtype="int32", data=(equals,))
    return [*cases, x]


def int64_cases(op: str) -> list[Case]:
    """LiteRT's."""
    options = {"output_dtype": "int64", "oracle": "LiteRT"}
    return [
        unary_case(f"int64_{axis}", op, ArgAttrs(axis, "int64"), (1, 4, 3, 5), **options)  # type: ignore[arg-type]
        for axis in (1, 2, 3)
    ]


def plain_arg_cases(op: str) -> list[Case]:
    """LiteRT's, of int32 and bool."""
    cases = []
    for shape, axis in _SHAPES[:7]:
        for dtype in ("int32", "bool"):
            name = "x".join(map(str, shape)) + f"_axis_{axis}_{dtype}"
            limit = 3 if axis % 2 else None
            cases.append(plain_case(name, op, ArgAttrs(axis), [shape], dtype, limit=limit, oracle="LiteRT"))
    cases.append(plain_case("int64", op, ArgAttrs(1, "int64"), [(1, 7)], "int32", oracle="LiteRT"))
    return cases


def positions_with_nan(op: str) -> list[int]:
    """What reference and C find in rows with a NaN, as a comparison of one after the other gives it."""
    rows = [
        [np.nan, 1, 2],
        [1, np.nan, 2],
        [2, np.nan, 1],
        [-np.inf, np.nan, -np.inf],
        [np.inf, np.nan, np.inf],
    ]
    x = np.array(rows, np.float32).reshape(-1, 1, 3)
    tensors = Tensor("x", (1, 3)), Tensor("y", (1,), "int32")
    node = BoundNode(Node("node", op, ArgAttrs(1), ("x",), ("y",)), tensors[:1], tensors[1:])
    (found,) = run_node(node, [x])
    np.testing.assert_array_equal(run_kernel(KERNEL, node, [x])[0], found)
    return [int(position) for position in found.reshape(-1)]
