"""Draws for recurrent layers: of any activation, as a sequence."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from mcu_quant.ir import Node, QuantParams, Tensor
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.unidirectional_sequence_lstm import (
    BIAS,
    CELL,
    GATES,
    HIDDEN,
    RECURRENT_WEIGHTS,
    WEIGHTS,
    LstmAttrs,
)
from tests.hunter.build import MAX_MACS, ZERO_POINTS, GraphDraft

#: log2 of a cell state's scale: mostly those that a quantizer gives.
CELL_EXPONENTS = st.sampled_from([*range(-15, -8), *range(-13, -10), -22, 0, 2])
#: How large the sums of gates typically are, as real numbers: log2.
GAINS = st.integers(-4, 4)


def unidirectional_sequence_lstm(draft: GraphDraft) -> Tensor | None:
    """Each run begins anew; in a draft of states they live from run to run (TFLM keeps all or none)."""
    draw, x = draft.draw, sequence_of(draft)
    if x is None or x.quant is None:
        return None
    units = draw(st.one_of(st.integers(1, 9), st.sampled_from([4, 8, 12, 16])))
    _, steps, size = x.shape
    if steps * GATES * units * (size + units) > MAX_MACS:
        return None
    hidden = QuantParams.per_tensor(2.0 ** -draw(st.integers(5, 10)), draw(ZERO_POINTS))
    inputs: list[Tensor | None] = [None] * 24
    inputs[0] = x
    for gate in range(GATES):
        inputs[WEIGHTS + gate] = weights = _weights(draft, (units, size), x.quant.scale[0])
        inputs[RECURRENT_WEIGHTS + gate] = _weights(draft, (units, units), hidden.scale[0])
        unit = x.quant.scale[0] * weights.scale
        values = np.round(draft.rng().normal(0, draw(st.sampled_from([0.0, 0.5, 3.0])), units) / unit)
        quant = QuantParams.per_tensor(max(unit, float(np.finfo(np.float32).tiny)))
        inputs[BIAS + gate] = draft.constant(np.clip(values, -(2**24), 2**24).astype(np.int32), quant)
    cell = QuantParams.per_tensor(2.0 ** draw(CELL_EXPONENTS))
    states = {HIDDEN: ("int8", hidden), CELL: ("int16", cell)}
    if hasattr(draft, "own"):
        for index, (dtype, quant) in states.items():
            inputs[index] = draft.state((1, units), quant, dtype)  # type: ignore[attr-defined]
    attrs = LstmAttrs(cell_clip=draw(st.sampled_from([0.0, 0.0, 0.5, 4.0])))
    output = draft.add("unidirectional_sequence_lstm", attrs, inputs, hidden)
    return None if output is None else with_states(draft, output, inputs, states)


def sequence_of(draft: GraphDraft) -> Tensor | None:
    """An activation [1, steps, size], or one as it would be if its last axis were a step."""
    x = draft.pick()
    if x is None or not x.shape or x.elements > 1500:
        return None
    if len(x.shape) == 3 and x.shape[0] == 1:
        return x
    shape = (1, x.elements // x.shape[-1], x.shape[-1])
    return draft.add("reshape", ReshapeAttrs(shape), [x], x.quant)


def _weights(draft: GraphDraft, shape: tuple[int, int], scale: float) -> Tensor:
    """int8, of one scale, for sums of some size with what has that scale."""
    rng, style = draft.rng(), draft.draw(st.sampled_from(["uniform", "uniform", "small", "extreme"]))
    most = {"small": 2}.get(style, 127)
    data = (
        rng.choice([-127, 127, -128], shape) if style == "extreme" else rng.integers(-most, most + 1, shape)
    )
    typical = scale * 74 * 0.6 * most * math.sqrt(shape[1])
    quant = QuantParams.per_tensor(min(max(2.0 ** draft.draw(GAINS) / typical, 2.0**-100), 2.0**100))
    return draft.constant(data.astype(np.int8), quant)


def with_states(
    draft: GraphDraft,
    output: Tensor,
    inputs: list[Tensor | None],
    states: dict[int, tuple[str, QuantParams]],
) -> Tensor:
    """The node with its states after the run, too."""
    after = []
    for index, (dtype, quant) in states.items():
        before = inputs[index]
        name = f"{output.name}/state_{index}" if before is None else f"{before.name}/after"
        tensor = Tensor(name, (1, output.shape[2]), dtype, quant)
        draft.tensors[tensor.name] = tensor
        after.append(tensor.name)
        if before is not None:
            draft.own[before.name] = tensor.name  # type: ignore[attr-defined]
            draft.hidden.add(before.name)  # type: ignore[attr-defined]
    node = draft.nodes[-1]
    draft.nodes[-1] = Node(node.name, node.op, node.attrs, node.inputs, (output.name, *after))
    return output


EMITTERS = {emitter.__name__: emitter for emitter in (unidirectional_sequence_lstm,)}
