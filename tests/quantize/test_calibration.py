"""Calibration end to end on a small model: ranges, progress, faults, interruption."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from mcu_quant.errors import InvalidInputError, InvalidModelError
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.keras import GraphBuilder
from mcu_quant.quantize import CalibrationWarning, calibrate, quantize_integer


def dense_graph(*weights: np.ndarray) -> Graph:
    builder = GraphBuilder("dense", OPERATORS)
    x = builder.input("x", (1, weights[0].shape[1]))
    for index, w in enumerate(weights):
        x = builder.add(
            "fully_connected",
            f"dense{index}",
            FullyConnectedAttrs(),
            [x, builder.constant(f"w{index}", w), None],
        )
    return builder.graph([x])


GRAPH = dense_graph(np.array([[1.0, 2.0], [-1.0, 0.5]]), np.array([[3.0, 1.0]]))
DATA = np.array([[1, 1], [2, -1], [0, 0.5]], np.float32)


def test_minmax_ranges_are_those_seen() -> None:
    assert calibrate(GRAPH, [DATA]) == {"x": (-1.0, 2.0), "dense0": (-2.5, 3.0), "dense1": (-2.5, 8.5)}


def test_ranges_do_not_depend_on_the_split() -> None:
    data = np.random.default_rng(0).normal(size=(333, 40)).astype(np.float32)
    graph = dense_graph(np.random.default_rng(1).normal(size=(30, 40)))
    whole = calibrate(graph, [data])
    assert whole == calibrate(graph, (row for row in data))
    assert whole == calibrate(graph, [data[:1], data[1:200], data[200:]])


def test_progress_counts_samples() -> None:
    data, seen = np.ones((150, 2), np.float32), []
    data[0] = 0
    calibrate(GRAPH, [data], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(64, 150), (128, 150), (150, 150)]
    seen.clear()
    calibrate(GRAPH, iter([data]), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (150, None)


def test_interruption_comes_through() -> None:
    def stream() -> Iterator[np.ndarray]:
        yield DATA
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize_integer(GRAPH, stream())

    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize_integer(GRAPH, [DATA], progress=stop)


def test_constant_data_is_warned_of() -> None:
    with pytest.warns(CalibrationWarning, match=r"every value of the calibration data is 7"):
        calibrate(GRAPH, [np.full((5, 2), 7.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrate(GRAPH, [DATA])


def test_moving_average_of_single_numbers_is_a_range() -> None:
    """Each sample's extremes are the sample: they are taken over many."""
    graph = dense_graph(np.array([[1.0]]), np.array([[1.0]]), np.array([[1.0]]))
    x = np.linspace(-1, 1, 200).reshape(200, 1)
    low, high = calibrate(graph, [np.random.default_rng(0).permutation(x)], method="moving_average")["x"]
    assert -1 <= low < -0.9 and 0.9 < high <= 1


def test_an_exploding_layer_is_named() -> None:
    graph = dense_graph(np.array([[1.0, 2.0]]), np.array([[3e38]]), np.array([[3e38]]))
    with pytest.raises(InvalidModelError, match=r"dense1: .*finite"):
        calibrate(graph, [DATA])


def test_unknown_method() -> None:
    with pytest.raises(InvalidInputError, match=r"calibration method.*nearest.*minmax"):
        calibrate(GRAPH, [DATA], method="nearest")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_weights_that_are_not_finite_are_named(value: float) -> None:
    weights = np.ones((1, 2))
    weights[0, 1] = value
    with pytest.raises(InvalidModelError, match=r"dense1: weights must be finite.*1 of 2 values of w1"):
        quantize_integer(dense_graph(np.ones((2, 2)), weights), [DATA])
