"""Cases and checks of operators that have no integer form; test_float_forms.py has their C and LiteRT's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ir import Graph, Node, Tensor, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.support import find_problems, node_problems
from mcu_quant.optimize.tables import tabulate
from tests.kernel_harness import run_kernel
from tests.ops.driver import Case, kernels_of, unary_case
from tests.ops.elementwise import Scheme, every_input
from tests.oracles import litert_ref, tflm

#: What a function may be asked of, beyond its domain too.
_HARD = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-6, -1e-6, 1e-38, 3e38, -3e38, 88.0, -88.0, 1e9)
HARD_FLOATS = np.array([*_HARD, np.inf, -np.inf, np.nan, 8388607.5, -8388607.5, np.pi, np.pi / 2], np.float32)


#: For function_cases: of anything, of angles, of what is positive (with above=1).
ANYTHING = ((0.05, 3), (0.02, -128), (0.3, 127), (0.25, -90), (0.0031, 50), (1e-6, -7))
ANGLES = ((0.05, 3), (0.02, -128), (0.3, 127), (1.0, 0), (0.0031, 50), (1e4, -7))
HALVES = ((0.5, 0), (0.05, -128), (0.3, 127), (0.0031, 50), (0.25, -7), (1e5, 3))
POSITIVE = ((0.05, -128), (0.0031, -128), (1.0, -128), (1 / 3, -128), (1e-5, -128), (2e4, -128))


def function_cases(
    op: str, schemes: Sequence[Scheme], attrs: Any = None, *, above: int = 0, **options: Any
) -> list[Case]:
    """All bytes but the first `above` under those scales, and shapes of every rank up to 5."""
    cases = []
    for index, scheme in enumerate(schemes):
        case = every_input(f"scheme_{index}", op, attrs, scheme, _output(op, attrs, scheme, above), **options)
        (data,) = case.data or ()
        kept = np.maximum(data, above - 128).astype(np.int8)
        cases.append(replace(case, data=(kept,)))
    for shape in [(1,), (1, 1), (1, 7, 3), (1, 3, 1, 5), (1, 2, 3, 2, 3)]:
        rng = np.random.default_rng(len(shape))
        data = rng.integers(above - 128, 128, (4, *shape)).astype(np.int8)
        cases.append(
            unary_case(f"rank_{len(shape)}", op, attrs, shape, x=schemes[0], data=(data,), **options)
        )
    return cases


def _output(op: str, attrs: Any, scheme: Scheme, above: int) -> Scheme:
    """A scale under which about all outputs lie."""
    scale, zero_point = scheme
    x = (np.arange(above - 128, 128) - zero_point).astype(np.float32) * np.float32(scale)
    y = _meaning(op, attrs, x)
    low, high = min(float(y.min()), 0.0), max(float(y.max()), 0.0)
    step = max((high - low) / 255, 1e-6)
    return step, int(np.clip(np.rint(-128 - low / step), -128, 127))


def _meaning(op: str, attrs: Any, x: np.ndarray) -> np.ndarray:
    tensors = {name: Tensor(name, x.shape) for name in ("x", "y")}
    graph = Graph("float", (Node("node", op, attrs, ("x",), ("y",)),), tensors, ("x",), ("y",))
    return run_graph(graph, [x[None]])[0][0]


def between_converters(case: Case) -> Graph:
    """From int8 to int8, float32 in between."""
    x, quant = case.inputs[0], case.output_quant
    assert x is not None
    tensors = {"x": x, "y": Tensor("y", x.shape, "int8", quant)}
    tensors |= {name: Tensor(name, x.shape) for name in ("real", "function")}
    nodes = (
        Node("real", "dequantize", None, ("x",), ("real",)),
        Node("function", case.op, case.attrs, ("real",), ("function",)),
        Node("y", "quantize", None, ("function",), ("y",)),
    )
    return check(Graph(case.op, nodes, tensors, ("x",), ("y",)))


def table_is_the_oracles(case: Case) -> None:
    """One table takes the place of the three nodes; the oracle's floats give it, but at a step's border."""
    graph = between_converters(case)
    assert not find_problems(graph)
    inputs = case.samples_of_inputs()
    table = tabulate(graph)
    assert [node.op for node in table.nodes] == ["lookup"]
    (ours,), (again,) = run_graph(table, inputs), run_graph(graph, inputs)
    assert np.array_equal(ours, again)
    oracle = {"TFLM": tflm, "LiteRT": litert_ref}[str(case.oracle)]
    (theirs,) = oracle(write_tflite(graph), inputs)
    off = np.abs(ours.astype(int) - theirs.astype(int))
    assert off.max() <= 1 and np.count_nonzero(off) <= max(1, off.size // 50), np.count_nonzero(off)


def integers_are_refused(case: Case) -> None:
    """The operator itself is not for int8, nor for int16."""
    (problem,) = node_problems(case.node())
    assert "has no int8 form" in problem.rule


#: Each is for a case of a function without an integer form.
FUNCTION_CHECKS: tuple[Callable[[Case], None], ...] = (table_is_the_oracles, integers_are_refused)


def c_is_right_beyond_the_domain(op: str, relative: float, attrs: Any = None) -> None:
    """NaN and infinities where the function has them. relative: the error elsewhere."""
    no_quant: Any = None
    x = HARD_FLOATS.reshape(1, 1, -1)
    case = Case("hard", op, attrs, (Tensor("x", x.shape[1:]),), no_quant, output_dtype="float32", data=(x,))
    (expected,) = OPERATORS[op].run_float(case.node(), [x])
    for kernel in kernels_of(case.node()):
        (actual,) = run_kernel(kernel, case.node(), [x])
        np.testing.assert_allclose(actual, expected, rtol=relative, atol=1e-6)
