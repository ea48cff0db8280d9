"""Draws for what only moves elements: orders of axes, repetitions, blocks of space as channels."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from mcu_quant.ir import Tensor
from mcu_quant.ops import moves
from mcu_quant.ops.broadcast_to import BroadcastToAttrs
from mcu_quant.ops.moves import Steps
from mcu_quant.ops.transpose import TransposeAttrs
from tests.hunter.build import MAX_ELEMENTS, GraphDraft
from tests.hunter.elementwise import Emitter

#: TFLM transposes and broadcasts five axes.
MAX_RANK = 5


def _chain(draft: GraphDraft, x: Tensor, steps: Steps) -> Tensor | None:
    """The steps from x; no node where the last one's output would be too large."""
    y: Tensor | None = x
    for op, attrs in steps:
        y = None if y is None else draft.add(op, attrs, [y], x.quant)
    return y


def transpose(draft: GraphDraft) -> Tensor | None:
    """Any order, or the one that blocks need."""
    draw = draft.draw
    x = draft.pick([2, 3, 4, 5])
    if x is None:
        return None
    if len(x.shape) == 4 and draw(st.booleans()):
        return _blocks(draft, x)
    axes = draw(st.permutations(range(1, len(x.shape))))
    return draft.add("transpose", TransposeAttrs((0, *axes)), [x], x.quant)


def _blocks(draft: GraphDraft, x: Tensor) -> Tensor | None:
    _, height, width, channels = x.shape
    sides = [side for side in (2, 3, 4) if height % side == 0 and width % side == 0]
    roots = [side for side in (2, 3, 4) if channels % side**2 == 0]
    able = [("space_to_depth", side) for side in sides] + [("depth_to_space", side) for side in roots]
    if not able:
        return None
    name, side = draft.draw(st.sampled_from(able))
    return _chain(draft, x, getattr(moves, name)(x.shape, side))


def broadcast_to(draft: GraphDraft) -> Tensor | None:
    """Axes of size 1 to any size, or the whole, or each index, several times."""
    draw = draft.draw
    x = draft.pick([2, 3, 4])
    if x is None:
        return None
    way, count = draw(st.sampled_from(["broadcast", "tile", "repeat"])), draw(st.integers(2, 5))
    axis = draw(st.integers(1, len(x.shape) - 1))
    if x.elements * count > MAX_ELEMENTS:
        return None
    if way == "repeat":
        return _chain(draft, x, moves.repeat(x.shape, count, axis))
    if way == "tile":
        counts = [count if i == axis else 1 for i in range(len(x.shape))]
        return _chain(draft, x, moves.tile(x.shape, counts))
    shape = tuple(draw(st.sampled_from([1, 2, 5])) if i and n == 1 else n for i, n in enumerate(x.shape))
    if len(shape) < MAX_RANK and draw(st.integers(0, 3)) == 3:
        shape = (1, *shape)
    return None if math.prod(shape) > MAX_ELEMENTS else _broadcast(draft, x, shape)


def _broadcast(draft: GraphDraft, x: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    return draft.add("broadcast_to", BroadcastToAttrs(shape), [x], x.quant)


EMITTERS: dict[str, Emitter] = {emitter.__name__: emitter for emitter in (transpose, broadcast_to)}
