"""Layer by layer: what a trained model computes, beside the int8 reference on the same input."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

import mcu_quant as mq
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_node
from mcu_quant.quantize import quantize_trained
from mcu_quant.training import FakeQuantize


class Difference(NamedTuple):
    """steps: the largest, of one int8 step. share: of the outputs that differ."""

    op: str
    steps: int
    share: float


def layer_differences(model: Any, x: np.ndarray) -> dict[str, Difference]:
    """By node: Keras's rounded output, as int8 steps, against the reference's for Keras's rounded inputs."""
    graph = quantize_trained(mq.load(model).graph)
    tensors = _rounded_outputs(model)
    names = [name for name in tensors if name in graph.tensors]
    real = keras.Model(model.inputs, [tensors[name] for name in names]).predict(x, verbose=0)
    values = {name: _steps(graph, name, value) for name, value in zip(names, real, strict=True)}
    differences = {}
    for node in graph.bound_nodes():
        operands = [
            None if tensor is None else tensor.data if tensor.is_constant else values[tensor.name]
            for tensor in node.inputs
        ]
        (reference,) = run_node(node, operands)
        apart = np.abs(reference.astype(np.int64) - values[node.output.name].astype(np.int64))
        differences[node.name] = Difference(node.node.op, int(apart.max()), float((apart > 0).mean()))
    return differences


def _steps(graph: Graph, name: str, real: np.ndarray) -> np.ndarray:
    """Rounded real values as int8 steps; asserts that they are whole."""
    tensor = graph.tensors[name]
    if tensor.dtype == "bool":
        return real.reshape(-1, *tensor.shape)
    q = real.astype(np.float64) / tensor.scale + tensor.zero_point
    assert np.abs(q - np.rint(q)).max() < 0.01, f"{name}: values between steps"
    assert q.min() > -128.5 and q.max() < 127.5, name
    return np.rint(q).astype(np.int8).reshape(-1, *tensor.shape)


def _rounded_outputs(model: Any) -> dict[str, Any]:
    """The Keras tensor of every tensor of the graph, rounded where it is quantized."""
    plain, rounded = {}, {}
    for layer in model.layers:
        for call in layer._inbound_nodes:
            if isinstance(layer, FakeQuantize):
                rounded[_name(call.input_tensors[0]._keras_history.operation)] = call.output_tensors[0]
            else:
                plain[_name(layer)] = call.output_tensors[0]
    return {**plain, **rounded}


def _name(layer: Any) -> str:
    return str(layer.name if isinstance(layer, keras.layers.InputLayer) else layer.output_tensor)
