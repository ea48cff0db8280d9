"""Draws for the operators that slide a window, for fully_connected, and for what reduces or pads."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.softmax import SoftmaxAttrs
from tests.hunter.build import (
    CHANNELS,
    FUSED,
    MAX_MACS,
    GraphDraft,
    draw_bias,
    draw_output_quant,
    draw_weights,
)

PADDING = st.sampled_from(["valid", "same"])
#: Sizes and strides beyond most inputs' sizes: the window may pass the edge.
FILTER = st.integers(1, 5)
STRIDE = st.sampled_from([1, 1, 2, 3, 7])
#: What most models have: two axes, none, or one.
USUAL_FILTERS = ((3, 3), (3, 3), (1, 1), (1, 3), (3, 1))
DILATION = st.sampled_from([1, 1, 1, 2, 3])


def typical_sum(x: Tensor, weights: Tensor, taps: float) -> float:
    """About what a sum of products is."""
    assert x.quant is not None and weights.quant is not None
    return x.quant.scale[0] * 64 * max(weights.quant.scale) * 40 * math.sqrt(taps)


def conv_2d(draft: GraphDraft) -> Tensor | None:
    x = draft.pick([4])
    if x is None:
        return None
    draw = draft.draw
    channels = x.shape[3]
    divisors = [g for g in range(1, channels + 1) if channels % g == 0]
    groups = draw(st.sampled_from(divisors)) if draw(st.integers(0, 5)) == 5 else 1
    outputs = (
        groups * draw(st.integers(1, max(1, 9 // groups)))
        if groups > 1
        else draw(st.one_of(CHANNELS, st.just(channels)))
    )
    window, strides, padding, dilation = _draw_window(draft, x)
    shape = (outputs, *window, channels // groups)
    attrs = Conv2DAttrs(strides, padding, dilation, draw(FUSED))
    if x.shape[1] * x.shape[2] * math.prod(shape) > MAX_MACS * attrs.strides[0] * attrs.strides[1]:
        return None
    weights = draw_weights(draft, shape, 0)
    bias = draw_bias(draft, x, weights, outputs) if draw(st.integers(0, 4)) < 4 else None
    quant = draw_output_quant(draft, typical_sum(x, weights, math.prod(shape[1:])))
    return _with_residual(draft, x, draft.add("conv_2d", attrs, [x, weights, bias], quant))


def _draw_window(
    draft: GraphDraft, x: Tensor
) -> tuple[tuple[int, int], tuple[int, int], str, tuple[int, int]]:
    """Filter, strides, padding and dilation: half of the time as most models have them, else any."""
    draw = draft.draw
    usual = draw(st.sampled_from([None, None, None, *USUAL_FILTERS]))
    if usual is not None:
        stride = draw(st.sampled_from([1, 1, 1, 2]))
        height, width = (1 if side == 1 else size for side, size in zip(x.shape[1:3], usual, strict=True))
        return (height, width), (stride, stride), draw(st.sampled_from(["same", "same", "valid"])), (1, 1)
    size = (draw(FILTER), draw(FILTER))
    height, width = (draw(DILATION) if side > 1 else 1 for side in size)
    return size, (draw(STRIDE), draw(STRIDE)), draw(PADDING), (height, width)


def _with_residual(draft: GraphDraft, x: Tensor, y: Tensor | None) -> Tensor | None:
    """Now and then y is added to x, or to y, as in residual networks."""
    if y is None or x.shape != y.shape or draft.draw(st.booleans()):
        return y
    operands = draft.draw(st.sampled_from([[x, y], [y, x], [y, y]]))
    assert x.quant is not None and y.quant is not None
    quant = draw_output_quant(draft, 64 * max(x.scale, y.scale))
    return draft.add("add", ArithmeticAttrs(draft.draw(FUSED)), operands, quant)


def depthwise_conv_2d(draft: GraphDraft) -> Tensor | None:
    """Always with a bias: TFLM crashes without one."""
    x = draft.pick([4])
    if x is None:
        return None
    draw = draft.draw
    outputs = x.shape[3] * draw(st.sampled_from([1, 1, 1, 2, 3]))
    window, strides, padding, dilation = _draw_window(draft, x)
    shape = (1, *window, outputs)
    attrs = DepthwiseConv2DAttrs(strides, padding, dilation, draw(FUSED))
    if x.shape[1] * x.shape[2] * math.prod(shape) > MAX_MACS * attrs.strides[0] * attrs.strides[1]:
        return None
    weights = draw_weights(draft, shape, 3)
    bias = draw_bias(draft, x, weights, outputs)
    quant = draw_output_quant(draft, typical_sum(x, weights, shape[1] * shape[2]))
    return _with_residual(draft, x, draft.add("depthwise_conv_2d", attrs, [x, weights, bias], quant))


def fully_connected(draft: GraphDraft) -> Tensor | None:
    x = draft.pick()
    if x is None:
        return None
    draw = draft.draw
    keep = draw(st.booleans())
    columns = x.shape[-1] if keep or x.shape[0] * x.shape[-1] == x.elements else x.elements
    units = draw(CHANNELS)
    if x.elements * units > MAX_MACS:
        return None
    weights = draw_weights(draft, (units, columns), 0)
    bias = draw_bias(draft, x, weights, units) if draw(st.integers(0, 4)) < 4 else None
    quant = draw_output_quant(draft, typical_sum(x, weights, columns))
    attrs = FullyConnectedAttrs(draw(FUSED), keep)
    return draft.add("fully_connected", attrs, [x, weights, bias], quant)


def _pool(draft: GraphDraft, op: str) -> Tensor | None:
    x = draft.pick([4])
    if x is None:
        return None
    draw = draft.draw
    everything = draw(st.integers(0, 4)) == 4
    size = (x.shape[1], x.shape[2]) if everything else (draw(FILTER), draw(FILTER))
    attrs = Pool2DAttrs(size, (draw(STRIDE), draw(STRIDE)), draw(PADDING), draw(FUSED))
    return draft.add(op, attrs, [x], x.quant)


def max_pool_2d(draft: GraphDraft) -> Tensor | None:
    return _pool(draft, "max_pool_2d")


def average_pool_2d(draft: GraphDraft) -> Tensor | None:
    return _pool(draft, "average_pool_2d")


def pad(draft: GraphDraft) -> Tensor | None:
    x = draft.pick([2, 3, 4])
    if x is None:
        return None
    size = st.integers(0, 3)
    paddings = ((0, 0), *((draft.draw(size), draft.draw(size)) for _ in x.shape[1:]))
    return draft.add("pad", PadAttrs(paddings), [x], x.quant)


def softmax(draft: GraphDraft) -> Tensor | None:
    """Rows below 512: TFLM aborts where a row's exponentials sum to 512."""
    x = draft.pick()
    if x is None or x.shape[-1] >= 512:
        return None
    beta = draft.draw(st.sampled_from([1.0, 0.5, 3.0]))
    return draft.add(
        "softmax", SoftmaxAttrs(float(np.float32(beta))), [x], QuantParams.per_tensor(1 / 256, -128)
    )


EMITTERS = {
    emitter.__name__: emitter
    for emitter in (
        conv_2d,
        depthwise_conv_2d,
        fully_connected,
        max_pool_2d,
        average_pool_2d,
        pad,
        softmax,
    )
}
