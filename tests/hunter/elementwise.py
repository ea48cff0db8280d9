"""Draws for the operators that work element by element or move elements, and for the graph's edges."""

from __future__ import annotations

from collections.abc import Callable

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.base import Shape
from tests.hunter.build import GraphDraft


def draw_input(draft: GraphDraft, shape: Shape, quant: QuantParams) -> Tensor:
    return draft.input(shape, quant)


def draw_output_types(draft: GraphDraft) -> None:
    return None


EMITTERS: dict[str, Callable[[GraphDraft], Tensor | None]] = {}
