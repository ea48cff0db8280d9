"""A decoder with attention, quantized: transposed convolutions and products of activations, as in TFLM."""

from __future__ import annotations

import numpy as np
import pytest

import mcu_quant as mq
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ops.interpreter import run_graph
from tests.oracles import tflm

keras = pytest.importorskip("keras", reason="Keras is not installed (pip install 'mcu-quant[test]')")
L = keras.layers


def decoder() -> keras.Model:
    keras.utils.set_random_seed(1)
    x = image = keras.Input((8, 8, 3))
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = L.Conv2DTranspose(6, 3, strides=2, padding="same", use_bias=False)(x)
    x = L.ReLU(6.0)(L.BatchNormalization()(x))
    x = L.Conv2DTranspose(5, 2, strides=2, activation="relu")(x)
    x = L.Reshape((16, 5))(L.MaxPooling2D(4)(x))
    query, key, value = (L.Dense(8, name=name)(x) for name in ("query", "key", "value"))
    shares = L.Softmax()(L.Dot((2, 2))([query, key]))
    return keras.Model(image, L.Dense(4)(L.Flatten()(L.Dot((2, 1))([shares, value]))))


@pytest.mark.slow
@pytest.mark.parametrize(("technique", "error"), [("int8", 0.1), ("int16x8", 0.02)])
def test_a_decoder_with_attention(technique: str, error: float) -> None:
    """error: of the largest output."""
    model, x = decoder(), np.random.default_rng(0).normal(size=(40, 8, 8, 3)).astype(np.float32)
    graph = read_tflite(mq.quantize(model, x, technique=technique).tflite, "decoder")
    assert {"transpose_conv", "batch_matmul"} <= {node.op for node in graph.nodes}
    image, (output,) = graph.input_tensors()[0], (graph.tensors[name] for name in graph.outputs)
    limits = np.iinfo(image.dtype)
    steps = np.rint(x[:, None] / image.scale + image.zero_point).clip(limits.min, limits.max)
    inputs = [steps.astype(image.dtype)]
    (actual,) = run_graph(graph, inputs)
    np.testing.assert_array_equal(actual, tflm(write_tflite(graph), inputs)[0])
    expected = np.asarray(model(x))
    real = (actual[:, 0].astype(np.float64) - output.zero_point) * output.scale
    assert np.abs(real - expected).max() <= error * np.abs(expected).max()
