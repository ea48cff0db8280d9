"""Calibration samples: every accepted shape gives the same batches; every fault is named."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph, Tensor
from mcu_quant.quantize import samples

IMAGE = Tensor("image", (1, 4, 4, 2))
VECTOR = Tensor("vector", (1, 3))


def graph_of(*tensors: Tensor) -> Graph:
    names = tuple(tensor.name for tensor in tensors)
    return Graph("g", (), {tensor.name: tensor for tensor in tensors}, names, names)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 4, 4, 2)).astype(np.float32)


SPLITS = {
    "whole": lambda x: [(x,)],
    "bare array in a list": lambda x: [x],
    "with batch axis": lambda x: [(x[:, None],)],
    "one by one": lambda x: ((row,) for row in x),
    "batches of one": lambda x: ((row[None],) for row in x),
    "uneven": lambda x: [(x[:7],), (x[7:8],), (x[8:],)],
    "an empty piece": lambda x: [(x[:0],), (x,)],
    "an array of samples": lambda x: x,
    "float64": lambda x: [(x.astype(np.float64),)],
    "lists as items": lambda x: [[x]],
}


@pytest.mark.parametrize("split", SPLITS)
def test_batches_do_not_depend_on_the_split(split: str) -> None:
    x = images(150)
    got = list(samples.batches(graph_of(IMAGE), SPLITS[split](x)))
    assert [len(batch[0]) for batch in got] == [64, 64, 22]
    assert np.array_equal(np.concatenate([batch[0] for batch in got]), x[:, None])


def test_two_inputs_stay_together() -> None:
    x, v = images(70), np.arange(210, dtype=np.float32).reshape(70, 3)
    got = list(samples.batches(graph_of(IMAGE, VECTOR), [(x[:5], v[:5]), (x[5:], v[5:])]))
    assert [(a.shape, b.shape) for a, b in got] == [
        ((64, 1, 4, 4, 2), (64, 1, 3)),
        ((6, 1, 4, 4, 2), (6, 1, 3)),
    ]
    assert np.array_equal(np.concatenate([b for _, b in got])[:, 0], v)


def test_a_large_activation_makes_batches_small() -> None:
    assert samples.batch_size(graph_of(Tensor("big", (1, 512, 512, 3)))) == 2
    assert samples.batch_size(graph_of(Tensor("huge", (1, 4096, 4096, 3)))) == 1


def test_samples_are_streamed() -> None:
    """No more is taken from the caller than what the next batch needs."""
    taken = 0

    def stream():  # type: ignore[no-untyped-def]
        nonlocal taken
        for row in images(1000):
            taken += 1
            yield (row,)

    next(samples.batches(graph_of(IMAGE), stream()))
    assert taken == 64


FAULTS = {
    "no samples": ([], "at least one sample"),
    "only empty pieces": ([(images(0),)], "at least one sample"),
    "NaN": (
        [(images(3),), (np.where(np.arange(3)[:, None, None, None] == 1, np.nan, images(3)),)],
        "sample 4",
    ),
    "infinite": ([(np.full((2, 4, 4, 2), np.inf),)], "sample 0"),
    "too large for float32": ([(np.full((2, 4, 4, 2), 1e300),)], "sample 0"),
    "wrong size": ([(np.zeros((5, 4, 3, 2)),)], r"\[5, 4, 3, 2\], expected \[n, 4, 4, 2\]"),
    "missing channel": ([(np.zeros((5, 4, 4)),)], r"expected \[n, 4, 4, 2\].*newaxis"),
    "flat": ([(np.zeros((5, 32)),)], "expected"),
    "two arrays": ([(images(1), images(1))], "2 arrays at sample 0"),
    "text": ([(np.array([["a"]]),)], "must be numbers"),
    "objects": ([(np.array([None]),)], "must be numbers"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault: str) -> None:
    data, message = FAULTS[fault]
    with pytest.raises(InvalidInputError, match=message):
        list(samples.batches(graph_of(IMAGE), data))


@pytest.mark.parametrize(("dtype", "says"), [(np.uint8, "values 0..255;"), (np.int64, "values;")])
def test_integers_are_noted_once(dtype: type, says: str) -> None:
    x = np.ones((2, 4, 4, 2), dtype)
    with pytest.warns(samples.CalibrationWarning, match=says) as caught:
        list(samples.batches(graph_of(IMAGE), [(x,), (x,)]))
    assert len(caught) == 1


def test_inputs_of_different_counts() -> None:
    with pytest.raises(InvalidInputError, match=r"\[3, 2\]"):
        list(samples.batches(graph_of(IMAGE, VECTOR), [(images(3), np.zeros((2, 3)))]))


def test_count() -> None:
    g = graph_of(IMAGE)
    assert samples.count(g, images(9)) == 9
    assert samples.count(g, [(images(4),), (images(5),)]) == 9
    assert samples.count(g, list(images(9))) == 9
    assert samples.count(g, (row for row in images(9))) is None
