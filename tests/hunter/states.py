"""Draws of graphs with states: values of any layer kept for the next run, ring buffers, and svdf."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from mcu_quant.importers.tflite_outputs import without_dead_nodes
from mcu_quant.ir import Graph, Node, QuantParams, State, Tensor, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.concatenation import ConcatenationAttrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.strided_slice import attrs_of
from mcu_quant.ops.svdf import SvdfAttrs
from tests.hunter import elementwise
from tests.hunter.build import (
    LEAST_EXPONENT,
    MAX_ELEMENTS,
    QUANTS,
    SCALES,
    SEEDS,
    ZERO_POINTS,
    Draw,
    GraphDraft,
    draw_output_quant,
)
from tests.hunter.graphs import EMITTERS, NEEDS_IMAGE, SHAPES, Case, draw_rounds
from tests.hunter.windows import typical_sum

#: Adds an operator to a draft; returns its output, None where it was not drawn.
Emitter = Callable[[GraphDraft], Tensor | None]
#: Runs are so many times SAMPLES.
ROUNDS = 4
MAX_NODES = 7
#: What keeps nothing: TFLM keeps the states of layers that should begin every run anew.
STATELESS = [name for name in EMITTERS if name not in OPERATORS or not OPERATORS[name].state_inputs]
#: Of a frame of svdf.
MOST_VALUES = 300


@dataclass
class StateDraft(GraphDraft):
    """before: tensors that hold a state when a run begins. own: where what it becomes is known, that."""

    before: list[Tensor] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)

    #: Of float32 states: a size of which their first values are.
    step: float = 1.0
    #: Changed by an operator that a file has in a variable tensor: nothing else can read them behind it.
    hidden: set[str] = field(default_factory=set)

    def activations(self, ranks: Sequence[int] = (), quant: QuantParams | None = None) -> list[Tensor]:
        return [x for x in super().activations(ranks, quant) if x.name not in self.hidden]

    def state(self, shape: Sequence[int], quant: QuantParams, dtype: str = "int8") -> Tensor:
        self.before.append(self.input(tuple(shape), quant, dtype))
        return self.before[-1]

    def float_state(self, shape: Sequence[int], step: float) -> Tensor:
        """step: of what it is quantized to; beyond 2**31 of them TFLM's conversion is undefined."""
        self.step = step
        self.before.append(self.input(tuple(shape), None, "float32"))
        return self.before[-1]


@st.composite
def state_cases(draw: Draw, mostly: Mapping[str, Emitter] | None = None) -> Case:
    """mostly: what is drawn more often than others; operators with states if not given."""
    mostly = STATE_EMITTERS if mostly is None else mostly
    draft = StateDraft(draw)
    shape = draw(SHAPES)
    elementwise.draw_input(draft, shape, draw(QUANTS))
    for _ in range(draw(st.integers(1, 3))):
        draft.state(shape if draw(st.booleans()) else draw(SHAPES), draw(QUANTS))
    for _ in range(draw(st.integers(1, MAX_NODES))):
        images = bool(draft.activations([4]))
        able = sorted(name for name in STATELESS if images or name not in NEEDS_IMAGE)
        name = draw(st.sampled_from([*able, *3 * sorted(mostly)]))
        {**EMITTERS, **mostly}[name](draft)
    after = {tensor.name: _next_value(draft, tensor) for tensor in draft.before}
    elementwise.draw_output_types(draft)
    assume(draft.nodes)
    graph = without_dead_nodes(_with_states(draft, after, draw(st.integers(0, 2))))
    assume(graph.states and graph.inputs)
    assume(all(tensor.shape[:1] in ((), (1,)) for tensor in graph.input_tensors()))
    return Case(graph, draw_rounds(graph, [draw(SEEDS) for _ in range(ROUNDS)]))


def _next_value(draft: StateDraft, before: Tensor) -> str:
    """What becomes of a state: any tensor of its kind, one that is brought to its scale, or itself."""
    if before.name in draft.own:
        return draft.own[before.name]
    same = [tensor for tensor in draft.activations() if tensor.shape == before.shape]
    others = [tensor for tensor in same if tensor.name != before.name]
    chosen = draft.draw(st.sampled_from(others)) if others else before
    if chosen.quant != before.quant:
        brought = draft.add("quantize", None, [chosen], before.quant)
        chosen = before if brought is None else brought
    return chosen.name


def _with_states(draft: StateDraft, after: dict[str, str], extra_outputs: int) -> Graph:
    graph = draft.graph(extra_outputs)
    rng = draft.rng()
    read = _sources(graph, after)
    before = [tensor for tensor in draft.before if tensor.name in read]
    states = tuple(State(x.name, after[x.name], _at_reset(draft, x, rng)) for x in before)
    ends = tuple(name for name in graph.outputs if name not in {state.after for state in states})
    inputs = tuple(name for name in draft.inputs if name in read and name not in after)
    tensors = {**graph.tensors, **{name: draft.tensors[name] for name in read}}
    return check(replace(graph, tensors=tensors, inputs=inputs, outputs=ends or graph.outputs, states=states))


def _sources(graph: Graph, after: dict[str, str]) -> set[str]:
    """The inputs, and those that become one of them as a state."""
    read = {*graph.inputs}
    while (
        more := {after[name] for name in read & after.keys() if not graph.producers().get(after[name])} - read
    ):
        read |= more
    return read


