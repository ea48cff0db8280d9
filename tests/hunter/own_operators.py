"""Draws of graphs with recurrent layers: an LSTM, svdf, or one of our own (docs/CUSTOM_OPERATORS.md).

No other runtime has these. One that is alone is held to the page's second implementation; behind and before
others C to the reference.
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.gru import GruAttrs
from mcu_quant.ops.recurrent import HIDDEN, HIDDEN_QUANT, INPUTS, RecurrentOperator
from mcu_quant.ops.simple_rnn import SimpleRnnAttrs
from tests.hunter import elementwise
from tests.hunter.build import CHANNELS, MAX_MACS, QUANTS, SEEDS, WEIGHT_STYLES, ZERO_POINTS, Draw, GraphDraft
from tests.hunter.floats import float_case
from tests.hunter.graphs import EMITTERS, NEEDS_IMAGE, SHAPES, Case, draw_samples
from tests.hunter.int16 import int16_case
from tests.hunter.recurrent import sequence_of, unidirectional_sequence_lstm, with_states
from tests.hunter.states import state_cases, svdf

#: log2 of how large sums of gates typically are, and of an output's scale.
_GAINS, _SCALES = st.integers(-5, 5), st.integers(-10, -5)
_UNITS = st.one_of(st.integers(1, 9), CHANNELS)


def gru(draft: GraphDraft) -> Tensor | None:
    return _recurrent(draft, "gru", GruAttrs(draft.draw(st.booleans())))


def simple_rnn(draft: GraphDraft) -> Tensor | None:
    return _recurrent(draft, "simple_rnn", SimpleRnnAttrs())


EMITTERS_OF_OURS = {emitter.__name__: emitter for emitter in (gru, simple_rnn)}


def _recurrent(draft: GraphDraft, op: str, attrs: object) -> Tensor | None:
    """Each run begins anew; in a draft of states the hidden state may live from run to run."""
    draw, x, operator = draft.draw, sequence_of(draft), OPERATORS[op]
    assert isinstance(operator, RecurrentOperator)
    if x is None or x.quant is None:
        return None
    units, (_, steps, size) = draw(_UNITS), x.shape
    rows = operator.gates * units
    if steps * rows * (size + units) > MAX_MACS:
        return None
    y = QuantParams.per_tensor(2.0 ** draw(_SCALES), draw(ZERO_POINTS))
    inputs: list[Tensor | None] = [x, *[None] * (INPUTS - 1)]
    for place, columns, scale in ((1, size, x.quant.scale[0]), (2, units, y.scale[0])):
        inputs[place] = weights = _weights(draft, (rows, columns), scale)
        if draw(st.integers(0, 3)):
            inputs[place + 2] = _bias(draft, weights, scale)
    if hasattr(draft, "own") and draw(st.booleans()):
        inputs[HIDDEN] = draft.state((1, units), HIDDEN_QUANT, "int16")
    output = draft.add(op, attrs, inputs, y)
    return None if output is None else with_states(draft, output, inputs, {HIDDEN: ("int16", HIDDEN_QUANT)})


def _weights(draft: GraphDraft, shape: tuple[int, int], scale: float) -> Tensor:
    """int8, per tensor or per row, for sums of some size with what has that scale."""
    draw, rng = draft.draw, draft.rng()
    style = draw(st.sampled_from(WEIGHT_STYLES))
    most = {"small": 2, "one": 1}.get(style, 127)
    data = rng.integers(-most, most + 1, shape)
    data = rng.choice([-127, 127, -128], shape) if style == "extreme" else data
    if style.startswith("zero"):
        data[rng.integers(0, 2, shape[0]) == 0] = 0
    typical = scale * 74 * 0.6 * most * math.sqrt(shape[1])
    wanted = min(max(2.0 ** draw(_GAINS) / typical, 2.0**-60), 2.0**60)
    quant = QuantParams.per_tensor(wanted)
    if draw(st.booleans()):
        quant = QuantParams.per_channel(wanted * 4.0 ** rng.uniform(-1, 1, shape[0]), 0)
    return draft.constant(data.astype(np.int8), quant)


def _bias(draft: GraphDraft, weights: Tensor, scale: float) -> Tensor:
    assert weights.quant is not None
    units = np.maximum(scale * np.asarray(weights.quant.scale), np.finfo(np.float32).tiny)
    real = draft.rng().normal(0, draft.draw(st.sampled_from([0.1, 0.5, 4.0])), weights.shape[0])
    values = np.clip(np.round(real / units), -(2**24), 2**24).astype(np.int32)
    is_one = len(units) == 1
    quant = QuantParams.per_tensor(float(units[0])) if is_one else QuantParams.per_channel(units, 0)
    return draft.constant(values, quant)


#: The layers that keep something from step to step, whoever defines them.
RECURRENT = {**EMITTERS_OF_OURS, "unidirectional_sequence_lstm": unidirectional_sequence_lstm}


def _in_any_form(draw: Draw, case: Case) -> Case:
    """As it is, or as int16 or float32."""
    assume(any(node.op in (*RECURRENT, "svdf") for node in case.graph.nodes))
    form = draw(st.sampled_from(["int8", "int8", "int16", "float"]))
    found = {"int8": lambda case: case, "int16": int16_case, "float": float_case}[form](case)
    assume(found is not None)
    assert found is not None
    return found


@st.composite
def stateful_cases(draw: Draw) -> Case:
    """Among others with states, svdf among them."""
    return _in_any_form(draw, draw(state_cases({**RECURRENT, "svdf": svdf})))


@st.composite
def anew_cases(draw: Draw) -> Case:
    """Each run begins anew: one of them alone, or up to five layers with some of them."""
    draft = GraphDraft(draw)
    elementwise.draw_input(draft, draw(SHAPES), draw(QUANTS))
    for _ in range(draw(st.sampled_from([1, 1, 2, 3, 5]))):
        images = bool(draft.activations([4]))
        able = sorted(name for name in EMITTERS if images or name not in NEEDS_IMAGE)
        name = draw(st.sampled_from([*2 * sorted(RECURRENT), draw(st.sampled_from(able))]))
        {**EMITTERS, **RECURRENT}[name](draft)
    assume(draft.nodes)
    graph = draft.graph(draw(st.integers(0, 1)))
    assume(graph.inputs and all(tensor.shape[:1] in ((), (1,)) for tensor in graph.input_tensors()))
    return _in_any_form(draw, Case(graph, draw_samples(graph, draw(SEEDS))))
