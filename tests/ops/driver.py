"""What every operator's test does with its table of cases. Each test ID reruns one case.

    CASES = [unary_case("odd", "max_pool_2d", Pool2DAttrs(...), (1, 7, 5, 3)), ...]

    @pytest.mark.parametrize("check", CHECKS, ids=check_name)
    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_max_pool_2d(case, check):
        check(case)

The checks: near_float, equals_oracle (TFLM), c_equals_reference, c_overlapped.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import BoundNode, Graph, Node, QuantParams, State, Tensor, check
from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import Kernel
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.forms import PLAIN_TYPES, form_of
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.support import node_problems
from tests.kernel_harness import run_kernel
from tests.ops.custom_operators import definition
from tests.oracles import litert_ref, tflm

#: Sums in float32 are not exact; so much of an output step is more than they err.
_FLOAT_NOISE = {"int8": 0.01, "uint8": 0.01, "int16": 0.25}


@dataclass(frozen=True)
class Case:
    """One operator applied once.

    inputs: its tensors, constants included (None: absent). samples: how many random inputs, beside
    the extremes. float_steps: how many output steps the bits may be from the float meaning; 1 where
    nothing else is said: half a step of rounding, and as much again for the first of two roundings.
    oracle: "TFLM", or another of ORACLES where TFLM has no such operator; None where neither
    can run the case, and the test says why. states: the outputs behind the first. Where they have values
    before the run among the inputs, the oracle runs the samples as consecutive steps.
    """

    name: str
    op: str
    attrs: Any
    inputs: tuple[Tensor | None, ...]
    output_quant: QuantParams
    samples: int = 4
    float_steps: float = 1.0
    oracle: str | None = "TFLM"
    output_dtype: str = "int8"
    data: tuple[np.ndarray, ...] | None = field(default=None, repr=False)
    states: tuple[Tensor, ...] = ()

    def __str__(self) -> str:
        return self.name

    @cached_property
    def _graph(self) -> Graph:
        shapes = [tensor.shape for tensor in self.inputs if tensor is not None]
        shape = OPERATORS[self.op].output_shapes(self.attrs, shapes)[0]
        quant = None if self.output_dtype in PLAIN_TYPES else self.output_quant
        output = Tensor("y", shape, self.output_dtype, quant)
        tensors = {t.name: t for t in (*self.inputs, output, *self.states) if t is not None}
        names = tuple(None if tensor is None else tensor.name for tensor in self.inputs)
        node = Node("node", self.op, self.attrs, names, ("y", *(tensor.name for tensor in self.states)))
        return one_node_graph(self.op, node, tensors)

    @cached_property
    def _node(self) -> BoundNode:
        return next(self._graph.bound_nodes())

    def graph(self) -> Graph:
        return self._graph

    def node(self) -> BoundNode:
        """Always the same one: kernels remember what they planned for a node."""
        return self._node

    def samples_of_inputs(self) -> list[np.ndarray]:
        """[N, *shape] for each activation: all-min, all-max, both mixed, then random."""
        if self.data is not None:
            return list(self.data)
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return [np.stack(_samples(rng, tensor, self.samples)) for tensor in self.graph().input_tensors()]

    def samples_of_states(self) -> dict[str, np.ndarray]:
        """The same for the states before the run, by name, for as many runs: each one apart."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()) + 7)
        runs = len(self.samples_of_inputs()[0])
        before = [self.graph().tensors[state.before] for state in self.graph().states]
        return {t.name: np.stack(_samples(rng, t, runs))[:runs] for t in before}


def one_node_graph(name: str, node: Node, tensors: Mapping[str, Tensor]) -> Graph:
    """The graph of a node. At reset, its states are real 0."""
    found = OPERATORS[node.op].state_inputs.items()
    kept = {node.inputs[i]: node.outputs[output] for i, output in found if i < len(node.inputs)}
    states = []
    for before, after in kept.items():
        if before is not None:
            tensor = tensors[before]
            at_reset = np.full(tensor.shape, 0 if tensor.quant is None else tensor.zero_point, tensor.dtype)
            states.append(State(before, after, at_reset))
    known = {state.before for state in states}
    inputs = tuple(t.name for t in tensors.values() if _is_given(t, node) and t.name not in known)
    return check(Graph(name, (node,), tensors, inputs, node.outputs[:1], states=tuple(states)))


def _is_given(tensor: Tensor, node: Node) -> bool:
    return tensor.name in node.inputs and not tensor.is_constant


