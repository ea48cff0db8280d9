"""What TensorFlow's converter makes of shapes, loops and branches: read, and equal to LiteRT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import UnsupportedModelError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.verify.host import HostEngine
from tests.codegen.deployments import deploy
from tests.oracles import litert_ref, tflm

tf = pytest.importorskip("tensorflow", reason="converts functions of TensorFlow")

Function = Callable[[Any], Any]


def converted(function: Function, *shape: int | None) -> bytes:
    signature = tf.TensorSpec(shape, tf.float32)
    concrete = tf.function(function).get_concrete_function(signature)
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert())


def counted_loop(x: Any) -> Any:
    """tf.while_loop with a counter, as Python's `for` over tf.range gives it."""
    y = x
    for i in tf.range(4):
        y = y * 0.9 + x[:, i : i + 1]
    return y


def list_of_tensors(x: Any) -> Any:
    """A TensorArray: a list that begins and ends empty."""
    array = tf.TensorArray(tf.float32, size=4)
    for i in tf.range(4):
        array = array.write(i, x[:, i] * tf.cast(i + 1, tf.float32))
    return array.stack()


def branch_on_shape(x: Any) -> Any:
    return tf.cond(tf.shape(x)[1] > 3, lambda: x * 2.0, lambda: x - 1.0)


#: (function, the input's shape, the operators that are left)
FUNCTIONS: dict[str, tuple[Function, tuple[int | None, ...], set[str]]] = {
    "reshape": (lambda x: tf.reshape(x, [tf.shape(x)[0], -1]) * 2.0, (None, 4, 3), {"reshape", "mul"}),
    "stack": (
        lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0], 2, 6])) + 1.0,
        (None, 4, 3),
        {"reshape", "add"},
    ),
    "zeros": (lambda x: tf.concat([x, tf.zeros([tf.shape(x)[0], 2, 3])], 1), (None, 4, 3), {"concatenation"}),
    "positions": (
        lambda x: x * tf.cast(tf.range(tf.shape(x)[1]), tf.float32)[None, :, None],
        (None, 4, 3),
        {"mul"},
    ),
    "loop": (counted_loop, (1, 4), {"mul", "add", "strided_slice"}),
    "list": (list_of_tensors, (1, 4), {"mul", "concatenation", "reshape", "strided_slice"}),
    "branch": (branch_on_shape, (None, 4), {"mul"}),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_functions(case: str) -> None:
    function, shape, ops = FUNCTIONS[case]
    file = converted(function, *shape)
    graph = read_tflite(file, "model")
    assert {node.op for node in graph.nodes} <= ops
    x = np.random.default_rng(0).normal(size=(5, *graph.input_tensors()[0].shape)).astype(np.float32)
    np.testing.assert_allclose(run_graph(graph, [x])[0], litert_ref(file, [x])[0], rtol=1e-6, atol=1e-6)


def test_a_branch_on_the_input_is_refused() -> None:
    file = converted(lambda x: tf.cond(tf.reduce_sum(x) > 0.0, lambda: x * 2.0, lambda: x - 1.0), 1, 4)
    with pytest.raises(UnsupportedModelError, match="condition of an IF must not depend on the input"):
        read_tflite(file, "model")


class Streaming(tf.Module):  # type: ignore[misc]
    """A convolution over the last five frames, as kws_streaming writes it, a mean and counters."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.ring = tf.Variable(np.zeros((1, 4, 3), np.float32))
        self.weights = tf.constant(rng.normal(size=(5, 3, 2)).astype(np.float32))
        self.mean = tf.Variable(rng.normal(size=(1, 3)).astype(np.float32))
        self.frames = tf.Variable(np.int32(5))
        self.gain = tf.Variable(np.float32(2.0))

    @tf.function  # type: ignore[untyped-decorator]
    def step(self, x: Any) -> Any:
        window = tf.concat([self.ring, x], 1)
        self.ring.assign(window[:, 1:, :])
        self.frames.assign_add(1)
        self.mean.assign(0.75 * self.mean + 0.25 * x[:, 0])
        y = tf.nn.relu(tf.nn.conv1d(window, self.weights, 1, "VALID")) * self.gain
        return y, self.mean + 0.0, tf.reshape(self.frames, (1, 1))


def streaming(int8: bool) -> bytes:
    module = Streaming()
    concrete = module.step.get_concrete_function(tf.TensorSpec((1, 1, 3), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.experimental_enable_resource_variables = True
    if int8:
        rng = np.random.default_rng(1)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [rng.normal(size=(1, 1, 3)).astype(np.float32)] for _ in range(30)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


@pytest.mark.parametrize("int8", [False, True])
def test_variables_over_a_thousand_steps(int8: bool) -> None:
    file = streaming(int8)
    graph = read_tflite(file, "model")
    (x,) = graph.input_tensors()
    frames = np.random.default_rng(2).normal(size=(1000, *x.shape)).astype(np.float32)
    if x.dtype == "int8":
        frames = np.clip(frames / x.scale + x.zero_point, -128, 127).astype(np.int8)
    outputs = run_graph(graph, [frames])
    assert len(graph.states) == 3 and outputs[2].reshape(-1).tolist() == list(range(6, 1006))
    files = file, write_tflite(graph)
    for oracle, again in ((o, f) for o in (tflm, litert_ref) for f in files):
        for actual, expected in zip(outputs, oracle(again, [frames], sequence=True), strict=True):
            assert actual.dtype == expected.dtype
            # Sums of floats are in another order.
            np.testing.assert_allclose(actual, expected, atol=0 if int8 else 1e-5)
    engine = HostEngine(deploy(graph, "streaming"), sanitize=True)
    for actual, expected in zip(engine.run([frames]), outputs, strict=True):
        np.testing.assert_allclose(actual, expected, atol=0 if int8 else 1e-5)


@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "LSTM"])
def test_recurrent_layers_are_loops_of_known_length(kind: str) -> None:
    """LiteRT and Keras are the oracles: TFLM gives other values where the tensors of a WHILE grow."""
    keras = pytest.importorskip("keras")
    inputs = keras.Input((5, 2), batch_size=1)
    model = keras.Model(inputs, getattr(keras.layers, kind)(3)(inputs))
    file = bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    graph = read_tflite(file, "model")
    x = np.random.default_rng(0).normal(size=(5, 1, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(run_graph(graph, [x])[0], litert_ref(file, [x])[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run_graph(graph, [x])[0][:, 0], model.predict(x[:, 0], verbose=0), atol=1e-5)
