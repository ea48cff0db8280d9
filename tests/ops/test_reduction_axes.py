"""What files may hold as the axes of reductions and running sums, and what is said of the rest."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.ir import Tensor
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.cumsum import OPERATOR as CUMSUM
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.ops.sum import OPERATOR as SUM
from mcu_quant.ops.support import node_problems
from tests.ops.driver import unary_case


def _node(axes: np.ndarray | None) -> TfliteNode:
    constant = Tensor("axes", (1,), "int32") if axes is None else Tensor.constant("axes", axes)
    return TfliteNode("layer", "SUM", None, (Tensor("x", (1, 3, 4)), constant), (Tensor("y", (1, 4)),))


@pytest.mark.parametrize(
    ("axes", "resolved"), [([1], (1,)), ([-1, 1], (1, 2)), ([2, -1, 2], (2,)), ([], ()), (1, (1,))]
)
def test_axes_are_resolved(axes: object, resolved: tuple[int, ...]) -> None:
    attrs, inputs = SUM.from_tflite(_node(np.array(axes, np.int32)))
    assert attrs == ReductionAttrs(resolved) and [t.name for t in inputs] == ["x"]


@pytest.mark.parametrize("axes", [[3], [-4], [0, 7], [2**31 - 1], list(range(-5, 5))])
def test_axes_outside_are_invalid(axes: list[int]) -> None:
    for operator in (SUM, CUMSUM):
        with pytest.raises(InvalidModelError, match="axes must be within the input's 3 axes"):
            operator.from_tflite(_node(np.array(axes, np.int32)))


@pytest.mark.parametrize("axes", [None, np.array([1.0], np.float32), np.array([True])])
def test_axes_are_constant_integers(axes: np.ndarray | None) -> None:
    with pytest.raises(UnsupportedModelError, match="axes must be constant integers"):
        SUM.from_tflite(_node(axes))


@pytest.mark.parametrize("axes", [[], [1, 2]])
def test_a_running_sum_is_along_one_axis(axes: list[int]) -> None:
    with pytest.raises(InvalidModelError, match="there must be one axis"):
        CUMSUM.from_tflite(_node(np.array(axes, np.int32)))


def test_three_runs_of_axes_are_refused() -> None:
    for op in ("mean", "sum", "reduce_max", "reduce_prod"):
        node = unary_case("runs", op, ReductionAttrs((1, 3, 5)), (1, 2, 3, 2, 3, 2)).node()
        (problem,) = node_problems(node)
        assert "at most two runs" in problem.rule
