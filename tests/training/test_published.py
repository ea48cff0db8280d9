"""Quantization-aware training of a published model on its real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import mcu_quant as mq
from tests.keras_models import SHARED, array, calibration_data, held_out_data, needs_models
from tests.oracles import tflm
from tests.training.layers import layer_differences

#: Half a minute each, but not on a busy machine.
pytestmark = [needs_models, pytest.mark.slow, pytest.mark.timeout(900)]

#: Images of an epoch here; docs/QUANTIZATION.md has the results of all 10,000.
IMAGES, BATCH = 2_000, 50


def images() -> tuple[np.ndarray, np.ndarray]:
    """The 10,000 of training, and their classes."""
    x = array("fashion_mnist_train10000.npz", "x").astype(np.float32)[..., None] / 255
    return x, array("fashion_mnist_train10000.npz", "y")


def epoch(model: Any, number: int) -> Any:
    """An epoch in an order of its own, the same whenever it runs."""
    order = np.random.default_rng(number).permutation(IMAGES)
    x, y = images()
    model.fit(x[order], y[order], epochs=1, batch_size=BATCH, shuffle=False, verbose=0)
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


def test_training_wins_back_what_naive_quantization_loses(unequal_model: Path) -> None:
    """One scale per layer, unequal channels: 95 % of the loss of min/max."""
    x, labels = held_out_data("fashion_dscnn")

    def correct(model: Any) -> int:
        outputs = np.asarray(model.predict(x)).reshape(len(x), -1)
        return int((outputs.argmax(axis=1) == labels).sum())

    keras.utils.set_random_seed(1)
    batches = 157
    model = mq.prepare_qat(unequal_model, per_tensor=True, freeze_after=batches)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, 2 * batches)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
    model.fit(*images(), epochs=2, batch_size=64, verbose=0)
    real = correct(mq.load(unequal_model))
    naive = correct(mq.quantize(unequal_model, calibration_data("fashion_dscnn"), per_tensor=True))
    trained = correct(mq.quantize(model))
    assert real - naive > 500
    assert trained - naive >= 0.95 * (real - naive), f"{real} in float, {naive} naively, {trained} trained"
