"""What TensorFlow's converter makes of shapes, loops and branches: read, and equal to LiteRT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import UnsupportedModelError
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ops.interpreter import run_graph
from tests.oracles import litert_ref

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


def test_variables_are_refused_by_name() -> None:
    class Counter(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.sum = tf.Variable(np.zeros((1, 4), np.float32))

        @tf.function
        def add(self, x: Any) -> Any:
            self.sum.assign_add(x)
            return self.sum * 2.0

    module = Counter()
    concrete = module.add.get_concrete_function(tf.TensorSpec((1, 4), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.experimental_enable_resource_variables = True
    with pytest.raises(UnsupportedModelError) as caught:
        read_tflite(bytes(converter.convert()), "model")
    values = {problem.value for problem in caught.value.problems}
    assert values >= {"CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "RESOURCE"}


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
