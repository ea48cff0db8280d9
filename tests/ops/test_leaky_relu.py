"""leaky_relu: all 256 inputs under many slopes and scales."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.ops import OPERATORS
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.leaky_relu import LeakyReluAttrs
from tests.ops.driver import CHECKS, Case, check_name
from tests.ops.elementwise import every_input, random_schemes

_ALPHAS = (0.3, 0.2, 0.01, 1.0, 1.7, 0.0, -0.4, 1e-6)
CASES = [
    every_input(f"alpha_{alpha}_{i}", "leaky_relu", LeakyReluAttrs(float(np.float32(alpha))), x, y)
    for i, (alpha, (x, y)) in enumerate(zip(_ALPHAS * 2, random_schemes(14, 16), strict=True))
]
CASES += [
    every_input("lowest_zero_points", "leaky_relu", LeakyReluAttrs(0.25), (0.05, -128), (0.05, -128)),
    every_input("highest_zero_points", "leaky_relu", LeakyReluAttrs(0.25), (0.05, 127), (0.05, 127)),
    every_input("equal_scales", "leaky_relu", LeakyReluAttrs(0.25), (0.05, 0), (0.05, 0)),
    every_input("output_saturates", "leaky_relu", LeakyReluAttrs(0.9), (0.5, 3), (0.01, -9)),
]


@pytest.mark.parametrize(
    ("config", "alpha"),
    [
        ({}, 0.3),
        ({"alpha": 0.1}, 0.1),
        ({"negative_slope": 0.05}, 0.05),
        ({"alpha": {"class_name": "__numpy__", "config": {"value": 0.07}}}, 0.07),
        ({"alpha": {"class_name": "__numpy__", "value": 0.07}}, 0.07),
    ],
)
def test_leaky_relu_reads_both_generations_of_keras(config: dict[str, object], alpha: float) -> None:
    builder = GraphBuilder("model", OPERATORS)
    x = builder.input("x", (1, 4))
    OPERATORS["leaky_relu"].from_keras(KerasLayer("layer", "LeakyReLU", config), [x], builder)
    assert builder.nodes[0].attrs == LeakyReluAttrs(float(np.float32(alpha)))


def test_leaky_relu_refuses_what_is_not_finite() -> None:
    builder = GraphBuilder("model", OPERATORS)
    x = builder.input("x", (1, 4))
    layer = KerasLayer("layer", "LeakyReLU", {"alpha": float("nan")})
    with pytest.raises(LayerRefused, match="finite"):
        OPERATORS["leaky_relu"].from_keras(layer, [x], builder)


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_leaky_relu(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
