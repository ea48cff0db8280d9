"""Draws of models over a window of time, to be streamed: convolutions, pooling, branches, and a head."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from mcu_quant.errors import McuQuantError
from mcu_quant.ir import Graph, QuantParams, Streaming, Tensor
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.concatenation import ConcatenationAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.logistic import LogisticAttrs
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.ops.relu import ReluAttrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.strided_slice import attrs_of
from mcu_quant.ops.support import find_problems
from mcu_quant.ops.transpose import TransposeAttrs
from mcu_quant.streaming import stream_graph
from mcu_quant.streaming.windows import run_windows
from tests.hunter.build import (
    FUSED,
    QUANTS,
    SEEDS,
    Draw,
    GraphDraft,
    draw_bias,
    draw_output_quant,
    draw_weights,
)
from tests.hunter.graphs import EMITTERS, NEEDS_IMAGE, Case
from tests.hunter.int16 import int16_graph
from tests.hunter.windows import typical_sum

#: Hops of a stream: beyond every window that is drawn.
HOPS = 40
#: What reads all of the window, or pads it: a small share.
OTHERS = sorted(name for name in EMITTERS if name not in NEEDS_IMAGE)
#: Of inputs; mostly zero_points that leave room on both sides.
TAME = st.one_of(st.builds(QuantParams.per_tensor, st.just(0.05), st.integers(-20, 20)), QUANTS)
#: One of so many layers is drawn as wildly as in other graphs; more, and most outputs would saturate, and say
#: nothing of the rows that they are made of.
WILD = 8


@dataclass(frozen=True)
class StreamCase(Case):
    """A streaming graph and hops of a stream, [HOPS, *shape], and the window model that it was made of."""

    window: Graph

    @property
    def streaming(self) -> Streaming:
        assert self.graph.streaming is not None
        return self.graph.streaming

    def expected(self) -> list[np.ndarray]:
        """By the window model, of every window."""
        return run_windows(self.window, self.streaming, self.inputs[0])


def stream_case(window: Graph, axis: int, hop: int, hops: np.ndarray) -> StreamCase:
    """Raises McuQuantError where the window model cannot stream."""
    return StreamCase(stream_graph(window, axis, hop), (hops,), window)


class TimeDraft(GraphDraft):
    """An image whose time is along `time`, 1 or 2. All layers take what was made last, or a branch of it."""

    time: int = 1

    def newest(self) -> Tensor:
        return self.activations()[0]


def is_wild(draft: TimeDraft) -> bool:
    return bool(draft.draw(st.integers(1, WILD)) == WILD)


def weights_of(draft: TimeDraft, shape: tuple[int, ...], channel_axis: int) -> Tensor:
    if is_wild(draft):
        return draw_weights(draft, shape, channel_axis)
    rng, channels = draft.rng(), shape[channel_axis]
    data = rng.integers(-127, 128, shape).astype(np.int8)
    return draft.constant(data, QuantParams.per_channel(rng.uniform(0.005, 0.01, channels), channel_axis))


def bias_of(draft: TimeDraft, x: Tensor, weights: Tensor, channels: int) -> Tensor:
    """int32, of some thousands: tens of steps of an output."""
    if is_wild(draft):
        return draw_bias(draft, x, weights, channels)
    assert weights.quant is not None
    scales = np.asarray(weights.quant.scale) * x.scale
    many = len(scales) > 1
    quant = QuantParams.per_channel(scales, 0) if many else QuantParams.per_tensor(float(scales[0]))
    return draft.constant(draft.rng().integers(-3000, 3000, channels).astype(np.int32), quant)


def quant_of(draft: TimeDraft, typical: float) -> QuantParams:
    """Such that typical values are tens of steps around the zero_point."""
    if is_wild(draft):
        return draw_output_quant(draft, typical)
    scale = typical / 40 * draft.draw(st.sampled_from([0.7, 1.0, 1.5]))
    return QuantParams.per_tensor(scale, draft.draw(st.integers(-20, 20)))


def _window(draft: TimeDraft, x: Tensor) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """(filter, strides, dilation): along time within the input."""
    draw, time = draft.draw, draft.time - 1
    rows = x.shape[draft.time]
    taps = draw(st.integers(1, min(rows, 5)))
    gap = draw(st.sampled_from([1, 1, 1, 2, 3]))
    gap = gap if (taps - 1) * gap < rows else 1
    stride = draw(st.sampled_from([1, 1, 1, 2, 3]))
    across = x.shape[3 - draft.time]
    other = draw(st.integers(1, min(across, 3)))
    pick = (lambda a, b: (a, b)) if time == 0 else (lambda a, b: (b, a))
    return pick(taps, other), pick(stride, draw(st.sampled_from([1, 1, 2]))), pick(gap, 1)


def _padding(draft: TimeDraft, x: Tensor, size: Sequence[int]) -> str:
    """Mostly none; same where it pads along the other axis alone; now and then along time."""
    along = size[draft.time - 1]
    return draft.draw(st.sampled_from(["valid", "valid", "same" if along == 1 else "valid", "same"]))


def convolution(draft: TimeDraft, x: Tensor) -> Tensor | None:
    draw = draft.draw
    size, strides, dilation = _window(draft, x)
    padding = _padding(draft, x, size)
    if draw(st.booleans()):
        weights = weights_of(draft, (draw(st.integers(1, 6)), *size, x.shape[3]), 0)
        bias = bias_of(draft, x, weights, weights.shape[0])
        quant = quant_of(draft, typical_sum(x, weights, math.prod(weights.shape[1:])))
        attrs: Any = Conv2DAttrs(strides, padding, dilation, draw(FUSED))
        return draft.add("conv_2d", attrs, [x, weights, bias], quant)
    weights = weights_of(draft, (1, *size, x.shape[3]), 3)
    bias = bias_of(draft, x, weights, weights.shape[3])
    quant = quant_of(draft, typical_sum(x, weights, math.prod(size)))
    attrs = DepthwiseConv2DAttrs(strides, padding, dilation, draw(FUSED))
    return draft.add("depthwise_conv_2d", attrs, [x, weights, bias], quant)


def pooling(draft: TimeDraft, x: Tensor) -> Tensor | None:
    size, strides, _ = _window(draft, x)
    op = draft.draw(st.sampled_from(["max_pool_2d", "average_pool_2d"]))
    attrs = Pool2DAttrs(size, strides, _padding(draft, x, size))
    return draft.add(op, attrs, [x], x.quant)


def activation(draft: TimeDraft, x: Tensor) -> Tensor | None:
    if draft.draw(st.booleans()):
        return draft.add("logistic", LogisticAttrs(), [x], QuantParams.per_tensor(1 / 256, -128))
    return draft.add("relu", ReluAttrs(), [x], quant_of(draft, 40 * x.scale))


def border(draft: TimeDraft, x: Tensor) -> Tensor | None:
    """Padding before the first row (causal), or across."""
    before = draft.draw(st.integers(0, 3))
    paddings = [(0, 0)] * 4
    paddings[draft.time if draft.draw(st.booleans()) else 3 - draft.time] = (
        before,
        draft.draw(st.sampled_from([0, 0, 1])),
    )
    return draft.add("pad", PadAttrs(tuple(paddings)), [x], x.quant)


def cut(draft: TimeDraft, x: Tensor) -> Tensor | None:
    """Some rows: a crop, every other, the last."""
    rows = x.shape[draft.time]
    first = draft.draw(st.integers(0, min(3, rows - 1)))
    end = rows - draft.draw(st.integers(0, min(2, rows - 1 - first)))
    step = draft.draw(st.sampled_from([1, 1, 2]))
    index = [*[slice(None)] * draft.time, slice(first, end, step)]
    return draft.add("strided_slice", attrs_of(index, x.shape), [x], x.quant)


def residual(draft: TimeDraft, x: Tensor) -> Tensor | None:
    """A layer, and what it reads beside it, cut to its rows at a drawn place."""
    y = draft.draw(st.sampled_from([convolution, pooling, activation]))(draft, x)
    if y is None or y.shape[3 - draft.time] != x.shape[3 - draft.time]:
        return y
    spare = x.shape[draft.time] - y.shape[draft.time]
    if spare < 0 or y.shape[3] not in (1, x.shape[3]):
        return y
    first = draft.draw(st.integers(0, spare))
    index = [*[slice(None)] * draft.time, slice(first, first + y.shape[draft.time])]
    part = draft.add("strided_slice", attrs_of(index, x.shape), [x], x.quant)
    assert part is not None
    if y.shape == part.shape and y.quant == x.quant:
        return draft.add("concatenation", ConcatenationAttrs(3), [part, y], x.quant)
    quant = quant_of(draft, 64 * max(x.scale, y.scale))
    return draft.add("add", ArithmeticAttrs(draft.draw(FUSED)), [part, y], quant)


def anything(draft: TimeDraft, x: Tensor) -> Tensor | None:
    """Any operator at all, of anything that there is."""
    return EMITTERS[draft.draw(st.sampled_from(OTHERS))](draft)


LAYERS: tuple[Callable[[TimeDraft, Tensor], Tensor | None], ...] = (
    *4 * (convolution,), *2 * (pooling,), *2 * (residual,), activation, border, cut, anything
)  # fmt: skip


def head(draft: TimeDraft, x: Tensor) -> None:
    """Nothing, a mean, a dense layer of all rows or of each, axes in another order, or fewer."""
    way = draft.draw(st.sampled_from(["rows", "mean", "flat", "dense", "turned", "squeezed"]))
    if way == "mean":
        axes = draft.draw(st.sampled_from([(1, 2), (draft.time,), (3 - draft.time,), (3,)]))
        draft.add("mean", ReductionAttrs(axes), [x], quant_of(draft, 40 * x.scale))
    elif way == "flat":
        flat = draft.add("reshape", ReshapeAttrs((1, x.elements)), [x], x.quant)
        assert flat is not None
        _dense(draft, flat, False)
    elif way == "dense":
        _dense(draft, x, True)
    elif way == "turned":
        order = draft.draw(st.permutations([1, 2, 3]))
        draft.add("transpose", TransposeAttrs((0, *order)), [x], x.quant)
    elif way == "squeezed":
        rows, rest = (
            (x.shape[1], x.shape[2] * x.shape[3])
            if draft.time == 1
            else (x.shape[1] * x.shape[2], x.shape[3])
        )
        merged = draft.add("reshape", ReshapeAttrs((1, rows, rest)), [x], x.quant)
        assert merged is not None
        _dense(draft, merged, draft.draw(st.booleans()))


def _dense(draft: TimeDraft, x: Tensor, keep: bool) -> None:
    weights = weights_of(draft, (draft.draw(st.integers(1, 4)), x.shape[-1]), 0)
    bias = bias_of(draft, x, weights, weights.shape[0])
    quant = quant_of(draft, typical_sum(x, weights, x.shape[-1]))
    draft.add("fully_connected", FullyConnectedAttrs("none", keep), [x, weights, bias], quant)


@st.composite
def window_models(draw: Draw) -> tuple[Graph, int]:
    """(a model over time, the axis of time)."""
    draft = TimeDraft(draw)
    draft.time = draw(st.sampled_from([1, 1, 2]))
    shape = [1, draw(st.sampled_from([1, 1, 2, 5])), 0, draw(st.sampled_from([1, 2, 4]))]
    shape[2] = draw(st.integers(6, 30))
    if draft.time == 1:
        shape[1], shape[2] = shape[2], shape[1]
    draft.input(tuple(shape), draw(TAME))
    for _ in range(draw(st.integers(1, 5))):
        x = draft.newest()
        if len(x.shape) != 4 or x.shape[draft.time] < 2:
            break
        draw(st.sampled_from(LAYERS))(draft, x)
    if len(draft.newest().shape) == 4:
        head(draft, draft.newest())
    assume(draft.nodes)
    graph = draft.graph(draw(st.sampled_from([0, 0, 0, 1])))
    assume(graph.inputs)
    return graph, draft.time


@st.composite
def stream_cases(draw: Draw) -> StreamCase:
    """Only what can be streamed; some of int16."""
    window, axis = draw(window_models())
    wide = int16_graph(window) if draw(st.integers(0, 3)) == 3 else window
    window = window if find_problems(wide) else wide
    source = window.input_tensors()[0]
    assume(len(window.inputs) == 1 and axis < len(source.shape) and source.dtype in ("int8", "int16"))
    hop = draw(st.integers(1, min(4, source.shape[axis])))
    shape = (HOPS, *source.shape[:axis], hop, *source.shape[axis + 1 :])
    limits = np.iinfo(source.dtype)
    rng = np.random.default_rng(draw(SEEDS))
    hops = rng.integers(limits.min, limits.max, shape, source.dtype, endpoint=True)
    try:
        return stream_case(window, axis, hop, hops)
    except McuQuantError:
        assume(False)
        raise


def shrink_stream(case: StreamCase, fails: Callable[[StreamCase], bool]) -> StreamCase:
    """The fewest of the window model's first nodes that fail."""
    streaming = case.streaming
    for count in range(1, len(case.window.nodes)):
        nodes = case.window.nodes[:count]
        read = {name for node in nodes for name in node.inputs}
        outputs = tuple(name for node in nodes for name in node.outputs if name not in read)
        try:
            window = case.window.with_(nodes=nodes, outputs=outputs)
            smaller = stream_case(window, streaming.axis, streaming.hop, case.inputs[0])
        except McuQuantError:
            continue
        if fails(smaller):
            return smaller
    return case
