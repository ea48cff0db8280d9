"""Draws for the operators that combine, or sum up, elements along axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.cumsum import MOST_ELEMENTS, CumsumAttrs
from mcu_quant.ops.log_softmax import LogSoftmaxAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from tests.hunter.build import GraphDraft, draw_output_quant
from tests.hunter.elementwise import Emitter


def _reduce(
    draft: GraphDraft, op: str, output: Callable[[Tensor, ReductionAttrs], QuantParams]
) -> Tensor | None:
    x = draft.pick([2, 3, 4])
    if x is None:
        return None
    draw = draft.draw
    axes = draw(st.sets(st.integers(1, len(x.shape) - 1), min_size=1))
    attrs = ReductionAttrs(tuple(sorted(axes)), draw(st.booleans()))
    return draft.add(op, attrs, [x], output(x, attrs))


def _count(x: Tensor, attrs: ReductionAttrs) -> int:
    return int(np.prod([x.shape[axis] for axis in attrs.axes]))


def mean(draft: GraphDraft) -> Tensor | None:
    return _reduce(draft, "mean", lambda x, attrs: draw_output_quant(draft, x.scale * 40))


def sum(draft: GraphDraft) -> Tensor | None:
    return _reduce(
        draft, "sum", lambda x, attrs: draw_output_quant(draft, x.scale * 70 * _count(x, attrs) ** 0.5)
    )


def reduce_max(draft: GraphDraft) -> Tensor | None:
    return _reduce(draft, "reduce_max", lambda x, attrs: x.quant)


def reduce_min(draft: GraphDraft) -> Tensor | None:
    return _reduce(draft, "reduce_min", lambda x, attrs: x.quant)


def cumsum(draft: GraphDraft) -> Tensor | None:
    """Of a zero_point of 0: behind a QUANTIZE if need be."""
    draw, x = draft.draw, draft.pick()
    if x is None:
        return None
    axis = draw(st.integers(0, len(x.shape) - 1))
    if x.shape[axis] > MOST_ELEMENTS:
        return None
    if x.zero_point != 0:
        quantized = draft.add("quantize", None, [x], QuantParams.per_tensor(x.scale))
        assert quantized is not None
        x = quantized
    attrs = CumsumAttrs(axis, draw(st.booleans()), draw(st.booleans()))
    output = draw_output_quant(draft, x.scale * 70 * x.shape[axis] ** 0.5)
    if x.scale / output.scale[0] >= 2.0**18:
        output = QuantParams.per_tensor(x.scale, output.zero_point[0])
    return draft.add("cumsum", attrs, [x], output)


def log_softmax(draft: GraphDraft) -> Tensor | None:
    x = draft.pick()
    if x is None or x.scale <= 2.0**-25:
        return None
    return draft.add("log_softmax", LogSoftmaxAttrs(), [x], QuantParams.per_tensor(16 / 256, 127))


def l2_normalization(draft: GraphDraft) -> Tensor | None:
    x = draft.pick([2, 3, 4])
    return None if x is None else draft.add("l2_normalization", None, [x], QuantParams.per_tensor(1 / 128))


EMITTERS: dict[str, Emitter] = {
    emitter.__name__: emitter
    for emitter in (mean, sum, reduce_max, reduce_min, cumsum, log_softmax, l2_normalization)
}