def _samples(rng: np.random.Generator, tensor: Tensor, count: int) -> list[np.ndarray]:
    dtype = np.dtype(tensor.dtype)
    limits = np.iinfo(dtype)
    samples = [np.full(tensor.shape, value, dtype) for value in (limits.min, limits.max)]
    samples.append(rng.choice(np.array([limits.min, limits.max], dtype), tensor.shape))
    samples += [
        rng.integers(limits.min, limits.max, tensor.shape, dtype, endpoint=True) for _ in range(count)
    ]
    return samples


def activation(name: str, shape: Sequence[int], scale: float, zero_point: int, dtype: str = "int8") -> Tensor:
    return Tensor(name, tuple(shape), dtype, QuantParams.per_tensor(scale, zero_point))


def unary_case(
    name: str,
    op: str,
    attrs: Any,
    shape: Sequence[int],
    *,
    x: tuple[float, int] = (0.05, 3),
    y: tuple[float, int] | None = None,
    **options: Any,
) -> Case:
    """One activation in. x, y: (scale, zero_point); y like x if not given."""
    output = QuantParams.per_tensor(*(x if y is None else y))
    return Case(name, op, attrs, (activation("x", shape, *x),), output, **options)


def linear_case(
    name: str,
    op: str,
    attrs: Any,
    shape: Sequence[int],
    weights: Sequence[int],
    *,
    zero_points: tuple[int, int] = (3, -5),
    per_channel: bool = True,
    bias: bool = True,
    fill: int | None = None,
    gain: float = 1.0,
    scale_y: float | None = None,
    **options: Any,
) -> Case:
    """x times constant weights. fill: the one value of all weights, else random ones.

    The output's scale makes outputs span about int8, times gain; or it is scale_y.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()) + 1)
    rule = OPERATORS[op].quant_rule.weights
    assert rule is not None
    channels = weights[rule.channel_axis]
    values = np.full(weights, fill) if fill is not None else rng.integers(-127, 128, weights)
    scales = rng.uniform(0.002, 0.02, channels) if per_channel else [0.01]
    quant = (
        QuantParams.per_channel(scales, rule.channel_axis) if per_channel else QuantParams.per_tensor(0.01)
    )
    x = activation("x", shape, 0.05, zero_points[0])
    taps = values.size // channels
    spread = x.scale * float(np.mean(quant.scale)) * 74.0 * 74.0 * np.sqrt(taps)
    if scale_y is None:
        scale_y = 3 * spread / 127 / gain
    constants = [Tensor.constant("weights", values.astype(np.int8), quant)]
    if bias:
        bias_values = rng.integers(-3000 * taps, 3000 * taps + 1, channels).astype(np.int32)
        bias_scales = QuantParams.per_channel((x.scale * scale for scale in quant.scale), 0)
        if not per_channel:
            bias_scales = QuantParams.per_tensor(x.scale * quant.scale[0])
        constants.append(Tensor.constant("bias", bias_values, bias_scales))
    return Case(name, op, attrs, (x, *constants), QuantParams.per_tensor(scale_y, zero_points[1]), **options)


def operands(case: Case) -> tuple[BoundNode, list[np.ndarray | None]]:
    """The node and an array for each input: [N, *shape], or a constant's data."""
    given = dict(zip(case.graph().inputs, case.samples_of_inputs(), strict=True))
    given |= case.samples_of_states()
    arrays = [
        None if tensor is None else tensor.data if tensor.is_constant else given[tensor.name]
        for tensor in case.inputs
    ]
    return case.node(), arrays


def reference(case: Case) -> list[np.ndarray]:
    node, arrays = operands(case)
    return list(OPERATORS[case.op].run_integer(node, arrays))


def float_outputs(case: Case) -> np.ndarray:
    """[N, *shape]: what the operator means of the dequantized inputs."""
    real = real_operands(case)
    return np.asarray(OPERATORS[case.op].run_float(float_node(case.node(), real), real)[0])


def real_operands(case: Case) -> list[np.ndarray | None]:
    """operands, dequantized."""
    node, arrays = operands(case)
    return [_dequantized(a, t) for a, t in zip(arrays, node.inputs, strict=True)]


def near_float(case: Case) -> None:
    """The dequantized bits are near the float meaning of the dequantized inputs."""
    if case.op == "cast":
        pytest.skip("a cast is of the integers, whatever their scale")
    node, _ = operands(case)
    assert not node_problems(node), [str(problem) for problem in node_problems(node)]
    expected = float_outputs(case)
    actual = reference(case)[0]
    low, high = activation_range(getattr(case.attrs, "activation", "none"), node.output)
    steps = np.clip(expected.astype(np.float64) / node.output.scale + node.output.zero_point, low, high)
    error = np.abs(actual - steps).max()
    assert actual.dtype == node.output.dtype
    noise = _FLOAT_NOISE[node.output.dtype]
    assert error <= case.float_steps + noise, f"{error} steps from the float meaning"


