"""Training: batch norms as Keras has them, statistics that freeze, interruption, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import mcu_quant as mq
from mcu_quant.errors import InvalidInputError, InvalidModelError, UnsupportedModelError
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.samples import default_inputs
from mcu_quant.training import FakeQuantize, FakeQuantizedLinear
from tests.oracles import tflm
from tests.training import models

pytestmark = pytest.mark.slow


def small(bias: bool = True) -> keras.Model:
    keras.utils.clear_session()  # names start from 1 again
    keras.utils.set_random_seed(5)
    x = image = keras.Input((6, 6, 2), name="image")
    x = layers.Conv2D(5, 3, use_bias=bias, bias_initializer="random_normal", name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU()(x)
    return keras.Model(image, layers.Dense(3, name="out")(layers.Flatten()(x)), name="small")


@pytest.mark.parametrize("bias", [True, False])
def test_a_training_step_normalizes_as_keras_does(bias: bool) -> None:
    """The batch's statistics, in the output and in the moving averages; weights are rounded, so nearly."""
    model = small(bias)
    norm = model.get_layer("norm")
    values = ([0.5, -1, 2, 1, 0.1], [0.2] * 5, [1.0] * 5, [3.0] * 5)
    for weight, value in zip(norm.weights, values, strict=True):
        weight.assign(value)
    x = models.inputs_of(model, 64)
    prepared = mq.prepare_qat(model)
    expected, given = (np.asarray(m(x, training=True)) for m in (model, prepared))
    assert np.abs(expected - given).max() < 0.05 * np.abs(expected).max()
    conv = prepared.get_layer("conv")
    for average, start in (("moving_mean", 1.0), ("moving_variance", 3.0)):
        moved = np.asarray(getattr(norm, average)) - start
        assert np.abs(moved).min() > 2e-3
        np.testing.assert_allclose(np.asarray(getattr(conv, average)) - start, moved, rtol=0.05, atol=1e-4)


def test_a_constant_channel_trains() -> None:
    """gamma = 0: nothing is divided by it."""
    model = small()
    model.get_layer("norm").gamma.assign([0.0, 1.0, 0.0, 1.0, 1.0])
    prepared = models.train(mq.prepare_qat(model), epochs=1)
    assert all(np.isfinite(weight).all() for weight in prepared.get_weights())
    mq.quantize(prepared)


def statistics(model: keras.Model) -> list[np.ndarray]:
    kept = []
    for layer in model.layers:
        if isinstance(layer, FakeQuantize) and layer.fixed is None:
            kept.append(np.asarray(layer.ranges))
        if isinstance(layer, FakeQuantizedLinear) and layer.epsilon is not None:
            kept += [np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)]
    return kept


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_statistics_freeze_when_told(tmp_path: Path) -> None:
    model = models.train(mq.prepare_qat(small()), epochs=1)
    mq.freeze_statistics(model)
    before = statistics(model)
    model.save(tmp_path / "frozen.keras")
    weights = np.asarray(model.get_layer("conv").kernel)
    resumed = models.train(mq.load_qat(tmp_path / "frozen.keras"), epochs=1)
    assert same(statistics(resumed), before)
    assert not np.array_equal(resumed.get_layer("conv").kernel, weights)
    mq.freeze_statistics(resumed, False)
    assert not same(statistics(models.train(resumed, epochs=1)), before)


def test_statistics_freeze_after_batches() -> None:
    model = models.train(mq.prepare_qat(small(), freeze_after=6), epochs=1)  # six batches
    before = statistics(model)
    assert same(statistics(models.train(model, epochs=1)), before)


def test_frozen_training_computes_what_inference_does() -> None:
    model = models.train(mq.prepare_qat(small()), epochs=1)
    mq.freeze_statistics(model)
    x = models.inputs_of(model, 8)
    np.testing.assert_allclose(model(x, training=True), model(x, training=False), atol=1e-6)


def test_interrupted_training_gives_the_same(tmp_path: Path) -> None:
    whole = models.train(mq.prepare_qat(small()), epochs=1)
    models.train(whole, epochs=1, seed=9)
    half = models.train(mq.prepare_qat(small()), epochs=1)
    half.save(tmp_path / "half.keras")
    resumed = models.train(mq.load_qat(tmp_path / "half.keras"), epochs=1, seed=9)
    assert same(resumed.get_weights(), whole.get_weights())
    assert int(resumed.optimizer.iterations) == int(whole.optimizer.iterations) == 12
    assert mq.quantize(resumed).tflite == mq.quantize(whole).tflite


