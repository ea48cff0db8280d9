"""batch_normalization: float only, as Keras computes it."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.ops import OPERATORS
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused

GAMMA, BETA = np.array([1.5, -0.5, 2.0], np.float32), np.array([0.1, 0.2, -3.0], np.float32)
MEAN, VARIANCE = np.array([0.0, 1.0, -2.0], np.float32), np.array([1.0, 0.25, 4.0], np.float32)


def normalized(x: np.ndarray, config: dict[str, object], *weights: np.ndarray) -> np.ndarray:
    builder = GraphBuilder("g", OPERATORS)
    tensor = builder.input("x", x.shape[1:])
    layer = KerasLayer("bn", "BatchNormalization", config, weights)
    graph = builder.graph([OPERATORS["batch_normalization"].from_keras(layer, [tensor], builder)])
    return run_graph(graph, [x])[0]


@pytest.mark.parametrize("axis", [-1, 3, [3]])
def test_formula(axis: object) -> None:
    x = np.random.default_rng(0).normal(size=(4, 1, 2, 5, 3)).astype(np.float32)
    y = normalized(x, {"axis": axis, "epsilon": 0.01}, GAMMA, BETA, MEAN, VARIANCE)
    expected = GAMMA * (x - MEAN) / np.sqrt(VARIANCE + 0.01) + BETA
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("scale", "center"), [(False, True), (True, False), (False, False)])
def test_without_gamma_or_beta(scale: bool, center: bool) -> None:
    x = np.random.default_rng(0).normal(size=(4, 1, 3)).astype(np.float32)
    given = [*([GAMMA] if scale else []), *([BETA] if center else [])]
    y = normalized(x, {"scale": scale, "center": center}, *given, MEAN, VARIANCE)
    expected = (x - MEAN) / np.sqrt(VARIANCE + 1e-3) * (GAMMA if scale else 1) + (BETA if center else 0)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_another_axis_is_the_last_one_between_transpositions() -> None:
    x = np.random.default_rng(0).normal(size=(4, 1, 3, 5, 2)).astype(np.float32)
    y = normalized(x, {"axis": 1}, GAMMA, BETA, MEAN, VARIANCE)
    last = normalized(np.moveaxis(x, 2, -1), {}, GAMMA, BETA, MEAN, VARIANCE)
    assert np.array_equal(y, np.moveaxis(last, -1, 2))


@pytest.mark.parametrize("axis", [[1, 2], 0, 7, [], "last"])
def test_other_axes_are_refused(axis: object) -> None:
    x = np.zeros((1, 1, 2, 3), np.float32)
    with pytest.raises(LayerRefused, match=r"ax[ie]s"):
        normalized(x, {"axis": axis}, GAMMA, BETA, MEAN, VARIANCE)
