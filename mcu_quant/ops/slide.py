"""slide: rows that are kept from run to run move on, and new ones take the place behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import SAME_SCALE, Operator, QuantRule, Shape
from mcu_quant.ops.forms import PLAIN_TYPES


@dataclass(frozen=True)
class SlideAttrs:
    """axis: along which there are rows; not negative."""

    axis: int


class Slide(Operator):
    """Inputs: the rows that are kept (a state) and, fewer, the new ones. Output: the state after the run."""

    name = "slide"
    is_internal = True
    attrs_type = SlideAttrs
    float_is_exact = True
    is_selection = True
    plain_form = PLAIN_TYPES
    state_inputs = MappingProxyType({0: 0})
    quant_rule = QuantRule(output="same")
    constraints = (SAME_SCALE,)

    def output_shapes(self, attrs: SlideAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        return (input_shapes[0],)

    def is_monotone(self, node: BoundNode) -> bool:
        return True

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        return None  # the state would lose them, too

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        kept, new = inputs
        assert kept is not None and new is not None
        axis = node.attrs.axis + 1
        rows = np.concatenate([kept, new], axis)
        return (rows.take(np.arange(new.shape[axis], rows.shape[axis]), axis),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return self.run_float(node, inputs)


SLIDE = Slide()