def test_a_file_is_quantized_without_data_and_without_tensorflow(tmp_path: Path) -> None:
    model = models.train(mq.prepare_qat(models.model_of("blocks")), epochs=1)
    file, output = tmp_path / "blocks.keras", tmp_path / "blocks.tflite"
    model.save(file)
    code = (
        "import sys; sys.modules.update(tensorflow=None, keras=None)\n"
        "from mcu_quant.cli import main; sys.argv[0] = 'mcu-quant'; main()"
    )
    command = [sys.executable, "-c", code, "quantize", str(file), "-o", str(output)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert output.read_bytes() == mq.quantize(model).tflite == mq.quantize(file).tflite


def test_importing_the_training_module_is_enough_for_keras_to_load(tmp_path: Path) -> None:
    model = models.train(mq.prepare_qat(small()), epochs=1)
    model.save(tmp_path / "m.keras")
    code = (
        "import sys, mcu_quant.training, keras, numpy\n"
        "m = keras.saving.load_model(sys.argv[1])\n"
        "print(float(numpy.abs(m.predict(numpy.ones((1, 6, 6, 2)), verbose=0)).sum()))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "m.keras")]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    expected = np.abs(model.predict(np.ones((1, 6, 6, 2)), verbose=0)).sum()
    assert float(run.stdout) == pytest.approx(float(expected), rel=1e-6)


def test_ranges_can_start_from_data() -> None:
    """Then the untrained model is the usual quantization, but for batch norms folded in double."""
    model = small()
    x = models.inputs_of(model)
    prepared = mq.prepare_qat(model, x)
    q, usual = mq.quantize(prepared), mq.quantize(model, x)
    apart = np.abs(q.predict_raw(x).astype(int) - usual.predict_raw(x).astype(int))
    assert apart.max() <= 1
    with pytest.warns(UserWarning, match="not looked at"):
        assert mq.quantize(prepared, x).tflite == q.tflite


def test_labels_see_probabilities_unrounded_in_training() -> None:
    """The logarithm of a probability that was rounded to 0 has no gradient."""
    model = mq.prepare_qat(models.model_of("blocks"))
    x = models.inputs_of(model, 16)
    trained, judged = np.asarray(model(x, training=True)), np.asarray(model(x, training=False))
    assert np.abs(trained * 256 - np.rint(trained * 256)).max() > 0.01
    assert np.abs(judged * 256 - np.rint(judged * 256)).max() < 1e-3


def test_refusals(tmp_path: Path) -> None:
    model = small()
    prepared = mq.prepare_qat(model)
    with pytest.raises(InvalidInputError, match="train for at least a step"):
        mq.quantize(prepared)
    with pytest.raises(InvalidInputError, match="prepared for training once"):
        mq.prepare_qat(prepared)
    with pytest.raises(InvalidInputError, match="needs calibration samples"):
        mq.quantize(model)
    with pytest.raises(InvalidInputError, match="kind of ranges"):
        mq.prepare_qat(model, ranges="guessed")
    with pytest.raises(InvalidInputError, match="freeze after at least one"):
        mq.prepare_qat(model, freeze_after=0)
    with pytest.raises(InvalidInputError, match="that prepare_qat gave"):
        mq.freeze_statistics(model)
    model.save(tmp_path / "float.keras")
    with pytest.raises(InvalidInputError, match="that prepare_qat gave"):
        mq.load_qat(tmp_path / "float.keras")
    with pytest.raises(InvalidInputError, match=r"no such model"):
        mq.load_qat(tmp_path / "nowhere.keras")
    (tmp_path / "damaged.keras").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InvalidModelError, match=r"damaged\.keras"):
        mq.load_qat(tmp_path / "damaged.keras")
    with pytest.raises(InvalidInputError, match="that prepare_qat gave"):
        mq.freeze_statistics("a path")
    trained = models.train(prepared, epochs=1)
    with pytest.raises(InvalidInputError, match="prepare_qat\\(model, per_tensor=True\\)"):
        mq.quantize(trained, per_tensor=True)
    with pytest.raises(InvalidInputError, match="becomes int8"):
        mq.quantize(trained, technique="int16x8")
    with pytest.raises(InvalidInputError, match="not calibrated"):
        mq.quantize(trained, calibration="percentile")
    with pytest.raises(InvalidInputError, match="takes no repairs"):
        mq.quantize(trained, repairs=["bias"])
    extended = keras.Model(trained.input, layers.Dense(2, name="mine")(trained.output))
    with pytest.raises(InvalidModelError, match=r"mine.*mcu_quant's layers only"):
        mq.quantize(extended)


def test_an_unsupported_layer_is_named() -> None:
    x = image = keras.Input((8, 3))
    x = layers.LSTM(4, name="memory")(x)
    with pytest.raises(UnsupportedModelError, match="memory"):
        mq.prepare_qat(keras.Model(image, layers.Dense(2)(x)))


def test_weights_that_diverged_are_refused() -> None:
    model = models.train(mq.prepare_qat(small()), epochs=1)
    model.get_layer("conv").kernel.assign(np.full((3, 3, 2, 5), np.nan))
    with pytest.raises(InvalidModelError, match=r"conv.*must be finite"):
        mq.quantize(model)


def masked() -> keras.Model:
    keras.utils.clear_session()
    keras.utils.set_random_seed(5)
    x = steps = keras.Input((6, 8), name="steps")
    x = layers.MultiHeadAttention(2, 4, name="look")(x, x, use_causal_mask=True)
    return keras.Model(steps, layers.Dense(3, name="out")(layers.Flatten()(x)), name="masked")


def test_masked_attention_trains_with_near_masks() -> None:
    """A mask of -1e9 would leave its scores one step of int8. The file is TFLM's, byte for byte."""
    model = masked()
    x = models.inputs_of(model, 64)
    with pytest.raises(InvalidInputError, match="must be learned from data"):
        mq.prepare_qat(model)
    quantized = mq.quantize(models.train(mq.prepare_qat(model, x), epochs=1))
    graph = read_tflite(quantized.tflite, "masked")
    (where,) = (node for node in graph.bound_nodes() if node.node.op == "select_v2")
    assert where.input(0).dtype == "bool" and where.output.scale < 1.0
    inputs = default_inputs(graph, 8)
    np.testing.assert_array_equal(run_graph(graph, inputs)[0], tflm(quantized.tflite, inputs)[0])
