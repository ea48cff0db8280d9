"""Keras' merge layers on several inputs, also of shapes that broadcast: the same floats, or next to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.keras_model import load_keras_model
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.passes import prepare
from mcu_quant.quantize import quantize_integer
from mcu_quant.samples import default_inputs
from tests.oracles import tflm

LAYERS = ("Add", "Average", "Multiply", "Maximum", "Minimum", "Subtract")
SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "same": ((4, 5), (4, 5)),
    "broadcast": ((4, 5), (1, 5)),
    "other_broadcast": ((1, 5), (4, 1)),
    "three": ((4, 5), (4, 5), (4, 5)),
    "three_broadcast": ((4, 1), (4, 5), (1, 1)),
}


def merged(layer: str, shapes: tuple[tuple[int, ...], ...]) -> Any:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    inputs = [keras.Input(shape, batch_size=1, name=f"x{index}") for index, shape in enumerate(shapes)]
    return keras.Model(inputs, getattr(keras.layers, layer)(name="merged")(inputs))


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("shapes", SHAPES)
def test_merges_equal_keras(layer: str, shapes: str) -> None:
    if layer == "Subtract" and len(SHAPES[shapes]) > 2:
        pytest.skip("a difference is of two")
    model = merged(layer, SHAPES[shapes])
    rng = np.random.default_rng(2)
    xs = [rng.normal(size=(8, *shape)).astype(np.float32) for shape in SHAPES[shapes]]
    expected = np.stack([np.asarray(model([x[i : i + 1] for x in xs]))[0] for i in range(8)])
    graph = load_keras_model(model)
    (found,) = run_graph(graph, [x[:, None] for x in xs])
    # An average is times a rounded 1 / n here, and divided there.
    np.testing.assert_allclose(found[:, 0], expected, rtol=2e-7 if layer == "Average" else 0)
    quantized = quantize_integer(prepare(graph), [tuple(xs)])
    inputs = default_inputs(quantized, 4)
    (bits,) = run_graph(quantized, inputs)
    np.testing.assert_array_equal(bits, tflm(write_tflite(quantized), inputs)[0])
