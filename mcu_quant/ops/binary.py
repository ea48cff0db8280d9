"""What operators of two broadcasting operands share. Either operand may be constant."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor, ValueRange
from mcu_quant.ops.base import (
    ACTIVATIONS,
    Constraint,
    Operator,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
    activation_range,
    align_ranks,
    float_activation,
)
from mcu_quant.ops.broadcast import BROADCASTS, broadcast_shape
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.ranges import corner_ranges, full_range


@dataclass(frozen=True)
class ArithmeticAttrs:
    """Of add, sub and mul."""

    activation: str = "none"


class BinaryOperator(Operator):
    """Inputs: two operands whose shapes broadcast as NumPy's do. attrs: None unless a subclass has some."""

    is_elementwise = True
    constraints: ClassVar[tuple[Constraint, ...]] = (BROADCASTS,)
    #: What the Keras layer's nodes carry.
    default_attrs: ClassVar[Any] = None

    @abstractmethod
    def meaning(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """float32, aligned for broadcasting, to float32; without a fused activation."""

    @abstractmethod
    def integer(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The same for quantized operands, aligned for broadcasting; the output's dtype."""

    def value_range(self, node: BoundNode) -> tuple[ValueRange | None, ...]:
        """Results rise or fall in either operand all along, for given values of the other."""
        if any(full_range(tensor) is None for tensor in (node.input(0), node.input(1), node.output)):
            return super().value_range(node)
        return corner_ranges(node, self.run_integer)

    def output_shapes(self, attrs: Any, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        a, b = input_shapes
        return (broadcast_shape(a, b),)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        """More than two inputs become a chain, from the left, as Keras computes them."""
        if len(inputs) < 2:
            raise LayerRefused("a merge layer must have at least two inputs", value=len(inputs))
        result = inputs[0]
        for index, operand in enumerate(inputs[1:], start=1):
            shapes = builder.shape(result), builder.shape(operand)
            try:
                broadcast_shape(*shapes)
            except ValueError as error:
                raise LayerRefused("the inputs' shapes must broadcast", value=shapes) from error
            part = "" if index == len(inputs) - 1 else f"/{index}"
            result = builder.add(self.name, f"{layer.name}{part}", self.default_attrs, [result, operand])
        return result

    def from_tflite(self, node: TfliteNode) -> tuple[Any, tuple[Tensor | None, ...]]:
        return None, node.inputs

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return (_with_samples(node, self.meaning(node, *_operands(node, inputs))),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return (_with_samples(node, self.integer(node, *_operands(node, inputs))),)


def _operands(node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, np.ndarray]:
    a, b = inputs
    assert a is not None and b is not None
    return align_ranks(a, b, node)


def _with_samples(node: BoundNode, y: np.ndarray) -> np.ndarray:
    """[N, *output shape], also where both operands are constant (N = 1)."""
    return y if y.ndim > len(node.output.shape) else y[None]


NO_ACTIVATION_ON_INT32 = Constraint(
    "arithmetic on int32 must have no fused activation: TFLM leaves it out",
    lambda node: node.attrs.activation == "none",
    lambda node: node.attrs.activation,
    "maximum and minimum in its place",
    ("plain",),
)


class ArithmeticOperator(BinaryOperator):
    """add, sub, mul: a free output scale and a fused activation."""

    quant_rule = QuantRule()
    default_attrs = ArithmeticAttrs()
    #: The options' type in schema.fbs.
    options_type: ClassVar[str]

    @abstractmethod
    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """In float32, or in int32."""

    @abstractmethod
    def requantized(self, node: BoundNode, a: IntArray, b: IntArray) -> IntArray:
        """The result less the output's zero_point. a, b: less their zero_points."""

    def meaning(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return float_activation(self.combine(a, b), node.attrs.activation)

    def integer(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if form_of(node) == "plain":
            with np.errstate(over="ignore"):
                return self.combine(a, b)  # wraps
        low, high = activation_range(node.attrs.activation, node.output)
        steps = (x.astype(np.int64) - node.input(index).zero_point for index, x in enumerate((a, b)))
        y = self.requantized(node, *steps) + node.output.zero_point
        return np.clip(y, low, high).astype(node.output.dtype)

    def from_tflite(self, node: TfliteNode) -> tuple[ArithmeticAttrs, tuple[Tensor | None, ...]]:
        return ArithmeticAttrs(node.choice("FusedActivationFunction", ACTIVATIONS)), node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        options = {"FusedActivationFunction": ACTIVATIONS.index(node.attrs.activation)}
        return TfliteForm(self.tflite_builtins[0], 2, self.options_type, options)
