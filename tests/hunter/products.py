"""Draws for transpose_conv and batch_matmul."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from mcu_quant.ir import Tensor
from mcu_quant.ops.batch_matmul import BatchMatmulAttrs
from mcu_quant.ops.transpose_conv import TransposeConvAttrs
from tests.hunter.build import (
    CHANNELS,
    FUSED,
    MAX_ELEMENTS,
    MAX_MACS,
    QUANTS,
    GraphDraft,
    draw_bias,
    draw_output_quant,
    draw_weights,
)
from tests.hunter.windows import FILTER, PADDING, typical_sum

SPREAD = st.sampled_from([1, 2, 2, 2, 3, 5])


def transpose_conv(draft: GraphDraft) -> Tensor | None:
    """Mostly to a size that the convolution brings back; else to any, which TFLM computes, too."""
    x = draft.pick([4])
    if x is None:
        return None
    draw = draft.draw
    size, strides, padding = (draw(FILTER), draw(FILTER)), (draw(SPREAD), draw(SPREAD)), draw(PADDING)
    made = tuple(
        (seen - 1) * stride + (1 if padding == "same" else taps) + draw(st.integers(0, stride - 1))
        for seen, stride, taps in zip(x.shape[1:3], strides, size, strict=True)
    )
    if draw(st.integers(0, 5)) == 5:
        made = (draw(st.integers(1, 15)), draw(st.integers(1, 15)))
    outputs = draw(CHANNELS)
    shape = (outputs, *size, x.shape[3])
    if x.elements * math.prod(shape[:3]) > MAX_MACS or math.prod(made) * outputs > MAX_ELEMENTS:
        return None
    weights = draw_weights(draft, shape, 0)
    bias = draw_bias(draft, x, weights, outputs) if draw(st.integers(0, 4)) < 4 else None
    taps = math.prod(size) * x.shape[3] / math.prod(strides)
    quant = draw_output_quant(draft, typical_sum(x, weights, taps))
    attrs = TransposeConvAttrs((made[0], made[1]), strides, padding, draw(FUSED))
    return draft.add("transpose_conv", attrs, [x, weights, bias], quant)


def batch_matmul(draft: GraphDraft) -> Tensor | None:
    """With itself turned, with another that fits, or with a constant."""
    draw = draft.draw
    a = draft.pick([2, 3, 4])
    if a is None:
        return None
    adj_x = draw(st.booleans()) and len(a.shape) > 2
    depth = a.shape[-2 if adj_x else -1]
    fitting = [
        (b, turned)
        for b in draft.activations([2, 3, 4])
        for turned in (False, True)
        if _fits(b, a, depth, turned)
    ]
    if fitting and draw(st.integers(0, 3)) < 3:
        b, adj_y = draw(st.sampled_from(fitting))
    else:
        b, adj_y = _constant_matrix(draft, a, depth), draw(st.booleans())
        b = draft.constant(b.swapaxes(-1, -2) if adj_y else b, draw(QUANTS))
    elements = a.elements // depth * b.shape[-2 if adj_y else -1] * math.prod(b.shape[:-2])
    if elements > MAX_ELEMENTS or elements * depth > MAX_MACS:
        return None
    quant = draw_output_quant(draft, a.scale * b.scale * 64 * 64 * math.sqrt(depth))
    return draft.add("batch_matmul", BatchMatmulAttrs(adj_x, adj_y), [a, b], quant)


def _constant_matrix(draft: GraphDraft, a: Tensor, depth: int) -> np.ndarray:
    """A second operand [..., depth, columns], whose batches fit those of `a`."""
    batch = tuple(draft.draw(st.sampled_from([1, size])) for size in a.shape[:-2])
    batch = batch[draft.draw(st.integers(0, len(batch))) :]
    shape = (*batch, depth, draft.draw(st.integers(1, 9)))
    return draft.rng().integers(-128, 128, shape).astype(np.int8)


def _fits(b: Tensor, a: Tensor, depth: int, turned: bool) -> bool:
    batches = zip(reversed(a.shape[:-2]), reversed(b.shape[:-2]), strict=False)
    return b.shape[-1 if turned else -2] == depth and all(x == y or 1 in (x, y) for x, y in batches)


EMITTERS = {emitter.__name__: emitter for emitter in (transpose_conv, batch_matmul)}
