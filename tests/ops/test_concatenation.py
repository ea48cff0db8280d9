"""concatenation: every axis, sizes, counts of inputs, constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.kernels import KERNELS
from mcu_quant.memory import plan_memory
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.concatenation import ConcatenationAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.support import node_problems
from tests.kernel_harness import run_kernel
from tests.ops.driver import CHECKS, Case, activation, check_name, operands, reference

QUANT = QuantParams.per_tensor(0.05, -9)


def case(name: str, axis: int, *shapes: Sequence[int], constant: int | None = None) -> Case:
    inputs: list[Tensor] = [activation(f"x{i}", shape, 0.05, -9) for i, shape in enumerate(shapes)]
    if constant is not None:
        data = np.random.default_rng(5).integers(-128, 128, shapes[constant]).astype(np.int8)
        inputs[constant] = Tensor.constant(f"x{constant}", data, QUANT)
    return Case(name, "concatenation", ConcatenationAttrs(axis), tuple(inputs), QUANT)


CASES = [
    case("channels", 3, (1, 4, 3, 2), (1, 4, 3, 5)),
    case("width", 2, (1, 4, 3, 2), (1, 4, 1, 2)),
    case("height", 1, (1, 4, 3, 2), (1, 2, 3, 2), (1, 1, 3, 2)),
    case("vectors", 1, (1, 7), (1, 1), (1, 9)),
    case("one_input", 1, (1, 7)),
    case("constant", 2, (1, 3, 4), (1, 3, 2), constant=1),
    case("constant_first", 2, (1, 3, 4), (1, 3, 2), constant=0),
    case("one_channel", 3, (1, 3, 3, 1), (1, 3, 3, 1)),
    case("five_axes", 3, (1, 2, 3, 2, 2), (1, 2, 3, 1, 2)),
    case("odd_bytes", 2, (1, 5, 3), (1, 5, 1), (1, 5, 7)),
    case("ten_inputs", 2, *[(1, 3, size) for size in range(1, 11)]),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_concatenation(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_input_may_lie_as_near_as_the_kernel_says(case: Case) -> None:
    (kernel,) = (kernel for kernel in KERNELS if kernel.name == "concatenation_s8")
    node, arrays = operands(case)
    for which in range(len(node.inputs)):
        (actual,) = run_kernel(kernel, node, arrays, overlapped=True, which=which)
        np.testing.assert_array_equal(actual, reference(case)[0], f"input {which}")


def test_inputs_share_the_outputs_bytes() -> None:
    """Two halves: the first lies where the second's part of the output will be."""
    halves = case("halves", 3, (1, 6, 5, 8), (1, 6, 5, 8))
    (kernel,) = (kernel for kernel in KERNELS if kernel.name == "concatenation_s8")
    assert plan_memory(halves.graph(), [kernel]).arena_bytes == 3 * 240


def keras_concatenation(sizes: Sequence[int], axis: int = -1) -> tuple[GraphBuilder, str]:
    builder = GraphBuilder("model", OPERATORS)
    names = [builder.input(f"x{i}", (1, 2, size)) for i, size in enumerate(sizes)]
    layer = KerasLayer("layer", "Concatenate", {"axis": axis})
    return builder, OPERATORS["concatenation"].from_keras(layer, names, builder)


def test_more_keras_inputs_than_tflm_takes_are_a_chain() -> None:
    builder, y = keras_concatenation([1] * 25)
    assert all(len(node.inputs) <= 10 for node in builder.nodes)
    assert builder.nodes[-1].name == "layer"
    arrays = [np.full((2, 1, 2, 1), i, np.float32) for i in range(25)]
    (result,) = run_graph(builder.graph([y]), arrays)
    assert result[1, 0, 0].tolist() == list(range(25))


def test_keras_concatenation_refuses_the_batch_and_shapes_that_differ() -> None:
    with pytest.raises(LayerRefused, match="batch"):
        keras_concatenation([1, 1], axis=0)
    with pytest.raises(LayerRefused, match="equal but for the axis"):
        keras_concatenation([1, 2], axis=1)


def test_concatenation_refuses_different_scales() -> None:
    inputs = (activation("a", (1, 2), 0.05, -9), activation("b", (1, 2), 0.05, -8))
    (problem,) = node_problems(Case("z", "concatenation", ConcatenationAttrs(1), inputs, QUANT).node())
    assert "same scale" in problem.rule
