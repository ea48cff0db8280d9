"""relu: all 256 inputs under many scales; Keras's ReLU layer with all its options."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.relu import ReluAttrs
from tests.ops.driver import CHECKS, Case, check_name
from tests.ops.elementwise import every_input, random_schemes

CASES = [
    every_input(f"drawn_{i}", "relu", ReluAttrs(), x, y) for i, (x, y) in enumerate(random_schemes(15, 16))
]
CASES += [
    every_input("lowest_zero_points", "relu", ReluAttrs(), (0.05, -128), (0.05, -128)),
    every_input("highest_zero_points", "relu", ReluAttrs(), (0.05, 127), (0.05, 127)),
    every_input("equal_scales", "relu", ReluAttrs(), (0.05, 5), (0.05, 5)),
    every_input("saturates", "relu", ReluAttrs(), (0.5, 3), (0.001, -9)),
    every_input("vanishes", "relu", ReluAttrs(), (1e-6, 3), (1.0, -9)),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_relu(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def keras_relu(x: np.ndarray, maximum: float | None, slope: float, threshold: float) -> np.ndarray:
    """Keras's documented definition, in its own words."""
    y = np.where(x > threshold, x, np.float32(slope) * (x - np.float32(threshold)))
    return y if maximum is None else np.minimum(y, np.float32(maximum))


def relu_graph(**config: Any) -> Graph:
    builder = GraphBuilder("model", OPERATORS)
    x = builder.input("x", (1, 3, 5))
    y = OPERATORS["relu"].from_keras(KerasLayer("layer", "ReLU", config), [x], builder)
    return builder.graph([y])


OPTIONS = list(itertools.product((None, 6.0, 1.5, 4.0), (0.0, 0.25), (0.0, 1.0)))


@pytest.mark.parametrize(("maximum", "slope", "threshold"), OPTIONS)
def test_keras_relu_means_what_keras_says(maximum: float | None, slope: float, threshold: float) -> None:
    graph = relu_graph(max_value=maximum, negative_slope=slope, threshold=threshold)
    x = np.random.default_rng(1).normal(scale=4, size=(50, 1, 3, 5)).astype(np.float32)
    x[0] = threshold
    expected = keras_relu(x, maximum, slope, threshold)
    np.testing.assert_array_equal(run_graph(graph, [x])[0], expected)


def test_keras_relu_takes_no_more_nodes_than_it_needs() -> None:
    assert [node.op for node in relu_graph().nodes] == ["relu"]
    assert [node.op for node in relu_graph(max_value=6, negative_slope=None, threshold=None).nodes] == [
        "relu6"
    ]
    assert [node.op for node in relu_graph(negative_slope=0.1).nodes] == ["leaky_relu"]
    assert [node.op for node in relu_graph(max_value=2.0).nodes] == ["relu", "minimum"]
    assert [node.name for node in relu_graph(threshold=1.0, max_value=2.0).nodes][-1] == "layer"


def test_keras_relu_reads_numpy_numbers() -> None:
    value = {"class_name": "__numpy__", "config": {"value": 6.0, "dtype": "float32"}}
    assert [node.op for node in relu_graph(max_value=value).nodes] == ["relu6"]


@pytest.mark.parametrize("option", ["max_value", "negative_slope", "threshold"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_keras_relu_refuses_what_keras_refuses(option: str, value: float) -> None:
    with pytest.raises(LayerRefused, match=option):
        relu_graph(**{option: value})
