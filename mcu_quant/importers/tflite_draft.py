"""The graph that a .tflite file becomes while it is read: tensors and nodes, each under its own name."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem
from mcu_quant.ir import BoundNode, Node, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import without_axis
from mcu_quant.ops.mover import Mover
from mcu_quant.ops.support import node_problems

#: More elements than any microcontroller holds, and few enough for 64-bit sums anywhere.
_MAX_ELEMENTS = 2**28
_MAX_RANK = 8
#: Constants of so many elements may be made of smaller ones.
_SMALL = 2**16


@dataclass
class Draft:
    """problems: all that was found so far. tensors: by name. nodes: in order."""

    problems: list[Problem] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    node_names: set[str] = field(default_factory=set)
    #: Names of nodes that may go where nobody reads them: parts of what the file has as one operator.
    parts: set[str] = field(default_factory=set)
    repeats: dict[str, int] = field(default_factory=dict)

    def unique(self, name: str, taken: Container[str]) -> str:
        """The name, with a number if it is taken. Counts on from the last one: files may repeat names."""
        candidate = name
        while candidate in taken:
            self.repeats[name] = count = self.repeats.get(name, 0) + 1
            candidate = f"{name}_{count}"
        return candidate

    def node_name(self, wanted: str) -> str:
        """A node's name, kept for it."""
        name = self.unique(wanted, self.node_names)
        self.node_names.add(name)
        return name

    def constant(self, tensor: Tensor, value: np.ndarray) -> Tensor:
        """The tensor with a value that was computed here."""
        self.tensors[tensor.name] = tensor = replace(tensor, data=value)
        return tensor

    def file_under(self, tensor: Tensor) -> Tensor:
        """The tensor, under a new name if it was made here (a constant in another layout)."""
        if self.tensors.get(tensor.name) is not tensor:
            tensor = replace(tensor, name=self.unique(tensor.name, self.tensors))
            self.tensors[tensor.name] = tensor
        return tensor

    def node(
        self, name: str, op: str, attrs: Any, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]
    ) -> None:
        """Append a node, once its shapes and rules are known to hold (or are among the problems).

        name: of node_name. inputs that are not filed yet are filed. outputs: filed tensors. Where constants
        are only moved there is no node, but a constant more.
        """
        operands = tuple(None if tensor is None else self.file_under(tensor) for tensor in inputs)
        shapes = OPERATORS[op].output_shapes(attrs, [x.shape for x in operands if x is not None])
        declared = tuple(tensor.shape for tensor in outputs)
        if tuple(tuple(shape) for shape in shapes) != declared:
            raise InvalidModelError(
                "the declared shape must be the one that follows from the inputs",
                layer=name,
                value=f"{declared}, not {tuple(shapes)}",
                hint="export the model again",
            )
        names = tuple(None if tensor is None else tensor.name for tensor in operands)
        node = Node(name, op, attrs, names, tuple(tensor.name for tensor in outputs))
        bound = BoundNode(node, operands, tuple(outputs))
        if _only_moves_constants(bound):
            self.constant(outputs[0], _moved_constant(bound))
        else:
            self.problems.extend(node_problems(bound))
            self.nodes.append(node)

    def part(
        self,
        name: str,
        op: str,
        attrs: Any,
        inputs: Sequence[Tensor | None],
        output: Tensor | None = None,
        **changes: Any,
    ) -> Tensor:
        """Append a node that is part of one operator of the file; returns its output.

        name: what it should be called, and its output, too, unless that is `output`. A new output has the
        type and quantization of the first input, but for `changes` (dtype=…, quant=…).
        """
        operands = [None if tensor is None else self.file_under(tensor) for tensor in inputs]
        present = [tensor for tensor in operands if tensor is not None]
        if output is None:
            (shape,) = OPERATORS[op].output_shapes(attrs, [tensor.shape for tensor in present])
            check_shape(name, tuple(shape))
            new = replace(present[0], name=name, shape=tuple(shape), data=None, value_range=None, **changes)
            output = self.file_under(new)
        node_name = self.node_name(name)
        self.node(node_name, op, attrs, operands, (output,))
        self.parts.add(node_name)
        return self.tensors[output.name]

    def needed_nodes(self, outputs: Sequence[str]) -> tuple[Node, ...]:
        """All nodes, but for parts that lead to none of the outputs."""
        needed, kept = set(outputs), list[Node]()
        for node in reversed(self.nodes):
            if node.name not in self.parts or needed.intersection(node.outputs):
                kept.append(node)
                needed.update(name for name in node.inputs if name is not None)
        return tuple(reversed(kept))


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Raises InvalidModelError for what no tensor may be."""
    positive = all(size > 0 for size in shape)
    if len(shape) > _MAX_RANK or not positive or math.prod(shape) > _MAX_ELEMENTS:
        raise InvalidModelError(
            f"a tensor must have at most {_MAX_RANK} sizes, positive, and at most {_MAX_ELEMENTS} elements",
            layer=name,
            value=f"shape {shape}",
            hint="export the model with fixed sizes",
        )


def _only_moves_constants(node: BoundNode) -> bool:
    """Whether the node only moves constants, to a tensor of their type and scale that is not much larger."""
    inputs = [tensor for tensor in node.inputs if tensor is not None]
    moves = isinstance(OPERATORS[node.node.op], Mover) or node.node.op in ("concatenation", "pad")
    if not moves or not all(_may_become(tensor, node.output) for tensor in inputs):
        return False
    return node.output.elements <= max(_SMALL, sum(tensor.elements for tensor in inputs))


def _may_become(x: Tensor, y: Tensor) -> bool:
    """Whether the values of a constant x can be those of y as they are; float16 is widened."""
    same_type = x.dtype == y.dtype or (x.dtype, y.dtype) == ("float16", "float32")
    one_scale = x.quant is None or x.quant.channel_axis is None
    return x.is_constant and same_type and one_scale and x.quant == without_axis(y.quant)


def _moved_constant(node: BoundNode) -> np.ndarray:
    data = [None if tensor is None else np.asarray(tensor.data)[None] for tensor in node.inputs]
    (value,) = OPERATORS[node.node.op].run_float(node, data)
    return np.asarray(value[0].astype(node.output.dtype))
