"""The graph that a .tflite file becomes while it is read: tensors and nodes, each under its own name."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.importers.tflite_file import FileTensor
from mcu_quant.importers.tflite_tensors import check_shape
from mcu_quant.ir import BoundNode, Node, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import Shape
from mcu_quant.ops.folding import MAX_ELEMENTS, as_sample, constant_outputs, is_constant, work
from mcu_quant.ops.support import node_problems

#: What all that is computed from constants may cost together (ops/folding.py).
_MAX_WORK = 8 * MAX_ELEMENTS


@dataclass
class Draft:
    """problems: all that was found so far. tensors: by name. nodes: in order."""

    problems: list[Problem] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    node_names: set[str] = field(default_factory=set)
    repeats: dict[str, int] = field(default_factory=dict)
    #: The file's own words on tensors, by name: which sizes are open.
    declared: dict[str, FileTensor] = field(default_factory=dict)
    work_left: int = _MAX_WORK

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

        What has constants alone is computed at once, and its outputs are constants; dead nodes go later.
        name: of node_name. inputs that are not filed yet are filed. outputs: filed tensors.
        """
        operands = tuple(None if tensor is None else self.file_under(tensor) for tensor in inputs)
        shapes = OPERATORS[op].output_shapes(attrs, [x.shape for x in operands if x is not None])
        outputs = self.sized(name, outputs, shapes)
        if any(tensor is not None and 0 in tensor.shape for tensor in (*operands, *outputs)):
            raise InvalidModelError("an operator's tensors must not be empty", layer=name)
        names = tuple(None if tensor is None else tensor.name for tensor in operands)
        node = Node(name, op, attrs, names, tuple(tensor.name for tensor in outputs))
        bound = BoundNode(node, operands, tuple(outputs))
        if is_constant(bound):
            self.fold(bound)
        else:
            for tensor in outputs:
                self.require_scale(tensor)
            self.problems.extend(node_problems(bound))
            self.nodes.append(node)

    def require_scale(self, tensor: Tensor) -> None:
        """Raises InvalidModelError for a scale of 0, which only zeros that are constant may have."""
        file_tensor = self.declared.get(tensor.name)
        quantization = None if file_tensor is None else file_tensor.quantization
        if tensor.quant is not None and quantization is not None and quantization.is_zero:
            rule, hint = "a scale must be positive and finite", "quantize the model again"
            raise InvalidModelError(rule, layer=tensor.name, value="scale 0", hint=hint)

    def sized(self, name: str, outputs: Sequence[Tensor], shapes: Sequence[Shape]) -> list[Tensor]:
        """The outputs with the shapes that follow from the inputs, which the file must allow."""
        shapes = [tuple(int(size) for size in shape) for shape in shapes]
        pairs = list(zip(outputs, shapes, strict=True))
        if not all(tensor.shape == shape or self.allows(tensor, shape) for tensor, shape in pairs):
            raise InvalidModelError(
                "the declared shape must be the one that follows from the inputs",
                layer=name,
                value=f"{tuple(tensor.shape for tensor in outputs)}, not {tuple(shapes)}",
                hint="export the model again",
            )
        for tensor, shape in pairs:
            if tensor.shape != shape:
                check_shape(tensor.name, shape, may_be_empty=True)
                self.tensors[tensor.name] = replace(tensor, shape=shape)
        return [self.tensors[tensor.name] for tensor in outputs]

    def allows(self, tensor: Tensor, shape: Shape) -> bool:
        """Whether the file leaves the tensor's sizes open so that the shape may be this."""
        return tensor.name in self.declared and self.declared[tensor.name].allows(shape)

    def fold(self, node: BoundNode) -> None:
        """Make the outputs of a node of constants constants, too."""
        if problems := node_problems(as_sample(node)):
            self.problems.extend(problems)
            return
        self.spend(node.name, node.node.op, work(node))
        for tensor in constant_outputs(node):
            self.tensors[tensor.name] = tensor

    def values(self, name: str, outputs: Sequence[Tensor], values: Sequence[np.ndarray]) -> list[Tensor]:
        """The outputs of an operator with values that were computed here."""
        self.spend(name, "", sum(value.size for value in values))
        sized = self.sized(name, outputs, [value.shape for value in values])
        return [
            self.constant(tensor, value.astype(tensor.dtype))
            for tensor, value in zip(sized, values, strict=True)
        ]

    def spend(self, name: str, what: str, cost: int) -> None:
        self.work_left -= cost
        if cost > MAX_ELEMENTS or self.work_left < 0:
            rule = "what constants alone give must be small enough to be computed at import"
            raise UnsupportedModelError([Problem(rule, name, what, "let the converter fold constants")])

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
            check_shape(name, tuple(shape), may_be_empty=False)
            new = replace(present[0], name=name, shape=tuple(shape), data=None, value_range=None, **changes)
            output = self.file_under(new)
        self.node(self.node_name(name), op, attrs, operands, (output,))
        return self.tensors[output.name]
