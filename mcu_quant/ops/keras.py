"""What operators need to read Keras layers: a layer's config and weights, and a graph under construction.

No TensorFlow here: a layer is a class name, a config dict (as in config.json of a .keras file)
and numpy weights in the order of keras.Layer.weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mcu_quant.errors import Problem
from mcu_quant.ir import Graph, Node, State, Tensor, check, state_name, unique_name
from mcu_quant.ops.base import Shape

if TYPE_CHECKING:
    from mcu_quant.ops.base import Operator


@dataclass(frozen=True)
class KerasLayer:
    """One layer of a Keras model. weights: float32 arrays in the order of keras.Layer.weights."""

    name: str
    class_name: str
    config: Mapping[str, Any]
    weights: tuple[np.ndarray, ...] = ()


class LayerRefused(Exception):
    """A layer that has no form here; the importer gathers these and reports all at once."""

    def __init__(self, rule: str, *, value: object = "", hint: str = "") -> None:
        super().__init__(rule)
        self.rule, self.value, self.hint = rule, str(value), hint

    def problem(self, layer: str) -> Problem:
        return Problem(self.rule, layer, self.value, self.hint)


def require_channels_last(config: Mapping[str, Any]) -> None:
    """Raises LayerRefused for channels_first."""
    if config.get("data_format") == "channels_first":
        raise LayerRefused(
            "data_format must be 'channels_last'",
            value="channels_first",
            hint="build the model with keras.config.set_image_data_format('channels_last')",
        )


@dataclass
class GraphBuilder:
    """A float graph under construction. operators: ops.OPERATORS (by IR name).

    keras: the generation of Keras that the model is of, 2 or 3: some functions have changed.
    """

    name: str
    operators: Mapping[str, Operator]
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    keras: int = 3

    def input(self, name: str, shape: Shape, dtype: str = "float32") -> str:
        """A graph input of that full shape (batch 1 included); returns its tensor's name."""
        tensor = Tensor(unique_name(name, self.tensors), shape, dtype)
        self.tensors[tensor.name] = tensor
        self.inputs.append(tensor.name)
        return tensor.name

    def constant(self, name: str, data: np.ndarray) -> str:
        """A constant; float data is stored as float32. Returns its tensor's name."""
        array = np.asarray(data)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        tensor = Tensor.constant(unique_name(name, self.tensors), array)
        self.tensors[tensor.name] = tensor
        return tensor.name

    def add(self, op: str, name: str, attrs: Any, inputs: Sequence[str | None]) -> str:
        """Append a node with one output, its shape and type inferred; returns the output's name.

        name: the Keras layer's name; a layer of several nodes adds "/part" to it.
        """
        (output,) = self.add_all(op, name, attrs, inputs)
        return output

    def add_all(self, op: str, name: str, attrs: Any, inputs: Sequence[str | None]) -> list[str]:
        """Likewise of an operator with several outputs, which are of one type."""
        known = [self.tensors[i].shape for i in inputs if i is not None]
        operator = self.operators[op]
        shapes = operator.output_shapes(attrs, known)
        if any(size <= 0 for shape in shapes for size in shape):
            raise LayerRefused(
                "the output must have at least one element",
                value=f"shape {shapes[0]}",
                hint="a larger input, or padding='same'",
            )
        node_name = unique_name(name, {node.name for node in self.nodes})
        types = [None if i is None else self.tensors[i].dtype for i in inputs]
        dtype, outputs = operator.output_type(attrs, types), list[str]()
        for index, shape in enumerate(shapes):
            output = Tensor(unique_name(state_name(node_name, index), self.tensors), shape, dtype)
            self.tensors[output.name] = output
            outputs.append(output.name)
        self.nodes.append(Node(node_name, op, attrs, tuple(inputs), tuple(outputs)))
        return outputs

    def state(self, name: str, shape: Shape) -> str:
        """A state before the run, 0 at reset; `keep` says what it is after it. Returns its tensor's name."""
        tensor = Tensor(unique_name(name, self.tensors), shape)
        self.tensors[tensor.name] = tensor
        return tensor.name

    def keep(self, before: str, after: str) -> None:
        """From run to run, what is in `after` comes back in `before`, a tensor of `state`."""
        self.states.append(State(before, after, np.zeros(self.shape(before), np.float32)))

    def shape(self, tensor: str) -> Shape:
        return self.tensors[tensor].shape

    def activation(self, layer_name: str, activation: Any, tensor: str) -> str:
        """Apply a layer's `activation` config: a name, None, or a serialized function or layer.

        A mapping whose config is one, too, has its parameters there, by Keras's names.
        """
        from mcu_quant.ops.keras_activations import COMPOSITIONS, Composition

        parameters: Mapping[str, Any] = {}
        if isinstance(activation, Mapping):
            config = activation.get("config")
            parameters = config if isinstance(config, Mapping) else {}
            activation = config if isinstance(config, str) else activation.get("class_name")
        if activation in (None, "linear"):
            return tensor
        name = f"{layer_name}/{activation}"
        if activation in COMPOSITIONS:
            return COMPOSITIONS[activation](Composition(self, name, parameters), tensor)
        for operator in self.operators.values():
            attrs = operator.keras_activations.get(activation)
            if attrs is not None:
                return self.add(operator.name, name, attrs, [tensor])
        known = {name for operator in self.operators.values() for name in operator.keras_activations}
        raise LayerRefused(
            "the activation function must be a supported one",
            value=activation,
            hint=", ".join(sorted({*known, *COMPOSITIONS})),
        )

    def graph(self, outputs: Sequence[str]) -> Graph:
        built = Graph(self.name, tuple(self.nodes), dict(self.tensors), tuple(self.inputs), tuple(outputs))
        return check(built.with_(states=tuple(self.states)))
