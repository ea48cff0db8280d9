"""Draws for operators that read by index, for images of another size and for mirrored borders."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from mcu_quant.ir import Tensor
from mcu_quant.ops.base import Shape
from mcu_quant.ops.gather import GatherAttrs
from mcu_quant.ops.mirror_pad import MirrorPadAttrs
from mcu_quant.ops.resize import ResizeAttrs
from tests.hunter.build import CHANNELS, QUANTS, GraphDraft

Emitter = Callable[[GraphDraft], Tensor | None]


def _indices(draft: GraphDraft, shape: Shape, sizes: Shape) -> Tensor:
    """Constant, or an input of the model; each below its size."""
    if draft.draw(st.booleans()):
        return draft.input((1, *shape), None, "int32")
    return draft.constant(draft.rng().integers(0, sizes, (1, *shape)).astype(np.int32))


def _embedding(draft: GraphDraft) -> Tensor | None:
    """A constant table, read by an input: where a model of texts begins."""
    entries, width = draft.draw(st.integers(1, 40)), draft.draw(CHANNELS)
    quant = draft.draw(QUANTS)
    table = draft.constant(draft.rng().integers(-128, 128, (entries, width)).astype(np.int8), quant)
    ids = draft.input((1, draft.draw(st.integers(1, 12))), None, "int32")
    return draft.add("gather", GatherAttrs(0), [table, ids], quant)


def gather(draft: GraphDraft) -> Tensor | None:
    x = draft.pick([2, 3, 4])
    if x is None or draft.draw(st.integers(0, 2)) == 2:
        return _embedding(draft)
    axis = draft.draw(st.integers(1, len(x.shape) - 1))
    shape = tuple(draft.draw(st.lists(st.integers(1, 5), min_size=1, max_size=2)))
    indices = _indices(draft, shape, (x.shape[axis],))
    batch_dims = draft.draw(st.integers(0, 1)) if x.shape[0] == 1 else 0
    return draft.add("gather", GatherAttrs(axis, batch_dims), [x, indices], x.quant)


def gather_nd(draft: GraphDraft) -> Tensor | None:
    x = draft.pick([2, 3, 4])
    if x is None:
        return None
    depth = draft.draw(st.integers(1, len(x.shape)))
    indices = _indices(draft, (draft.draw(st.integers(1, 6)), depth), x.shape[:depth])
    return draft.add("gather_nd", None, [x, indices], x.quant)


def mirror_pad(draft: GraphDraft) -> Tensor | None:
    x = draft.pick([2, 3, 4])
    if x is None:
        return None
    mode = draft.draw(st.sampled_from(["reflect", "symmetric"]))
    paddings = [(0, 0)]
    for size in x.shape[1:]:
        widest = min(size - (mode == "reflect"), 3)
        paddings.append((draft.draw(st.integers(0, widest)), draft.draw(st.integers(0, widest))))
    return draft.add("mirror_pad", MirrorPadAttrs(tuple(paddings), mode), [x], x.quant)


def _resize(draft: GraphDraft, op: str) -> Tensor | None:
    x = draft.pick([4])
    if x is None or x.shape[0] != 1:
        return None
    way = draft.draw(st.sampled_from([{}, {"align_corners": True}, {"half_pixel_centers": True}]))
    height, width = (
        draft.draw(st.one_of(st.integers(1, 24), st.sampled_from([size, 2 * size, 3 * size])))
        for size in x.shape[1:3]
    )
    return draft.add(op, ResizeAttrs(height, width, **way), [x], x.quant)


def resize_nearest_neighbor(draft: GraphDraft) -> Tensor | None:
    return _resize(draft, "resize_nearest_neighbor")


def resize_bilinear(draft: GraphDraft) -> Tensor | None:
    return _resize(draft, "resize_bilinear")


EMITTERS: dict[str, Emitter] = {
    emitter.__name__: emitter
    for emitter in (gather, gather_nd, mirror_pad, resize_nearest_neighbor, resize_bilinear)
}
