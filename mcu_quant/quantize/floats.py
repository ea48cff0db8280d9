"""Techniques that keep activations in float32: weights as they are, as halves, or as int8.

None of them needs calibration. The files are those of the usual converter: halves and weight-only int8
behind a DEQUANTIZE, hybrid int8 as it is.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mcu_quant.errors import InvalidModelError
from mcu_quant.ir import BoundNode, Graph, Node, QuantParams, Tensor, check, unique_name
from mcu_quant.ops.forms import FLOAT_FORMS, form_of
from mcu_quant.ops.support import require_supported
from mcu_quant.quantize.assign import is_linear
from mcu_quant.quantize.checks import check_quantizable
from mcu_quant.quantize.compositions import lower_compositions
from mcu_quant.quantize.operands import role, rule_of
from mcu_quant.quantize.schemes import MIN_SCALE, WEIGHT_LIMIT, Constant, float32_at_least
from mcu_quant.quantize_options import QuantizeOptions

_LARGEST_HALF = float(np.finfo(np.float16).max)


def quantize_float(graph: Graph, options: QuantizeOptions) -> Graph:
    """The graph (after passes.prepare) with the weights of a float technique, the same in all layers.

    options.per_tensor: of dynamic, one scale for all of a layer's weights. options.dynamic_range: "hybrid"
    (also None), or "weights" for int8 that is only stored. Raises UnsupportedModelError naming every operator
    without a TFLite form, InvalidModelError for weights that are not finite or too large for a half.
    """
    check_quantizable(graph)
    techniques = dict.fromkeys((node.name for node in graph.nodes), options.technique)
    return require_supported(lower_compositions(with_float_weights(graph, techniques, options)))


def with_float_weights(graph: Graph, techniques: Mapping[str, str], options: QuantizeOptions) -> Graph:
    """The graph with the weights of its float nodes as their techniques say; other nodes stay as they are.

    techniques: by name; nodes without one stay, too. options: as for quantize_float.
    """
    layers = {
        node.name: techniques.get(node.name) for node in graph.bound_nodes() if form_of(node) in FLOAT_FORMS
    }
    halves = {name for name, technique in layers.items() if technique == "float16"}
    dynamic = {name for name, technique in layers.items() if technique == "dynamic"}
    graph = check(_Halves(graph, halves).graph()) if halves else graph
    if dynamic:
        graph = check(
            _DynamicRange(graph, dynamic, options.per_tensor, options.dynamic_range != "weights").graph()
        )
    return graph


@dataclass
class _Halves:
    """Every float constant of those layers as a half, but those that are outputs."""

    source: Graph
    layers: Container[str]
    written: dict[str, Tensor] = field(default_factory=dict)
    #: Constants to what has them as halves.
    known: dict[str, str] = field(default_factory=dict)

    def graph(self) -> Graph:
        # What others read as it is stays.
        others = {name for n in self.source.nodes if n.name not in self.layers for name in n.inputs}
        kept = {*others, *self.source.outputs}
        nodes = tuple(self._node(node, kept) for node in self.source.bound_nodes())
        return self.source.with_(nodes=nodes, tensors={**self.source.tensors, **self.written})

    def _node(self, node: BoundNode, kept: Container[str | None]) -> Node:
        if node.name not in self.layers:
            return node.node
        inputs = [None if x is None else self._narrowed(node.name, x, kept) for x in node.inputs]
        return replace(node.node, inputs=tuple(inputs))

    def _narrowed(self, layer: str, tensor: Tensor, kept: Container[str | None]) -> str:
        if tensor.data is None or tensor.dtype != "float32" or tensor.name in self.source.outputs:
            return tensor.name
        if tensor.name not in self.known:
            name = tensor.name
            if name in kept:
                name = unique_name(f"{name}/float16", self.source.tensors, self.written)
            self.written[name] = _half(layer, name, tensor.data)
            self.known[tensor.name] = name
        return self.known[tensor.name]


def _half(layer: str, name: str, data: np.ndarray) -> Tensor:
    with np.errstate(over="ignore"):
        half = data.astype(np.float16)
    if not np.isfinite(half).all():
        worst = float(data.reshape(-1)[np.argmax(np.abs(data))])
        raise InvalidModelError(
            f"float16 weights must be at most {_LARGEST_HALF:g}",
            layer=layer,
            value=f"{worst:g} in {name}",
            hint="--technique dynamic or float32, or scale this layer down and the next one up",
        )
    return Tensor.constant(name, half)


@dataclass
class _DynamicRange:
    """Constant weights of those linear operators become int8, symmetric; everything else stays as it is.

    So do tables of embeddings, of one scale; what is read of them is dequantized.
    """

    source: Graph
    layers: Container[str]
    per_tensor: bool
    hybrid: bool
    written: dict[str, Tensor] = field(default_factory=dict)
    #: Weights and channel axis to the constant that has them as int8: layers may share weights.
    known: dict[tuple[str, int | None], str] = field(default_factory=dict)

    def graph(self) -> Graph:
        nodes = tuple(part for node in self.source.bound_nodes() for part in self._parts(node))
        return self.source.with_(nodes=nodes, tensors={**self.source.tensors, **self.written})

    def _parts(self, node: BoundNode) -> tuple[Node, ...]:
        is_embedding = (
            node.node.op == "gather" and node.input(0).is_constant and node.output.dtype == "float32"
        )
        return self._embedding(node) if is_embedding and node.name in self.layers else (self._node(node),)

    def _embedding(self, node: BoundNode) -> tuple[Node, ...]:
        table = self._weights(node.input(0), None)
        output = node.output
        name = unique_name(f"{output.name}/int8", self.source.tensors, self.written)
        self.written[name] = replace(output, name=name, dtype="int8", quant=self.written[table].quant)
        read = replace(node.node, inputs=(table, *node.node.inputs[1:]), outputs=(name,))
        taken = {other.name for other in self.source.nodes}
        converter = unique_name(f"{node.name}/dequantize", taken)
        return read, Node(converter, "dequantize", None, (name,), (output.name,))

    def _node(self, node: BoundNode) -> Node:
        rule = rule_of(node)
        weights = [i for i in sorted(rule.weights_at) if role(node, i) == "weights"]
        if node.name not in self.layers or not weights:
            return node.node
        inputs, attrs = list(node.node.inputs), node.attrs
        for index in weights:
            inputs[index] = self._weights(node.input(index), rule.channel_axis(index))
        if is_linear(node):  # others have no hybrid form: their weights are only stored so
            attrs = replace(attrs, hybrid=self.hybrid)
        return replace(node.node, inputs=tuple(inputs), attrs=attrs)

    def _weights(self, tensor: Tensor, channel_axis: int | None) -> str:
        """channel_axis: None for one scale, whatever the options."""
        key = (tensor.name, channel_axis)
        if key not in self.known:
            assert tensor.data is not None
            name = unique_name(f"{tensor.name}/int8", self.source.tensors, self.written)
            data, quant = quantize_weights(tensor.data, None if self.per_tensor else channel_axis)
            if self.per_tensor and self.hybrid and channel_axis is not None:
                # LiteRT's hybrid depthwise kernel reads a scale for each channel, whatever the file says.
                quant = QuantParams.per_channel(quant.scale * tensor.shape[channel_axis], channel_axis)
            self.written[name] = Tensor.constant(name, data, quant)
            self.known[key] = name
        return self.known[key]


def quantize_weights(data: np.ndarray, channel_axis: int | None) -> Constant:
    """int8 in [-127, 127], symmetric: scale = max |w| / 127, of each channel or (None) of all.

    Channels of nothing but 0 get scale 1. Halves are rounded to even, as the usual converter does.
    """
    rows = np.abs(data.astype(np.float64))
    others = tuple(axis for axis in range(data.ndim) if axis != channel_axis)
    largest = np.atleast_1d(rows.max(axis=others, initial=0.0))
    scales = [float32_at_least(max(x / WEIGHT_LIMIT, MIN_SCALE)) if x else 1.0 for x in largest.tolist()]
    if channel_axis is None:
        quant = QuantParams.per_tensor(scales[0])
    else:
        quant = QuantParams.per_channel(scales, channel_axis)
    return np.rint(data / quant.broadcast_scale(data.ndim)).astype(np.int8), quant
