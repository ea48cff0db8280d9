"""Every operator in float, on its own cases of the int8 form: C, LiteRT and the reference agree.

Weights of linear operators also as halves, as int8 that is widened, and hybrid. The tolerances are those of
docs/ARITHMETIC.md section 13, relative to the largest value of a sample's output; 0 means the same bytes.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import BoundNode, Graph, Tensor
from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import Kernel
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.forms import FLOAT_FORMS, form_of
from mcu_quant.ops.interpreter import run_graph, run_node
from mcu_quant.ops.support import node_problems
from mcu_quant.optimize.storage import widen_constants
from mcu_quant.quantize.floats import quantize_weights
from tests.kernel_harness import run_kernel
from tests.ops.driver import (
    ORACLES,
    Case,
    float_node,
    may_overlap,
    one_node_graph,
    operands,
    real_operands,
)

#: Operator to the tolerance of C and of LiteRT.
TOLERANCES = {
    "add": (0.0, 0.0),
    "sub": (0.0, 0.0),
    "mul": (0.0, 0.0),
    "div": (0.0, 0.0),
    "squared_difference": (0.0, 0.0),
    "floor_div": (0.0, 0.0),
    "floor_mod": (0.0, 0.0),
    "pow": (2e-5, 1e-6),
    "minimum": (0.0, 0.0),
    "maximum": (0.0, 0.0),
    "equal": (0.0, 0.0),
    "not_equal": (0.0, 0.0),
    "less": (0.0, 0.0),
    "less_equal": (0.0, 0.0),
    "greater": (0.0, 0.0),
    "greater_equal": (0.0, 0.0),
    "select_v2": (0.0, 0.0),
    "arg_max": (0.0, 0.0),
    "arg_min": (0.0, 0.0),
    "cast": (0.0, 0.0),
    "concatenation": (0.0, 0.0),
    "strided_slice": (0.0, 0.0),
    "transpose": (0.0, 0.0),
    "broadcast_to": (0.0, 0.0),
    "reshape": (0.0, 0.0),
    "pad": (0.0, 0.0),
    "mirror_pad": (0.0, 0.0),
    "gather": (0.0, 0.0),
    "gather_nd": (0.0, 0.0),
    "one_hot": (0.0, 0.0),
    "resize_nearest_neighbor": (0.0, 0.0),
    "resize_bilinear": (0.0, 1e-6),
    "max_pool_2d": (0.0, 0.0),
    "relu": (0.0, 0.0),
    "relu6": (0.0, 0.0),
    "leaky_relu": (0.0, 0.0),
    **dict.fromkeys(("round", "floor", "ceil", "square", "neg", "sign"), (0.0, 0.0)),
    **dict.fromkeys(("abs", "relu_n1_to_1", "relu_0_to_1", "prelu"), (0.0, 0.0)),
    **dict.fromkeys(("rsqrt", "elu", "hard_swish"), (3e-7, 3e-7)),
    "gelu": (6e-7, 6e-7),
    **dict.fromkeys(("exp", "log", "sqrt", "sin", "cos"), (3e-7, 3e-7)),
    "average_pool_2d": (1e-6, 1e-6),
    "mean": (0.0, 0.0),
    "sum": (0.0, 0.0),
    "cumsum": (0.0, 0.0),
    "log_softmax": (2e-6, 2e-6),
    "l2_normalization": (5e-6, 5e-6),
    "reduce_max": (0.0, 0.0),
    "reduce_min": (0.0, 0.0),
    "reduce_prod": (5e-6, 5e-6),
    "softmax": (2e-6, 2e-6),
    "logistic": (3e-7, 3e-7),
    "tanh": (3e-7, 3e-7),
    "conv_2d": (1e-5, 1e-5),
    "depthwise_conv_2d": (1e-5, 1e-5),
    "transpose_conv": (1e-5, 1e-5),
    "batch_matmul": (1e-5, 1e-5),
    "unidirectional_sequence_lstm": (1e-5, 1e-5),
    **dict.fromkeys(("gru", "simple_rnn"), (1e-5, 1e-5)),
    "svdf": (1e-5, 1e-4),  # of one output, where large sums cancel
    "fully_connected": (1e-5, 1e-5),
}
Operands = list[np.ndarray | None]
LINEAR = ("conv_2d", "depthwise_conv_2d", "transpose_conv", "fully_connected")
#: What the constants of a node may be stored as, and how it then computes.
FORMS = ("float32", "float16", "weights", "hybrid")
#: Gates that are all or nothing make any difference a large one.
UNSTABLE = ("saturates_gates",)
#: Operators with several weights, which are widened where they are used.
RECURRENT = ("unidirectional_sequence_lstm", "gru", "simple_rnn", "svdf")


def forms_of(op: str) -> tuple[str, ...]:
    return FORMS if op in LINEAR else FORMS[:3] if op in RECURRENT else FORMS[:1]


def _cases() -> list[tuple[str, Case]]:
    found = []
    for op in TOLERANCES:
        cases = getattr(import_module(f"tests.ops.test_{op}"), "CASES", [])
        found += [(op, case) for case in cases if case.op == op and case.name not in UNSTABLE]
    return found


CASES = [pytest.param(case, form, id=f"{op}-{case}-{form}") for op, case in _cases() for form in forms_of(op)]


#: The tolerance is relative to the output: no bound may hide what it is made of.
UNBOUNDED = [case for op, case in _cases() if op in LINEAR and case.attrs.activation in ("none", "relu")]


def with_form(node: BoundNode, form: str) -> BoundNode:
    """A float node with its weights stored otherwise; of float16, every constant."""
    inputs = list(node.inputs)
    if form == "float16":
        for index, tensor in enumerate(inputs):
            if tensor is not None and tensor.data is not None:
                inputs[index] = Tensor.constant(tensor.name, tensor.data.astype(np.float16))
    elif form in ("weights", "hybrid"):
        rule = OPERATORS[node.node.op].quant_rule
        for index in rule.weights_at:
            weights = node.input(index)
            assert weights.data is not None
            narrow = quantize_weights(weights.data, rule.channel_axis(index))
            inputs[index] = Tensor.constant(weights.name, *narrow)
        if node.node.op in LINEAR:
            changed = replace(node.node, attrs=replace(node.attrs, hybrid=form == "hybrid"))
            node = replace(node, node=changed)
    return replace(node, inputs=tuple(inputs))


def graph_of(node: BoundNode) -> Graph:
    tensors = {t.name: t for t in (*node.inputs, *node.outputs) if t is not None}
    return one_node_graph("net", node.node, tensors)


def prepared(case: Case, form: str) -> tuple[BoundNode, Operands]:
    """The node in that form, and its operands, constants as they are stored."""
    real = real_operands(case)
    node = with_form(float_node(operands(case)[0], real), form)
    assert form_of(node) in FLOAT_FORMS and not node_problems(node), node_problems(node)
    return node, with_constants(node, real)


def with_constants(node: BoundNode, arrays: Operands) -> Operands:
    """The operands, constants as they are stored."""
    pairs = zip(node.inputs, arrays, strict=True)
    return [t.data if t is not None and t.is_constant else x for t, x in pairs]


def assert_near(actual: np.ndarray, expected: np.ndarray, relative: float, who: str) -> None:
    assert actual.shape == expected.shape and actual.dtype == expected.dtype, who
    if expected.dtype == np.bool_ or not relative:
        assert np.array_equal(actual, expected), f"{who}: {np.abs(actual - expected).max()}"
        return
    one, other = (x.reshape(len(x), -1).astype(np.float64) for x in (actual, expected))
    allowed = relative * np.abs(other).max(axis=1, keepdims=True)
    worst = np.abs(one - other) - allowed
    assert (worst <= 0).all(), f"{who}: {np.abs(one - other).max()} where {allowed.max()} is allowed"


def kernels_of(node: BoundNode) -> list[Kernel]:
    able = [k for k in KERNELS if node.node.op in k.ops and form_of(node) in k.forms and not k.is_alias]
    return [kernel for kernel in able if kernel.refusal(node) is None]


def tolerance_of(node: BoundNode, index: int) -> float:
    """Of hybrid nodes the C computes the same bits; LiteRT quantizes its input in double."""
    if form_of(node) == "hybrid":
        return (0.0, 2e-2)[index]
    tolerance = TOLERANCES[node.node.op][index]
    if node.node.op not in LINEAR:
        return tolerance
    products = OPERATORS[node.node.op].macs(node) // node.output.elements
    return max(tolerance, products * 2.0**-24)


@pytest.mark.parametrize(("case", "form"), CASES)
def test_float_c_equals_reference(case: Case, form: str) -> None:
    node, arrays = prepared(case, form)
    if node.node.op == "reshape":
        pytest.skip("a reshape runs nothing")
    graph = widen_constants(graph_of(node))
    (deployed,) = graph.bound_nodes()
    stored = with_constants(deployed, arrays)
    expected = run_node(node, arrays)
    found = kernels_of(deployed)
    assert found, f"no kernel computes {case.op} in {form}"
    for kernel in found:
        ways = [False, True] if may_overlap(kernel, deployed) else [False]
        for overlapped in ways:
            outputs = run_kernel(kernel, deployed, stored, overlapped=overlapped)
            for actual, value in zip(outputs, expected, strict=True):
                assert_near(actual, value, tolerance_of(node, 0), kernel.name)


@pytest.mark.parametrize(("case", "form"), CASES)
def test_float_near_litert(case: Case, form: str) -> None:
    node, arrays = prepared(case, form)
    graph = graph_of(node)
    data = write_tflite(graph)
    named = {t.name: x for t, x in zip(node.inputs, arrays, strict=True) if t is not None and x is not None}
    inputs = [named[name] for name in graph.inputs]
    expected = run_graph(graph, inputs)[0]
    if form == "hybrid" and case.name == "float64_sums":
        pytest.skip("LiteRT gives half of the float meaning here, which we are near")
    oracle = ORACLES[OPERATORS[case.op].oracles.get("float", "LiteRT")]
    (actual,) = oracle(data, inputs, sequence=bool(graph.states))
    assert_near(actual, expected, tolerance_of(node, 1), oracle.__name__)
    # What was written is what is read, of what can be a model of its own.
    if any(graph.tensors[name].shape[:1] not in ((), (1,)) for name in graph.inputs):
        return
    (again,) = run_graph(read_tflite(data, "net"), inputs)
    assert np.array_equal(again, expected)


@pytest.mark.parametrize("case", UNBOUNDED, ids=str)
def test_hybrid_is_near_its_float_meaning(case: Case) -> None:
    node, arrays = prepared(case, "weights")
    (exact,) = run_node(node, arrays)
    (actual,) = run_node(*prepared(case, "hybrid"))
    assert_near(actual, exact, 2e-2, "hybrid")