def _at_reset(draft: StateDraft, tensor: Tensor, rng: np.random.Generator) -> np.ndarray:
    """Of an operator's own state real 0; else that, a repeated row, or anything."""
    if tensor.dtype == "float32":
        return (rng.integers(-400, 400, tensor.shape) / 8 * draft.step).astype(np.float32)
    zero = np.full(tensor.shape, tensor.zero_point, tensor.dtype)
    kind = draft.draw(st.integers(0, 2))
    if kind == 0 or tensor.name in draft.own:
        return zero
    random = rng.integers(-128, 128, tensor.shape).astype(tensor.dtype)
    return random if kind == 1 else np.ascontiguousarray(np.broadcast_to(random[..., -1:], tensor.shape))


def ring_buffer(draft: GraphDraft) -> Tensor | None:
    """The last rows of an activation: concatenation and slice, as converters write it."""
    assert isinstance(draft, StateDraft)
    x = draft.pick([3, 4])
    if x is None or x.quant is None or x.shape[0] != 1:
        return None
    rows = draft.draw(st.integers(1, 6))
    if draft.draw(st.integers(0, 2)) == 0:
        return _float_ring_buffer(draft, x, rows)
    before = draft.state((1, rows, *x.shape[2:]), x.quant)
    window = draft.add("concatenation", ConcatenationAttrs(1), [before, x], x.quant)
    kept = None if window is None else _last_rows(draft, window, rows)
    if kept is not None:
        draft.own[before.name] = kept.name
    return window


def _last_rows(draft: GraphDraft, window: Tensor, rows: int) -> Tensor:
    attrs = attrs_of((slice(None), slice(-rows, None)), window.shape)
    kept = draft.add("strided_slice", attrs, [window], window.quant)
    assert kept is not None
    return kept


def _float_ring_buffer(draft: StateDraft, x: Tensor, rows: int) -> Tensor | None:
    """The same in float32, quantized behind, as TensorFlow's converter leaves it in an int8 model."""
    quant = x.quant if draft.draw(st.booleans()) else _near(draft, x)
    shape = (1, rows, *x.shape[2:])
    if quant is None or (rows + x.shape[1]) * x.elements // x.shape[1] > MAX_ELEMENTS:
        return None
    before = draft.float_state(shape, quant.scale[0])
    joined = draft.add("concatenation", ConcatenationAttrs(1), [before, _real(draft, x)], None, "float32")
    window = None if joined is None else draft.add("quantize", None, [joined], quant)
    assert window is not None
    draft.own[before.name] = _real(draft, _last_rows(draft, window, rows)).name
    return window


def _near(draft: GraphDraft, x: Tensor) -> QuantParams:
    """A quantization whose steps are not much smaller or larger than those of x."""
    scale = x.scale * 2.0 ** draft.draw(st.floats(-3, 3))
    return QuantParams.per_tensor(max(scale, 2.0**LEAST_EXPONENT), draft.draw(ZERO_POINTS))


def _real(draft: GraphDraft, x: Tensor) -> Tensor:
    real = draft.add("dequantize", None, [x], None, "float32")
    assert real is not None
    return real


def svdf(draft: GraphDraft) -> Tensor | None:
    assert isinstance(draft, StateDraft)
    x = draft.pick()
    if x is None or x.elements > MOST_VALUES:
        return None
    if x.shape[:-1] != (1,):
        x = draft.add("reshape", ReshapeAttrs((1, x.elements)), [x], x.quant)
        assert x is not None
    draw, rng, size = draft.draw, draft.rng(), x.shape[1]
    units, rank = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    memory, wide = draw(st.integers(1, 12)), draw(st.booleans())
    dtype, largest = ("int16", 32767) if wide else ("int8", 127)
    filters = units * rank

    def weights(width: int, most: int, kind: str) -> Tensor:
        data = rng.integers(-most, most + 1, (filters, width)).astype(kind)
        return draft.constant(data, QuantParams.per_tensor(draw(SCALES)))

    feature, time = (
        weights(size, 127, "int8"),
        weights(memory, draw(st.sampled_from([1, 127, largest])), dtype),
    )
    typical = typical_sum(x, feature, size)
    scale = typical * 2.0 ** draw(st.integers(-2, 4)) / largest
    zero_point = 0 if wide else draw(st.sampled_from([0, 0, draw(ZERO_POINTS)]))
    state = draft.state(
        (1, filters * memory), QuantParams.per_tensor(max(scale, 2.0**-60), zero_point), dtype
    )
    bias = draft.constant(
        rng.integers(-1000, 1001, units).astype(np.int32), QuantParams.per_tensor(state.scale * time.scale)
    )
    quant = draw_output_quant(draft, typical * time.scale * 64 * math.sqrt(memory * rank))
    after = Tensor(f"{state.name}/after", state.shape, dtype, state.quant)
    output = draft.add("svdf", SvdfAttrs(rank), [x, feature, time, bias, state], quant)
    assert output is not None
    draft.tensors[after.name] = after
    draft.own[state.name] = after.name
    draft.hidden.add(state.name)
    draft.nodes[-1] = Node(
        output.name, "svdf", SvdfAttrs(rank), draft.nodes[-1].inputs, (output.name, after.name)
    )
    return output


STATE_EMITTERS: dict[str, Emitter] = {emitter.__name__: emitter for emitter in (ring_buffer, svdf)}