def equals_oracle(case: Case) -> None:
    if case.oracle is None:
        pytest.skip("there is no oracle for this case: see the table")
    oracle = ORACLES[case.oracle]
    graph, samples = case.graph(), case.samples_of_inputs()
    expected = oracle(write_tflite(graph), samples, sequence=bool(graph.states))
    _assert_same(run_graph(graph, samples) if graph.states else reference(case)[:1], expected)


#: By the names that operators give them (Operator.oracles).
ORACLES = {"TFLM": tflm, "LiteRT": litert_ref, "CUSTOM_OPERATORS.md": definition}


def c_equals_reference(case: Case) -> None:
    node, arrays = operands(case)
    kernels = kernels_of(node)
    assert kernels, f"no kernel computes {case.op}"
    for kernel in kernels:
        _assert_same(run_kernel(kernel, node, arrays), reference(case), kernel.name)


def c_overlapped(case: Case) -> None:
    """The same with the input as near to the output as the kernel says it may be."""
    node, arrays = operands(case)
    kernels = [kernel for kernel in kernels_of(node) if may_overlap(kernel, node)]
    if not kernels:
        pytest.skip("no kernel allows overlap here")
    for kernel in kernels:
        _assert_same(run_kernel(kernel, node, arrays, overlapped=True), reference(case), kernel.name)


def same_in_a_file(case: Case) -> None:
    """A .tflite file says of the operator what the case does."""
    graph = read_tflite(write_tflite(case.graph()), "model")
    assert [node.attrs for node in graph.nodes] == [case.attrs]


def may_overlap(kernel: Kernel, node: BoundNode) -> bool:
    return kernel.in_place(node) or (kernel.overlap(node) or (None,))[0] is not None


#: The checks of the generated C, which are both slow to compile; `make check` leaves the second one out.
C_CHECKS: tuple[Callable[[Case], None], ...] = (c_equals_reference, c_overlapped)
CHECKS: tuple[Any, ...] = (
    near_float,
    equals_oracle,
    c_equals_reference,
    pytest.param(c_overlapped, marks=pytest.mark.slow),
)


def check_name(check_function: Callable[[Case], None]) -> str:
    return check_function.__name__


def kernels_of(node: BoundNode) -> list[Kernel]:
    return [
        kernel
        for kernel in KERNELS
        if node.node.op in kernel.ops
        and form_of(node) in kernel.forms
        and not kernel.is_alias
        and kernel.refusal(node) is None
    ]


def _assert_same(actual: Sequence[np.ndarray], expected: Sequence[np.ndarray], who: str = "") -> None:
    for a, e in zip(actual, expected, strict=True):
        assert a.shape == e.shape and a.dtype == e.dtype, f"{who}: {a.shape} {a.dtype}, {e.shape} {e.dtype}"
        wrong = np.argwhere(a != e)
        where = tuple(wrong[0]) if len(wrong) else ()
        assert not len(wrong), (
            f"{who}: {len(wrong)} of {a.size} differ; first {where}: {a[where]}, {e[where]}"
        )


def _dequantized(array: np.ndarray | None, tensor: Tensor | None) -> np.ndarray | None:
    if array is None or tensor is None or tensor.quant is None:
        return array
    quant, rank = tensor.quant, len(tensor.shape)
    real = quant.broadcast_scale(rank) * (array.astype(np.int64) - quant.broadcast_zero_point(rank))
    return real.astype(np.float32)


def float_node(node: BoundNode, real: Sequence[np.ndarray | None]) -> BoundNode:
    """The node as a float graph has it: float32 tensors (conditions and indices as they are), no scales."""

    def as_float(tensor: Tensor, data: np.ndarray | None) -> Tensor:
        is_plain = tensor.dtype in PLAIN_TYPES and tensor.quant is None
        dtype = tensor.dtype if is_plain else "float32"
        return replace(tensor, dtype=dtype, quant=None, data=data)

    inputs = tuple(
        None if tensor is None else as_float(tensor, value if tensor.is_constant else None)
        for tensor, value in zip(node.inputs, real, strict=True)
    )
    return BoundNode(node.node, inputs, tuple(as_float(tensor, None) for tensor in node.outputs))
