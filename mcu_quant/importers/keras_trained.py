"""Keras models that training/ made: the graph that each layer carries a node of, its weights and its ranges.

No TensorFlow here: the layers' classes are known by their registered names, and none of their code is run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcu_quant.errors import InvalidModelError, McuQuantError
from mcu_quant.importers.keras_config import LayerConfig, ModelConfig, TensorRef
from mcu_quant.importers.keras_order import execution_order
from mcu_quant.importers.keras_weights import WeightSource, finite_weights
from mcu_quant.importers.shapes import input_problem
from mcu_quant.ir import Graph, Node, Tensor, TrainedQuantization, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.attributes import attributes_from_json
from mcu_quant.ops.interpreter import run_graph

_PACKAGE = "mcu_quant>"
_QUANTIZER, _LINEAR, _OPERATOR = (
    f"{_PACKAGE}{name}" for name in ("FakeQuantize", "FakeQuantizedLinear", "GraphOperator")
)
#: Of one activation: far beyond what a microcontroller holds.
_MAX_ELEMENTS = 1 << 24
_LINEAR_OPS = ("conv_2d", "depthwise_conv_2d", "transpose_conv", "fully_connected")


def is_trained_model(model: ModelConfig) -> bool:
    """Whether mcu_quant prepared it for quantization-aware training."""
    return any(layer.custom.startswith(_PACKAGE) for layer in model.layers)


def build_trained_graph(model: ModelConfig, weights: WeightSource, name: str) -> Graph:
    """The float graph of the trained model, batch normalizations folded, with Graph.trained."""
    reader = _Reader(weights)
    for layer in model.layers:
        if layer.class_name == "InputLayer":
            with _as_prepared(layer.name):
                reader.input(layer)
    for layer, index in execution_order(model):
        with _as_prepared(layer.name):
            reader.read(layer, index)
    graph = reader.graph(model, name)
    with _as_prepared(name):  # the config may be anybody's: what does not fit together shows here
        run_graph(graph, [np.zeros((1, *tensor.shape), np.float32) for tensor in graph.input_tensors()])
    return graph


@contextmanager
def _as_prepared(where: str) -> Iterator[None]:
    """Errors of a config that prepare_qat cannot have written become the user's."""
    try:
        yield
    except McuQuantError:
        raise
    except (
        AttributeError,
        IndexError,
        KeyError,
        OverflowError,
        TypeError,
        ValueError,
        ZeroDivisionError,
    ) as error:
        raise InvalidModelError(
            "the layer must be as mcu_quant.prepare_qat made it",
            layer=where,
            value=f"{type(error).__name__}: {error}",
            hint="prepare the float model again, without layers of your own",
        ) from error


