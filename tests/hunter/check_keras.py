"""One Keras model: our float graph against Keras, what passes and quantizer make of it, then its bits."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

import numpy as np

from mcu_quant.errors import UnsupportedModelError
from mcu_quant.ir import Graph, Tensor
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.passes import prepare
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize_options import QuantizeOptions
from tests.hunter.check import Mismatch, Tally, failure, kind_of
from tests.hunter.graphs import Case, draw_samples
from tests.hunter.keras_functions import call_keras, is_function
from tests.hunter.keras_specs import CALL_OPTIONS, ModelSpec, float_graph, layer_weights

CALIBRATION_SAMPLES = 16
#: Float sums in another order: by measurement under 2e-5 of an output's range in thousands of models.
FLOAT_TOLERANCE = 1e-4
#: Mean error of an output of the int8 model, in parts of its largest value, beyond two steps of the coarsest
#: scale in the graph (differences and softmax of many can be finer than that), times what it is multiplied by
#: (a square shares its scale with its factor where both are concatenated). By measurement at most 0.02 in
#: a thousand random models; a wrong scale or zero_point gives far more.
INT8_TOLERANCE = 0.15


def quantized_case(spec: ModelSpec, tally: Tally, with_keras: bool) -> Case | None:
    """The quantized graph; None if it cannot be one.

    Raises Mismatch where the float graph is not Keras's, the passes change it, or int8 is far off.
    """
    try:
        return _quantized(spec, tally, with_keras)
    except Mismatch:
        raise
    except UnsupportedModelError as error:
        tally.skipped[f"refused: {error.problems[0].rule}"] += 1
        return None
    except Exception as error:
        raise Mismatch(f"{failure(error)}\n{spec.to_json()}", kind_of(error), spec) from error


def _quantized(spec: ModelSpec, tally: Tally, with_keras: bool) -> Case:
    graph = float_graph(spec)
    samples = spec_samples(spec)
    expected = run_graph(graph, samples)
    if with_keras:
        _require_close("Keras differs from the float graph", run_keras(spec, samples), expected, spec)
        tally.engines["Keras"] += 1
    prepared = prepare(graph)
    _require_close("the passes changed the outputs", run_graph(prepared, samples), expected, spec)
    quantized = quantize_integer(
        prepared,
        [tuple(samples)],
        QuantizeOptions(
            spec.technique,
            per_tensor=spec.per_tensor,
            input_type=spec.input_type,
            output_type=spec.output_type,
        ),
    )
    _require_near(quantized, samples, expected, spec)
    random = draw_samples(quantized, spec.seed)
    given = [quantize_samples(t, x) for t, x in zip(quantized.input_tensors(), samples, strict=True)]
    return Case(quantized, tuple(np.concatenate([a, b[:2]]) for a, b in zip(random, given, strict=True)))


def spec_samples(spec: ModelSpec) -> list[np.ndarray]:
    """float32 [CALIBRATION_SAMPLES, 1, *shape] for each input, of a spread and mean by the seed."""
    rng = np.random.default_rng(spec.seed)
    return [
        (
            rng.normal(0, 1, (CALIBRATION_SAMPLES, 1, *shape)) * rng.choice([0.1, 1, 20]) + rng.choice([0, 3])
        ).astype(np.float32)
        for shape in spec.input_shapes
    ]


def quantize_samples(tensor: Tensor, x: np.ndarray) -> np.ndarray:
    if tensor.dtype == "float32":
        return x
    limits = np.iinfo(tensor.dtype)
    return np.clip(np.rint(x / tensor.scale) + tensor.zero_point, limits.min, limits.max).astype(tensor.dtype)


def real_values(tensor: Tensor, values: np.ndarray) -> np.ndarray:
    return (
        values
        if tensor.dtype == "float32"
        else tensor.scale * (values.astype(np.float64) - tensor.zero_point)
    )


def _require_close(
    what: str, actual: Sequence[np.ndarray], expected: Sequence[np.ndarray], spec: ModelSpec
) -> None:
    for index, (a, e) in enumerate(zip(actual, expected, strict=True)):
        error = np.abs(a.astype(np.float64) - e).max() / max(np.abs(e).max(), 1e-6)
        if a.shape != e.shape or not error <= FLOAT_TOLERANCE:
            message = f"{what}: output {index} by {error:.3g} of its range\n{spec.to_json()}"
            raise Mismatch(message, what, spec)


def _require_near(
    quantized: Graph, samples: Sequence[np.ndarray], expected: Sequence[np.ndarray], spec: ModelSpec
) -> None:
    inputs = [quantize_samples(t, x) for t, x in zip(quantized.input_tensors(), samples, strict=True)]
    outputs = run_graph(quantized, inputs)
    integers = [t for t in quantized.tensors.values() if t.quant is not None and not t.is_constant]
    coarsest = max((tensor.scale for tensor in integers), default=0.0) * _largest_factor(quantized)
    for tensor, output, e in zip(quantized.output_tensors(), outputs, expected, strict=True):
        error = (np.abs(real_values(tensor, output) - e).mean() - 2 * coarsest) / max(np.abs(e).max(), 1e-6)
        if not error <= INT8_TOLERANCE:
            message = f"int8 is {error:.3g} of the range off at {tensor.name}\n{spec.to_json()}"
            raise Mismatch(message, "int8 is far off", spec)


def _largest_factor(quantized: Graph) -> float:
    """The largest |real value| that a product of two activations can have as a factor; 1 if there is none."""
    factors = [
        t for node in quantized.bound_nodes() if node.node.op == "mul" for t in node.inputs if t is not None
    ]
    sizes = [128 * t.scale + abs(t.zero_point) * t.scale for t in factors if t.quant is not None]
    return max([1.0, *sizes])


def run_keras(spec: ModelSpec, samples: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of the same model built and run by Keras: [N, 1, *shape]."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    import keras

    values = [keras.Input(shape) for shape in spec.input_shapes]
    inputs = list(values)
    for spec_layer in spec.layers:
        shapes = [tuple(int(size) for size in values[index].shape[1:]) for index in spec_layer.inputs]
        operands = [values[index] for index in spec_layer.inputs]
        if is_function(spec_layer.class_name):
            values.append(call_keras(keras, spec_layer.class_name, operands, spec_layer.config))
            continue
        config = {key: value for key, value in spec_layer.config.items() if key not in CALL_OPTIONS}
        options = {key: value for key, value in spec_layer.config.items() if key in CALL_OPTIONS}
        layer = getattr(keras.layers, spec_layer.class_name)(**config)
        several = spec_layer.class_name in ("MultiHeadAttention", "GroupQueryAttention")
        given = operands if several else [operands[0] if len(operands) == 1 else operands]
        values.append(layer(*given, **options))
        weights = layer_weights(spec_layer, shapes)
        if weights:
            layer.set_weights(weights)
    model = keras.Model(inputs, [values[index] for index in spec.outputs()])
    # Eagerly: TensorFlow's optimizer of whole graphs makes x of maximum(x, x + x) (2.21).
    outputs = model([x[:, 0] for x in samples], training=False)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return [np.asarray(output)[:, None] for output in outputs]
