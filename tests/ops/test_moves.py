"""Steps of movers are what NumPy has as one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from mcu_quant.ops import OPERATORS, moves
from mcu_quant.ops.base import Shape
from mcu_quant.ops.mover import Mover
from mcu_quant.ops.moves import Steps

SHAPES = [(1, 6), (1, 4, 6), (1, 4, 6, 2), (2, 4, 2, 6), (1, 2, 4, 2, 6), (3, 2, 2, 2, 2, 2)]


def run(steps: Steps, x: np.ndarray) -> np.ndarray:
    """The steps on one sample; every step's declared shape is what it gives."""
    for op, attrs in steps:
        operator = OPERATORS[op]
        assert isinstance(operator, Mover)
        (shape,) = operator.output_shapes(attrs, [x.shape])
        x = operator.moved(attrs, x[None])[0]
        assert x.shape == tuple(shape)
    return x


def numbered(shape: Shape) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_along_each_axis(shape: Shape) -> None:
    x = numbered(shape)
    for axis, size in enumerate(shape):
        np.testing.assert_array_equal(run(moves.flip(shape, [axis]), x), np.flip(x, axis))
        np.testing.assert_array_equal(run(moves.repeat(shape, 3, axis), x), np.repeat(x, 3, axis))
        np.testing.assert_array_equal(run(moves.index(shape, axis, size - 1), x), x.take(size - 1, axis))
        first = size // 2
        expected = x.take(range(first, size), axis)
        np.testing.assert_array_equal(run(moves.part(shape, axis, first, size - first), x), expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_along_several_axes(shape: Shape) -> None:
    x, rank = numbered(shape), len(shape)
    for axes in ([0, rank - 1], list(range(rank)), []):
        np.testing.assert_array_equal(run(moves.flip(shape, axes), x), np.flip(x, axes))
    for counts in ([1] * rank, [1, *[2] * (rank - 1)], [3, *[1] * (rank - 1)]):
        steps = moves.tile(shape, counts)
        np.testing.assert_array_equal(run(steps, x), np.tile(x, counts))
        assert all(len(attrs.shape) <= 5 for op, attrs in steps if op == "broadcast_to")


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("block", [1, 2, 4])
def test_depth_and_space_are_inverse(batch: int, block: int) -> None:
    x = numbered((batch, 4, 8, 3))
    deep = run(moves.space_to_depth(x.shape, block), x)
    assert deep.shape == (batch, 4 // block, 8 // block, 3 * block**2)
    np.testing.assert_array_equal(deep[0, 0, 0, -3:], x[0, block - 1, block - 1])
    np.testing.assert_array_equal(run(moves.depth_to_space(deep.shape, block), deep), x)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("block", [(2,), (2, 3), (1, 2, 1)])
def test_batch_and_space_are_inverse(batch: int, block: Sequence[int]) -> None:
    x = numbered((batch, 4, 6, 2, 2))
    none = [(0, 0)] * len(block)
    batches = run(moves.space_to_batch(x.shape, block, none), x)
    assert len(batches) == batch * np.prod(block)
    corners = batches[(slice(0, batch), *[0] * len(block))]
    np.testing.assert_array_equal(corners, x[(slice(None), *[0] * len(block))])
    np.testing.assert_array_equal(run(moves.batch_to_space(batches.shape, block, none), batches), x)
    cropped = run(moves.batch_to_space(batches.shape, block, [(1, 0), *none[1:]]), batches)
    np.testing.assert_array_equal(cropped, x[:, 1:])


REFUSED: dict[str, Callable[[], Steps]] = {
    "tiles": lambda: moves.tile((1, 3), [1]),
    "no tiles": lambda: moves.tile((1, 3), [1, 0]),
    "no repeats": lambda: moves.repeat((1, 3), 0, 1),
    "rows": lambda: moves.space_to_depth((1, 3, 4, 1), 2),
    "columns": lambda: moves.space_to_depth((1, 4, 3, 1), 2),
    "no block": lambda: moves.space_to_depth((1, 4, 3, 1), 0),
    "rank": lambda: moves.space_to_depth((1, 4, 4), 2),
    "channels": lambda: moves.depth_to_space((1, 2, 2, 6), 2),
    "block 0": lambda: moves.depth_to_space((1, 2, 2, 4), 0),
    "sides": lambda: moves.space_to_batch((1, 3, 4, 1), (2, 2), [(0, 0), (0, 0)]),
    "side 0": lambda: moves.space_to_batch((1, 3, 4, 1), (0, 2), [(0, 0), (0, 0)]),
    "too many sides": lambda: moves.space_to_batch((1, 4), (2, 2), [(0, 0), (0, 0)]),
    "borders": lambda: moves.space_to_batch((1, 4, 4, 1), (2, 2), [(0, 0)]),
    "batches": lambda: moves.batch_to_space((3, 2, 2, 1), (2, 2), [(0, 0), (0, 0)]),
    "crops": lambda: moves.batch_to_space((4, 2, 2, 1), (2, 2), [(2, 2), (0, 0)]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        REFUSED[name]()
