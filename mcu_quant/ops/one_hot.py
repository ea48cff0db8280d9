"""one_hot: along a new axis, one value where the index is, if that is inside, and another elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Tensor, ValueRange
from mcu_quant.ops.base import Constraint, Operator, QuantRule, Shape, TfliteForm, TfliteNode
from mcu_quant.ops.forms import FORMS, PLAIN_TYPES
from mcu_quant.ops.ranges import full_range, range_of, uniform_range
from mcu_quant.ops.raw import ONE_SCALE


@dataclass(frozen=True)
class OneHotAttrs:
    """depth: the size of the new axis. axis: its place in the output, not negative."""

    depth: int
    axis: int


class OneHot(Operator):
    """Inputs: int32 indices, the value where they are and the one elsewhere (constants of one element)."""

    name = "one_hot"
    attrs_type = OneHotAttrs
    float_is_exact = True
    tflite_builtins = ("ONE_HOT",)
    quant_rule = QuantRule(output="same")
    plain_types = MappingProxyType({0: ("int32",)})
    plain_form = PLAIN_TYPES
    absent_forms = MappingProxyType({"int16": "TFLM and LiteRT have none"})
    oracles = MappingProxyType({"int8": "LiteRT", "plain": "LiteRT"})
    constraints = (
        ONE_SCALE,
        Constraint(
            "the two values must be constants of one element each",
            lambda node: all(node.input(i).is_constant and node.input(i).elements == 1 for i in (1, 2)),
            lambda node: f"{node.input(1).shape} and {node.input(2).shape}",
            "one_hot with on_value and off_value as numbers",
            forms=FORMS,
        ),
    )

    def output_shapes(self, attrs: OneHotAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        indices = input_shapes[0]
        if not 0 <= attrs.axis <= len(indices):
            raise ValueError(f"axis {attrs.axis} of an output for {indices}")
        return ((*indices[: attrs.axis], attrs.depth, *indices[attrs.axis :]),)

    def from_tflite(self, node: TfliteNode) -> tuple[OneHotAttrs, tuple[Tensor | None, ...]]:
        (indices, _, on, off), depth = node.inputs, node.constant(1)
        assert indices is not None, "indices"
        if depth is None:
            problem = Problem("the depth must be constant", node.name, hint="a number in the model")
            raise UnsupportedModelError([problem])
        rank, axis = len(indices.shape) + 1, int(node.option("Axis", -1))
        if depth.size != 1 or depth.item() < 1 or not -rank <= axis < rank:
            value = f"depth {depth.tolist()}, axis {axis}"
            raise InvalidModelError(
                f"the depth must be one positive number, the axis within {rank}", layer=node.name, value=value
            )
        return OneHotAttrs(int(depth.item()), axis % rank), (indices, on, off)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        attrs: OneHotAttrs = node.attrs
        depth = np.array(attrs.depth, np.int32)
        return TfliteForm("ONE_HOT", 1, "OneHotOptions", {"Axis": attrs.axis}, (depth,), inputs_before=1)

    def index_limits(self, node: BoundNode, index: int) -> tuple[int, int] | None:
        return (0, node.attrs.depth - 1) if index == 0 else None

    def value_range(self, node: BoundNode) -> tuple[ValueRange | None, ...]:
        if full_range(node.output) is None:
            return super().value_range(node)
        values = [int(range_of(node.input(index)).low.min()) for index in (1, 2)]
        return (uniform_range(node.output, min(values), max(values)),)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        indices, on, off = inputs
        assert indices is not None and on is not None and off is not None
        samples = indices if indices.ndim > len(node.input(0).shape) else indices[None]
        places = np.arange(node.attrs.depth).reshape(-1, *(1,) * (samples.ndim - 1 - node.attrs.axis))
        here = np.expand_dims(samples, node.attrs.axis + 1) == places
        return (np.where(here, on.reshape(()), off.reshape(())),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return self.run_float(node, inputs)


OPERATOR = OneHot()
