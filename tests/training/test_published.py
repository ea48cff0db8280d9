"""Quantization-aware training of a published model on its real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import mcu_quant as mq
from tests.keras_models import SHARED, array, held_out_data, needs_models
from tests.oracles import tflm
from tests.training.layers import layer_differences

pytestmark = [needs_models, pytest.mark.slow]

#: Images of an epoch here; docs/QUANTIZATION.md has the results of all 10,000.
IMAGES, BATCH = 2_000, 50


def epoch(model: Any, number: int) -> Any:
    """An epoch in an order of its own, the same whenever it runs."""
    order = np.random.default_rng(number).permutation(IMAGES)
    x = array("fashion_mnist_train10000.npz", "x")[order].astype(np.float32)[..., None] / 255
    y = array("fashion_mnist_train10000.npz", "y")[order]
    model.fit(x, y, epochs=1, batch_size=BATCH, shuffle=False, verbose=0)
    return model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """(two epochs in one go, two epochs with a file between them)."""
    model = mq.prepare_qat(SHARED / "models" / "fashion_dscnn.keras")
    model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy")
    path: Path = tmp_path_factory.mktemp("fashion") / "epoch1.keras"
    epoch(model, 1).save(path)
    return epoch(model, 2), epoch(mq.load_qat(path), 2)


def test_interrupted_training_gives_the_same_file(trained: tuple[Any, Any]) -> None:
    whole, resumed = trained
    assert mq.quantize(whole).tflite == mq.quantize(resumed).tflite


def test_the_integer_model_does_what_was_trained(trained: tuple[Any, Any]) -> None:
    """End to end with TFLM as the judge of the file, layer by layer with our reference."""
    model, quantized = trained[0], mq.quantize(trained[0])
    x, labels = held_out_data("fashion_dscnn")
    x, labels = x[:1_000, ..., None].reshape(-1, 28, 28, 1), labels[:1_000]
    expected = model.predict(x, verbose=0).argmax(axis=1)
    tensor = quantized.model.graph.input_tensors()[0]
    q = np.clip(np.rint(x / tensor.scale) + tensor.zero_point, -128, 127).astype(np.int8)
    (y,) = tflm(quantized.tflite, [q.reshape(-1, *tensor.shape)])
    given = y.reshape(len(x), -1).argmax(axis=1)
    assert (expected == given).mean() >= 0.97
    assert (given == labels).mean() >= 0.852
    for node, apart in layer_differences(model, x[:64]).items():
        assert apart.steps <= 1, (node, apart)
