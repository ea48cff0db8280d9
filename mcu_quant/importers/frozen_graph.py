"""A frozen TensorFlow graph, as saved_model_reader.py sends it, to a float Graph. No TensorFlow here.

Each node is either computed at once (its inputs are constants: folded batch norms, shapes) or
rewritten as the Keras layer that does the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.importers.frozen_constants import fold, is_foldable
from mcu_quant.importers.frozen_ops import OPS, FrozenNode, Value
from mcu_quant.importers.keras_build import CONFIG_ERRORS, without_dead_nodes
from mcu_quant.importers.keras_functions import TensorName
from mcu_quant.importers.keras_layers import ImportBuilder
from mcu_quant.importers.shapes import input_problem
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.keras import LayerRefused

_CALL = re.compile(r"(Stateful)?PartitionedCall(_\d+)?")
_IGNORED = ("NoOp", "Placeholder", "Assert")


def build_frozen_graph(name: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Graph:
    """Raises UnsupportedModelError with all operations that have no form here."""
    return _FrozenImporter(name, header, arrays).run()


class _FrozenImporter:
    def __init__(self, name: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        self._builder = ImportBuilder(name, OPERATORS)
        self._header = header
        self._values: dict[str, Value | None] = {f"{key}:0": array for key, array in arrays.items()}
        self._problems: list[Problem] = []

    def run(self) -> Graph:
        nodes = {node["name"]: node for node in self._header["nodes"]}
        for key, tensor in self._header["inputs"]:
            self._input(key, nodes[_node_name(tensor)])
        for node in _ordered(nodes):
            self._node(node)
        if self._problems:
            raise UnsupportedModelError(self._problems)
        outputs = []
        for key, tensor in self._header["outputs"]:
            value = self._values.get(_full_name(tensor))
            if not isinstance(value, TensorName):
                raise InvalidModelError("every output must be computed from an input", layer=key)
            outputs.append(str(value))
        return without_dead_nodes(self._builder, outputs)

    def _input(self, key: str, node: Mapping[str, Any]) -> None:
        shape = node["attributes"].get("shape")
        if shape is None or len(shape) < 2:
            raise InvalidModelError("the shape of the model's input must be known", layer=key, value=shape)
        seen = [None if size < 0 else size for size in shape]
        problem = input_problem(seen)
        if problem is not None:
            self._problems.append(problem.problem(key))
            self._values[f"{node['name']}:0"] = None
        else:
            name = self._builder.input(key, (1, *shape[1:]))
            self._values[f"{node['name']}:0"] = TensorName(name)

    def _node(self, document: Mapping[str, Any]) -> None:
        op, name = document["op"], document["name"]
        if op in _IGNORED or f"{name}:0" in self._values:
            return
        inputs = [self._values.get(_full_name(i)) for i in document["inputs"] if not i.startswith("^")]
        node = FrozenNode(op, _readable(name), inputs, document["attributes"])
        self._values[f"{name}:0"] = None
        try:
            if op == "IdentityN":
                self._values.update({f"{name}:{index}": value for index, value in enumerate(inputs)})
            elif op not in OPS and not is_foldable(op):
                raise LayerRefused(
                    "there is no form for this TensorFlow operation", value=op,
                    hint="Conv, Dense, pooling, Add, Multiply and activations of Keras",
                )  # fmt: skip
            elif all(value is not None for value in inputs):
                self._store(name, self._value(node))
        except LayerRefused as refusal:
            self._problems.append(refusal.problem(node.name))
        except CONFIG_ERRORS as error:
            raise InvalidModelError(
                "the operation must be one that Keras writes",
                layer=node.name,
                value=f"{op}, {type(error).__name__}: {error}",
            ) from error

    def _store(self, name: str, value: Value | list[str]) -> None:
        outputs = [TensorName(output) for output in value] if isinstance(value, list) else [value]
        self._values.update({f"{name}:{index}": output for index, output in enumerate(outputs)})

    def _value(self, node: FrozenNode) -> Value | list[str]:
        folded = fold(node, self._builder)
        if folded is not None:
            return folded
        if node.op not in OPS:
            raise LayerRefused(
                "the operation must be on constants", value=node.op, hint="the Keras layer that does the same"
            )
        value = OPS[node.op](node, self._builder)
        return TensorName(value) if isinstance(value, str) else value


def _readable(name: str) -> str:
    """Without the names of inlined calls: functional_1/conv2d/Conv2D."""
    parts = [part for part in name.split("/") if part != "Func" and not _CALL.fullmatch(part)]
    return "/".join(parts) or name


def _node_name(tensor: str) -> str:
    return tensor.lstrip("^").split(":")[0]


def _full_name(tensor: str) -> str:
    return tensor if ":" in tensor else f"{tensor}:0"


def _ordered(nodes: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Each node after those that it reads; otherwise in the file's order."""
    order: list[Mapping[str, Any]] = []
    state: dict[str, bool] = {}
    for first in nodes:
        stack = [first]
        while stack:
            name = stack[-1]
            if state.get(name) or name not in nodes:
                stack.pop()
                continue
            waiting = [
                _node_name(i)
                for i in nodes[name]["inputs"]
                if not i.startswith("^") and not state.get(_node_name(i))
            ]
            waiting = [other for other in waiting if other in nodes]
            if waiting and name in state:
                raise InvalidModelError("operations must not read each other in a circle", layer=name)
            state[name] = not waiting
            if not waiting:
                order.append(nodes[name])
                stack.pop()
            stack.extend(waiting)
    return order
