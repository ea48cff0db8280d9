"""arg_min: any axis, the first of equals; NaN."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.ir import BoundNode, Node, Tensor
from mcu_quant.kernels.portable.arg_extremum_f32 import KERNEL
from mcu_quant.ops.arg_extremum import ArgAttrs
from mcu_quant.ops.interpreter import run_node
from tests.kernel_harness import run_kernel
from tests.ops.arg_extremum import CHECKS, arg_cases, int64_cases
from tests.ops.driver import Case, check_name, reference

CASES = arg_cases("arg_min")


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", [*CASES, *int64_cases("arg_min")], ids=str)
def test_arg_min(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_arg_min_is_numpys(case: Case) -> None:
    (x,) = case.samples_of_inputs()
    np.testing.assert_array_equal(reference(case)[0], np.argmin(x, case.attrs.axis + 1))


def test_nan_counts_only_if_it_is_first() -> None:
    """As a comparison of one after the other gives it."""
    rows = [
        [np.nan, 1, 2],
        [1, np.nan, 2],
        [2, np.nan, 1],
        [-np.inf, np.nan, -np.inf],
        [np.inf, np.nan, np.inf],
    ]
    x = np.array(rows, np.float32).reshape(-1, 1, 3)
    tensors = Tensor("x", (1, 3)), Tensor("y", (1,), "int32")
    node = BoundNode(Node("node", "arg_min", ArgAttrs(1), ("x",), ("y",)), tensors[:1], tensors[1:])
    (found,) = run_node(node, [x])
    assert found.reshape(-1).tolist() == [0, 0, 2, 0, 0]
    np.testing.assert_array_equal(run_kernel(KERNEL, node, [x])[0], found)
