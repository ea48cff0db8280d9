"""A recurrent layer that only keeps its last step: the same bytes, in every kernel, and less memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.ir import BoundNode, Graph, Node, Tensor, check
from mcu_quant.kernels import KERNELS
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.interpreter import run_graph, run_node
from mcu_quant.ops.strided_slice import StridedSliceAttrs
from mcu_quant.optimize import optimize
from mcu_quant.optimize.last_steps import merge_last_steps
from tests.codegen.deployments import deploy
from tests.kernel_harness import run_kernel
from tests.ops import test_gru, test_simple_rnn, test_unidirectional_sequence_lstm
from tests.ops.driver import Case, operands
from tests.ops.int16 import as_int16
from tests.ops.test_float_forms import prepared

LSTM = [case for case in test_unidirectional_sequence_lstm.CASES if not case.attrs.time_major]
CASES = [
    case
    for case in (*test_gru.CASES, *test_simple_rnn.CASES, *LSTM)
    if case.name not in ("finest_output", "saturates_gates")
]


def sliced(case: Case, step: int = -1, *, dropped: tuple[int, ...] = (1,)) -> Graph:
    """The case's graph with a step of its output as the output."""
    graph, y = case.graph(), case.node().output
    steps, units = y.shape[1:]
    attrs = StridedSliceAttrs((0, step % steps, 0), (1, 1, 1), (1, 1, units), dropped)
    last = Tensor("last", (1, units) if dropped else (1, 1, units), y.dtype, y.quant)
    node = Node("last", "strided_slice", attrs, ("y",), ("last",))
    tensors = {**graph.tensors, "last": last}
    return check(replace(graph, nodes=(*graph.nodes, node), tensors=tensors, outputs=("last",)))


@pytest.mark.parametrize("case", [test_gru.CASES[0], test_simple_rnn.CASES[0], LSTM[0], LSTM[1]], ids=str)
def test_layer_and_slice_become_one_node(case: Case) -> None:
    graph = sliced(case)
    merged = merge_last_steps(graph)
    (node,) = merged.nodes
    assert not node.attrs.sequences and node.outputs == ("last", *graph.nodes[0].outputs[1:])
    x = case.samples_of_inputs()
    np.testing.assert_array_equal(run_graph(merged, x)[0], run_graph(graph, x)[0])
    assert optimize(graph, GenerateOptions()).nodes == (node,)


def test_what_is_read_otherwise_stays() -> None:
    case = test_gru.CASES[0]
    both = replace(sliced(case), outputs=("last", "y"))
    for graph in (case.graph(), both, sliced(case, 0), sliced(case, dropped=())):
        assert merge_last_steps(graph) is graph


def test_the_first_step_of_a_sequence_that_has_time_first_is_not_the_last() -> None:
    cases = test_unidirectional_sequence_lstm.CASES
    (case,) = [case for case in cases if case.name == "time_major_begins_anew"]
    graph = sliced(case)  # of the axis that is no time
    assert merge_last_steps(graph) is graph


def last_alone(node: BoundNode) -> BoundNode:
    y = replace(node.output, shape=(1, node.output.shape[2]))
    attrs = replace(node.node.attrs, sequences=False)
    return replace(node, node=replace(node.node, attrs=attrs), outputs=(y, *node.outputs[1:]))


def check_kernels(node: BoundNode, arrays: list[np.ndarray | None]) -> None:
    node = last_alone(node)
    expected = run_node(node, arrays)
    known = [k for k in KERNELS if node.node.op in k.ops and form_of(node) in k.forms]
    able = [kernel for kernel in known if kernel.refusal(node) is None]
    assert able
    for kernel in able:
        for actual, wanted in zip(run_kernel(kernel, node, arrays), expected, strict=True):
            if actual.dtype == np.float32:
                np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-5)
            else:
                np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.op}-{case}")
def test_every_kernel_keeps_the_last_step(case: Case) -> None:
    for each in (case, as_int16(case)):
        node, arrays = operands(each)
        whole = OPERATORS[case.op].run_integer(node, arrays)
        (last, *after) = OPERATORS[case.op].run_integer(last_alone(node), arrays)
        np.testing.assert_array_equal(last, whole[0][:, :, -1])
        for state, wanted in zip(after, whole[1:], strict=True):
            np.testing.assert_array_equal(state, wanted)
        check_kernels(node, arrays)
    check_kernels(*prepared(case, "float32"))


def test_the_arena_has_no_sequence() -> None:
    case = next(case for case in test_gru.CASES if case.name == "long")
    steps, columns = case.node().input(0).shape[1:]
    plan = deploy(sliced(case), "model").plan
    assert steps * columns <= plan.arena_bytes < steps * columns + 24 * case.node().output.shape[2] + 16