@dataclass
class _Reader:
    """values: tensor names by (layer, call)."""

    weights: WeightSource
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    values: dict[tuple[str, int], str] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)
    per_tensor: set[bool] = field(default_factory=set)

    def read(self, layer: LayerConfig, index: int) -> None:
        sources = [self.values[(ref.layer, ref.node)] for ref in layer.calls[index].refs()]
        if layer.custom == _QUANTIZER:
            (source,) = sources
            if index == 0:
                self._quantizer(layer)
            self.values[(layer.name, index)] = source
        elif layer.custom in (_LINEAR, _OPERATOR) and index == 0:
            make = self._linear if layer.custom == _LINEAR else self._operator
            self.values[(layer.name, index)] = make(layer, sources)
        elif layer.class_name != "InputLayer":
            raise InvalidModelError(
                "a model that is trained with quantization must have mcu_quant's layers only",
                layer=layer.name,
                value=layer.class_name,
                hint="put the layer into the float model, and prepare that",
            )

    def input(self, layer: LayerConfig) -> None:
        shape = layer.config["batch_shape"]
        problem = input_problem(shape)
        if problem is not None:
            raise InvalidModelError(problem.rule, layer=layer.name, value=problem.value, hint=problem.hint)
        name = str(layer.config.get("name", layer.name))
        self.values[(layer.name, 0)] = self._put(Tensor(name, (1, *shape[1:])))

    def _put(self, tensor: Tensor) -> str:
        if tensor.name in self.tensors:
            raise ValueError(f"two tensors are called {tensor.name}")
        self.tensors[tensor.name] = tensor
        return tensor.name

    def _arrays(self, layer: LayerConfig, shapes: Sequence[tuple[str, tuple[int, ...]]]) -> list[np.ndarray]:
        """The layer's first weights, as float64, checked."""
        arrays = self.weights.of((layer.name,))
        if len(arrays) < len(shapes):
            raise ValueError(f"{len(arrays)} weights in the file, {len(shapes)} needed")
        checked = []
        for (what, shape), array in zip(shapes, arrays, strict=False):
            if array.shape != shape:
                raise ValueError(f"weight {what} has shape {list(array.shape)}, not {list(shape)}")
            checked.append(finite_weights(array, what, layer.name).astype(np.float64))
        return checked

    def _quantizer(self, layer: LayerConfig) -> None:
        config = layer.config
        names = [str(name) for name in config["tensors"]]
        if config["fixed"] is not None:
            return
        ranges, batches = self._arrays(layer, [("ranges", (len(names), 2)), ("batches", (len(names),))])
        least, most = (float(end) for end in config["include"])
        if not (math.isfinite(least) and math.isfinite(most)):
            raise ValueError(f"include {config['include']}")
        span = (min(least, *ranges[:, 0].tolist()), max(most, *ranges[:, 1].tolist()))
        for name, count in zip(names, batches, strict=True):
            self.ranges[name] = span
            if count < 1:
                self.unseen.append(name)

    def _node(self, layer: LayerConfig, inputs: Sequence[str | None]) -> str:
        config = layer.config
        op, name = str(config["op"]), str(config["node"])
        attrs = attributes_from_json(op, config["attrs"])
        shapes = [self.tensors[i].shape for i in inputs if i is not None]
        (shape,) = OPERATORS[op].output_shapes(attrs, shapes)
        if any(size < 1 for size in shape) or math.prod(shape) > _MAX_ELEMENTS:
            raise ValueError(f"an output of shape {list(shape)}")
        if any(node.name == name for node in self.nodes):
            raise ValueError(f"two nodes are called {name}")
        types = [None if i is None else self.tensors[i].dtype for i in inputs]
        dtype = OPERATORS[op].output_type(attrs, types)
        output = self._put(Tensor(str(config["output"]), tuple(int(size) for size in shape), dtype))
        self.nodes.append(Node(name, op, attrs, tuple(inputs), (output,)))
        return output

    def _constant(self, layer: LayerConfig, what: str, array: np.ndarray, dtype: str = "float32") -> str:
        """Files have all as float32."""
        return self._put(Tensor.constant(f"{layer.config['node']}/{what}", array.astype(dtype)))

    def _operator(self, layer: LayerConfig, sources: Sequence[str]) -> str:
        if layer.config["op"] in _LINEAR_OPS:
            raise ValueError(f"operator {layer.config['op']}")
        shapes = [None if shape is None else tuple(shape) for shape in layer.config["operands"]]
        constants = [(f"constant_{i}", shape) for i, shape in enumerate(shapes) if shape is not None]
        values = iter(zip(constants, self._arrays(layer, constants), strict=True))
        computed, inputs = iter(sources), []
        plain = OPERATORS[layer.config["op"]].plain_types
        for index, shape in enumerate(shapes):
            if shape is None:
                inputs.append(next(computed, None))
            else:
                (what, _), array = next(values)
                dtype = plain.get(index, ("float32",))[0]
                inputs.append(self._constant(layer, what, array, dtype))
        if None in inputs or next(computed, None) is not None:
            raise ValueError(f"{len(sources)} inputs for operands {shapes}")
        return self._node(layer, inputs)

    def _linear(self, layer: LayerConfig, sources: Sequence[str]) -> str:
        config, (source,) = layer.config, sources
        op, shape = config["op"], tuple(int(size) for size in config["kernel_shape"])
        if op not in _LINEAR_OPS:
            raise ValueError(f"operator {op}")
        kernel, bias = _folded(config, self._arrays(layer, _linear_weights(config, shape)))
        inputs: list[str | None] = [source, self._constant(layer, "kernel", _in_graph_layout(op, kernel))]
        inputs.append(None if bias is None else self._constant(layer, "bias", bias))
        self.per_tensor.add(bool(config["per_tensor"]))
        return self._node(layer, inputs)

    def graph(self, model: ModelConfig, name: str) -> Graph:
        trained = TrainedQuantization(self.ranges, tuple(self.unseen), self.per_tensor == {True})
        inputs = tuple(self._endpoint(ref) for ref in model.inputs)
        outputs = tuple(self._endpoint(ref) for ref in model.outputs)
        graph = Graph(name, tuple(self.nodes), self.tensors, inputs, outputs, trained=trained)
        return check(graph.with_())

    def _endpoint(self, ref: TensorRef) -> str:
        try:
            return self.values[(ref.layer, ref.node)]
        except KeyError as error:
            raise InvalidModelError("the model's outputs must exist", layer=ref.layer) from error


def _linear_weights(config: Mapping[str, Any], shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    channels = shape[2] * shape[3] if config["op"] == "depthwise_conv_2d" else shape[-1]
    names = ["bias"] if config["use_bias"] else []
    if config["epsilon"] is not None:
        names += ["gamma", "beta", "moving_mean", "moving_variance"]
    return [("kernel", shape), *((name, (channels,)) for name in names)]


def _folded(config: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    """(kernel, bias or None), float64, with the batch normalization in them."""
    kernel, *rest = arrays
    bias = rest.pop(0) if config["use_bias"] else None
    if config["epsilon"] is None:
        return kernel, bias
    gamma, beta, mean, variance = rest
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = gamma / np.sqrt(variance + float(config["epsilon"]))
    if not np.isfinite(scale).all():
        raise ValueError("variances must be positive")
    along = kernel.shape[2:] if config["op"] == "depthwise_conv_2d" else (-1,)
    return kernel * scale.reshape(along), (0.0 if bias is None else bias) * scale + (beta - mean * scale)


def _in_graph_layout(op: str, kernel: np.ndarray) -> np.ndarray:
    """HWIO to OHWI, HWC and multiplier to 1HWO, IO to OI."""
    if op == "fully_connected":
        return kernel.T
    if op in ("conv_2d", "transpose_conv"):
        return kernel.transpose(3, 0, 1, 2)
    return kernel.reshape(1, *kernel.shape[:2], -1)
