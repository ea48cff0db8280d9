"""From a graph to a Keras model with every activation and weight rounded as the quantizer will round it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Graph, unique_name
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.attributes import attributes_as_json
from mcu_quant.passes.training import Normalization
from mcu_quant.quantize.assign import fixed_schemes, is_linear, operand_ranges, separate_fixed_outputs
from mcu_quant.quantize.kinds import equal_scale_groups
from mcu_quant.quantize.operands import quantized_outputs, role, rule_of
from mcu_quant.training.fake_quantize import FakeQuantize
from mcu_quant.training.functions import FUNCTIONS
from mcu_quant.training.linear import FakeQuantizedLinear
from mcu_quant.training.operator import GraphOperator

#: A range that no fixed output can hold: what is not known before training.
_UNKNOWN = (-3.0e38, 3.0e38)


@dataclass(frozen=True)
class TrainingOptions:
    """per_tensor: one scale for all weights of a layer. learned: ranges by gradient, not by averages."""

    per_tensor: bool = False
    learned: bool = False
    freeze_after: int | None = None


def build_model(
    graph: Graph, normalizations: Mapping[str, Normalization], options: TrainingOptions
) -> keras.Model:
    """graph, normalizations: of passes.prepare_for_training. Raises UnsupportedModelError."""
    _require_trainable(graph)
    graph = _with_fixed_outputs_apart(graph)
    return _Builder(graph, normalizations, options).build()


def _require_trainable(graph: Graph) -> None:
    problems = [problem for node in graph.bound_nodes() for problem in _problems(node)]
    problems += [
        Problem("an output must be computed from the inputs", name, "a constant")
        for name in graph.outputs
        if graph.tensors[name].is_constant
    ]
    if problems:
        raise UnsupportedModelError(problems)


def _problems(node: BoundNode) -> Iterator[Problem]:
    op = node.node.op
    if not (is_linear(node) or op in FUNCTIONS):
        hint = "quantize the model as it is, with calibration data: mcu_quant.quantize(model, data)"
        yield Problem("there must be a trainable form of every operator", node.name, op, hint)
    for tensor in node.outputs:
        if tensor.shape[:1] != (1,):
            yield Problem(
                "every layer must keep the samples of a batch apart",
                node.name,
                f"an output of shape {list(tensor.shape)}",
                "a leading axis of 1",
            )


def _with_fixed_outputs_apart(graph: Graph) -> Graph:
    """As the quantizer will have to have it whatever the ranges: the structure must not depend on them."""
    ranges = dict.fromkeys(graph.tensors, (0.0, 0.0))
    ranges.update(dict.fromkeys(graph.inputs, _UNKNOWN))
    for node in graph.bound_nodes():
        if rule_of(node).output == "free":
            ranges.update(dict.fromkeys(quantized_outputs(node), _UNKNOWN))
    return separate_fixed_outputs(graph, ranges)[0]


@dataclass
class _Builder:
    """values: Keras tensors by graph tensor, rounded where the graph's are quantized."""

    graph: Graph
    normalizations: Mapping[str, Normalization]
    options: TrainingOptions
    values: dict[str, Any] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    weights: list[tuple[Any, list[np.ndarray]]] = field(default_factory=list)

    def build(self) -> keras.Model:
        self.quantizers = self._quantizers()
        inputs = [self._input(name) for name in self.graph.inputs]
        for node in self.graph.bound_nodes():
            self._node(node)
        outputs = [self.values[name] for name in self.graph.outputs]
        model = keras.Model(
            inputs[0] if len(inputs) == 1 else inputs,
            outputs[0] if len(outputs) == 1 else outputs,
            name=self.graph.name.replace("/", "."),
        )
        for layer, arrays in self.weights:
            layer.set_weights([*arrays, *layer.get_weights()[len(arrays) :]])
        return model

    def _name(self, name: str) -> str:
        """A layer name that Keras takes; the graph's own is in the layer's config."""
        chosen = unique_name(name.replace("/", "."), self.names)
        self.names.add(chosen)
        return chosen

    def _quantizers(self) -> dict[str, FakeQuantize]:
        """The layer for each quantized tensor; those of an equal-scale group share it."""
        groups, fixed = equal_scale_groups(self.graph), fixed_schemes(self.graph)
        observed = [*self.graph.inputs]
        for node in self.graph.bound_nodes():
            if rule_of(node).output == "free":
                observed += quantized_outputs(node)
        constants = operand_ranges(self.graph, {})
        layers: dict[str, FakeQuantize] = {}
        for members in groups.members().values():
            spans = [constants[name] for name in members if name in constants]
            schemes = [fixed[name] for name in members if name in fixed]
            layer = FakeQuantize(
                tensors=[name for name in observed if name in members],
                include=(min([0.0, *(s[0] for s in spans)]), max([0.0, *(s[1] for s in spans)])),
                fixed=(schemes[0].scale[0], schemes[0].zero_point[0]) if schemes else None,
                pass_in_training=any(name in self.graph.outputs for name in members),
                learned=self.options.learned,
                freeze_after=self.options.freeze_after,
                name=self._name(f"{members[0]}_quantized"),
            )
            layers.update(dict.fromkeys(members, layer))
        return layers

    def _input(self, name: str) -> Any:
        tensor = self.graph.tensors[name]
        value = keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=self._name(name))
        self._put(name, value)
        return value

    def _put(self, name: str, value: Any) -> None:
        """The tensor, rounded."""
        layer = self.quantizers[name]
        member = layer.tensors.index(name) if name in layer.tensors else None
        self.values[name] = layer(value) if member is None else layer(value, member=member)

    def _node(self, node: BoundNode) -> None:
        layer, arrays = self._linear(node) if is_linear(node) else self._operator(node)
        sources = [
            self.values[tensor.name]
            for tensor in node.inputs
            if tensor is not None and not tensor.is_constant
        ]
        value = layer(sources[0] if len(sources) == 1 else sources)
        self.weights.append((layer, arrays))
        if quantized_outputs(node) and not _only_moves(node):
            self._put(node.output.name, value)
        else:
            self.values[node.output.name] = value

    def _linear(self, node: BoundNode) -> tuple[Any, list[np.ndarray]]:
        normalization = self.normalizations.get(node.name)
        kernel, bias = keras_kernel(node), node.optional_input(2)
        arrays = [kernel, *([bias.data] if bias is not None and bias.data is not None else [])]
        use_bias = len(arrays) == 2
        if normalization is not None:
            parts = normalization
            arrays += [parts.gamma, parts.beta, parts.mean, parts.variance]
        layer = FakeQuantizedLinear(
            **self._facts(node),
            kernel_shape=kernel.shape,
            use_bias=use_bias,
            epsilon=None if normalization is None else normalization.epsilon,
            per_tensor=self.options.per_tensor,
            freeze_after=self.options.freeze_after,
        )
        return layer, arrays

    def _operator(self, node: BoundNode) -> tuple[Any, list[np.ndarray]]:
        present = [tensor for tensor in node.inputs if tensor is not None]
        layer = GraphOperator(
            **self._facts(node),
            operands=[tensor.shape if tensor.is_constant else None for tensor in present],
            own_scales=rule_of(node).output != "same",
        )
        return layer, [tensor.data for tensor in present if tensor.data is not None]

    def _facts(self, node: BoundNode) -> dict[str, Any]:
        return {
            "node": node.name,
            "op": node.node.op,
            "attrs": attributes_as_json(node.attrs),
            "output": node.output.name,
            "name": self._name(node.name),
        }


def _only_moves(node: BoundNode) -> bool:
    if not OPERATORS[node.node.op].is_selection or getattr(node.attrs, "activation", "none") != "none":
        return False
    return not any(tensor.is_constant and role(node, i) == "activation" for i, tensor in _inputs(node))


def _inputs(node: BoundNode) -> list[tuple[int, Any]]:
    return [(index, tensor) for index, tensor in enumerate(node.inputs) if tensor is not None]


def keras_kernel(node: BoundNode) -> np.ndarray:
    """The weights as Keras has them: HWIO, HWC and multiplier, or IO."""
    weights = node.input(1).data
    assert weights is not None
    if node.node.op == "fully_connected":
        return weights.T
    if node.node.op in ("conv_2d", "transpose_conv"):
        return weights.transpose(1, 2, 3, 0)
    return weights[0].reshape(*weights.shape[1:3], node.input(0).shape[3], -1)
