"""What operators share that only move elements: where each element of the output comes from."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import SAME_SCALE, Constraint, Operator, QuantRule, Shape
from mcu_quant.ops.forms import FORMS, PLAIN_TYPES

#: Axes that the C kernel walks, beside that of neighbours which stay neighbours.
MAX_AXES = 5


@dataclass(frozen=True)
class Path:
    """Element [i, j, …] of the output is element begin + i * strides[0] + j * strides[1] + … of the input.

    sizes: the output's. strides: in elements; 0 where elements repeat, negative where they are reversed.
    """

    begin: int
    sizes: Shape
    strides: Shape

    def merged(self) -> Path:
        """The same with axes of size 1 left out, and neighbours that are evenly spaced together as one."""
        axes: list[tuple[int, int]] = []
        for size, stride in zip(self.sizes, self.strides, strict=True):
            if size == 1:
                continue
            if axes and axes[-1][1] == size * stride:
                axes[-1] = (axes[-1][0] * size, stride)
            else:
                axes.append((size, stride))
        return Path(self.begin, tuple(size for size, _ in axes), tuple(stride for _, stride in axes))

    def in_runs(self) -> tuple[Path, int]:
        """(merged without its last axis, elements of a run), where what lies together is a run."""
        path = self.merged()
        if path.strides[-1:] == (1,):
            return Path(path.begin, path.sizes[:-1], path.strides[:-1]), path.sizes[-1]
        return path, 1


class Mover(Operator):
    """Input: x. The output has no elements but those of x. Raw bytes: one scale."""

    float_is_exact = True
    is_selection = True
    plain_form = PLAIN_TYPES
    #: TFLM moves whole numbers of some types in some of its operators only.
    oracles = MappingProxyType({"plain": "LiteRT"})
    quant_rule = QuantRule(output="same")
    constraints: ClassVar[tuple[Constraint, ...]] = (
        SAME_SCALE,
        Constraint(
            f"elements must move along at most {MAX_AXES} groups of axes",
            lambda node: len(path_of(node).in_runs()[0].sizes) <= MAX_AXES,
            lambda node: f"{node.input(0).shape} to {node.output.shape}",
            "several steps, of fewer axes each",
            forms=FORMS,
        ),
    )

    @abstractmethod
    def path(self, attrs: Any, shape: Shape) -> Path:
        """Where the elements of the output are in an input of that shape; output_shapes holds."""

    @abstractmethod
    def moved(self, attrs: Any, x: np.ndarray) -> np.ndarray:
        """[N, *shape] to [N, *output's shape], of any dtype."""

    def is_monotone(self, node: BoundNode) -> bool:
        return True

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (self.moved(node.attrs, x),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return self.run_float(node, inputs)


def element_strides(shape: Shape) -> Shape:
    """How far apart neighbours along each axis are, in elements."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def path_of(node: BoundNode) -> Path:
    """Of a node whose operator is a Mover."""
    from mcu_quant.ops import OPERATORS

    operator = OPERATORS[node.node.op]
    assert isinstance(operator, Mover), node.node.op
    return operator.path(node.attrs, node.input(0).shape)


def moves_nothing(node: BoundNode) -> bool:
    """Whether the output's elements are the input's, in its order."""
    path, run = path_of(node).in_runs()
    return path.begin == 0 and not path.sizes and run == node.input(0).elements
