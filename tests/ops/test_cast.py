"""cast: every pair of types; TFLM's results, which knows no int64 and no uint8."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.ir import BoundNode, Node, QuantParams, Tensor
from mcu_quant.kernels.portable.cast_f32 import KERNEL
from mcu_quant.ops.cast import CastAttrs
from mcu_quant.ops.interpreter import run_node
from mcu_quant.optimize import optimize
from tests.kernel_harness import run_kernel
from tests.ops.driver import Case, activation, c_equals_reference, c_overlapped, check_name, equals_oracle
from tests.ops.plain import plain_case

#: There is no near_float: a cast is of the numbers, whatever their scale.
CHECKS = (equals_oracle, c_equals_reference, c_overlapped)
SHAPES = {"line": (1, 60), "one": (1, 1), "scalar": (), "image": (1, 4, 3, 5)}


def _quantized(x: str, y: str) -> list[Case]:
    """From int8 or int16, or to them from conditions and whole numbers."""
    cases = []
    for name, shape in SHAPES.items():
        if y in ("int8", "int16") and x not in ("int8", "int16"):
            cases.append(plain_case(f"{x}_to_{y}_{name}", "cast", CastAttrs(y), [shape], x))
            continue
        tensor = activation("x", shape, 0.05, 3 if x == "int8" else 0, x)
        quant = QuantParams.per_tensor(0.02, 0)
        case = Case(f"{x}_to_{y}_{name}", "cast", CastAttrs(y), (tensor,), quant, output_dtype=y)
        cases.append(case)
    return cases


INT16 = [case for y in ("bool", "int8", "int16", "int32", "float32") for case in _quantized("int16", y)]
INT16 += [case for x in ("int8", "bool", "int32") for case in _quantized(x, "int16")]
CASES = [case for y in ("bool", "int8", "int32", "float32") for case in _quantized("int8", y)]
CASES += [case for x in ("bool", "int32") for case in _quantized(x, "int8")]
#: LiteRT's, as all of the form "plain".
PLAIN = [
    plain_case(f"{x}_to_{y}", "cast", CastAttrs(y), [(1, 3, 7)], x, oracle="LiteRT")
    for x, y in product(("bool", "int32", "int64"), repeat=2)
]
PLAIN.append(plain_case("scalar", "cast", CastAttrs("bool"), [()], "int32", oracle="LiteRT"))
WIDE = [
    Case(
        f"{x}_to_int64",
        "cast",
        CastAttrs("int64"),
        (activation("x", (1, 40), 0.05, 0, x),),
        QuantParams.per_tensor(1.0),
        output_dtype="int64",
        oracle="LiteRT",
    )
    for x in ("int8", "int16")
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", [*CASES, *WIDE], ids=str)
def test_cast(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def test_a_cast_is_optimized_like_any_function_of_one_value() -> None:
    """It has a range, of what wraps around too; and between equal types it goes."""
    for case in (case for case in INT16 if case.inputs[0] is not None and case.output_dtype == "int16"):
        optimize(case.graph(), GenerateOptions())
    narrowed = next(case for case in INT16 if case.name == "int16_to_int8_line")
    (found,) = optimize(narrowed.graph(), GenerateOptions()).output_tensors()
    assert found.value_range is None or found.value_range.low.min() == -128


@pytest.mark.parametrize("dtype", ("bool", "int8", "int16", "int32", "int64"))
def test_floats_beyond_a_type_are_limited_and_nan_is_0(dtype: str) -> None:
    """TFLM leaves it to the compiler; ours is the same on every core."""
    ends = [] if dtype == "bool" else [np.iinfo(dtype).min, np.iinfo(dtype).max]
    near = [f(np.float32(end) + step) for end in ends for step in (-1, -0.5, 0, 0.5, 1) for f in _AROUND]
    x = np.array([*near, 0.0, -0.0, 0.9, -0.9, 1e-30, 3e38, -3e38, np.inf, -np.inf, np.nan], np.float32)
    tensors = Tensor("x", (1, x.size)), Tensor("y", (1, x.size), dtype, QuantParams.per_tensor(1.0))
    node = BoundNode(Node("node", "cast", CastAttrs(dtype), ("x",), ("y",)), tensors[:1], tensors[1:])
    (found,) = run_node(node, [x[None, None]])
    np.testing.assert_array_equal(run_kernel(KERNEL, node, [x[None, None]])[0], found)
    if ends:
        whole = [0 if np.isnan(v) else max(min(int(np.clip(v, -1e30, 1e30)), ends[1]), ends[0]) for v in x]
        assert found.reshape(-1).tolist() == whole
    else:
        assert found.reshape(-1).tolist() == (x != 0).tolist()


_AROUND: tuple[Callable[[np.float32], np.float32], ...] = (
    lambda v: np.nextafter(v, np.float32(np.inf)),
    lambda v: v,
    lambda v: np.nextafter(v, np.float32(-np.inf)),
)
