"""Draws of comparisons, of what is computed with conditions, and of whole numbers chosen by them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from hypothesis import strategies as st

from mcu_quant.ir import Tensor
from mcu_quant.ops.arg_extremum import ArgAttrs
from mcu_quant.ops.base import Shape
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.cast import CastAttrs
from tests.hunter.build import QUANTS, GraphDraft
from tests.hunter.elementwise import Emitter, broadcasts, draw_operands, scales_of

_COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
_NUMBERS = st.sampled_from([0, 1, -1, 7, 1000003, 2**31 - 1, -(2**31)])


def plain(draft: GraphDraft, dtype: str) -> list[Tensor]:
    """The computed tensors of that type, newest first."""
    return [t for t in reversed(draft.tensors.values()) if t.dtype == dtype and not t.is_constant]


def _condition(draft: GraphDraft) -> Tensor | None:
    """A condition that is there, or an input of the model."""
    found = plain(draft, "bool")
    if found and draft.draw(st.integers(0, 3)):
        return draft.draw(st.sampled_from(found))
    x = draft.pick()
    if x is None or len(x.shape) > 4 or any(draft.tensors[name].dtype == "bool" for name in draft.inputs):
        return None
    return draft.input(x.shape, None, "bool")


def _fitting(draft: GraphDraft, dtype: str, shape: Shape) -> list[Tensor]:
    return [t for t in plain(draft, dtype) if broadcasts(t.shape, shape) and len(shape) <= 4]


def _comparison(draft: GraphDraft, op: str) -> Tensor | None:
    """Of activations, or of whole numbers. TFLM compares scales below 1 only."""
    numbers = plain(draft, "int32")
    if numbers and draft.draw(st.booleans()):
        x = draft.draw(st.sampled_from(numbers))
        constant = draft.constant(np.array([draft.draw(_NUMBERS)], np.int32))
        other = draft.draw(st.sampled_from([*_fitting(draft, "int32", x.shape), constant]))
        return draft.add(op, None, [x, other], None, "bool")
    operands = draw_operands(draft)
    if operands is None or max(scales_of(operands)) >= 1:
        return None
    return draft.add(op, None, operands, None, "bool")


def _logical(draft: GraphDraft, op: str) -> Tensor | None:
    x = _condition(draft)
    if x is None or len(x.shape) > 4:
        return None
    other = draft.draw(st.sampled_from(_fitting(draft, "bool", x.shape)))
    return draft.add(op, None, [x, other], None, "bool")


def logical_not(draft: GraphDraft) -> Tensor | None:
    x = _condition(draft)
    return None if x is None else draft.add("logical_not", None, [x], None, "bool")


def select_v2(draft: GraphDraft) -> Tensor | None:
    """Of activations of one scale; now and then of whole numbers, which are then added to others."""
    condition = _condition(draft)
    if condition is None:
        return None
    if draft.draw(st.integers(0, 2)) == 2:
        return _numbers(draft, condition)
    chosen = draw_operands(draft, same_quant=True)
    if chosen is None or not all(broadcasts(a.shape, condition.shape) for a in chosen):
        return None
    if len(condition.shape) > 4 or not broadcasts(condition.shape, chosen[0].shape):
        return None
    return draft.add("select_v2", None, [condition, *chosen], chosen[0].quant)


def _numbers(draft: GraphDraft, condition: Tensor) -> Tensor | None:
    one, other = (draft.constant(np.array([draft.draw(_NUMBERS)], np.int32)) for _ in range(2))
    x = draft.add("select_v2", None, [condition, one, other], None, "int32")
    if x is None:
        return None
    op = draft.draw(st.sampled_from(["add", "sub", "mul", "minimum", "maximum"]))
    attrs = ArithmeticAttrs() if op in ("add", "sub", "mul") else None
    operand = draft.draw(st.sampled_from(_fitting(draft, "int32", x.shape) or [x]))
    return draft.add(op, attrs, [x, operand], None, "int32")


def _index(draft: GraphDraft, op: str) -> Tensor | None:
    """Of an activation; numbers then."""
    x = draft.pick()
    if x is None or len(x.shape) < 2:
        return None
    axis = draft.draw(st.integers(1, len(x.shape) - 1))
    return draft.add(op, ArgAttrs(axis), [x], None, "int32")


def cast(draft: GraphDraft) -> Tensor | None:
    """Of a condition or a number; or of an activation's integers, which are numbers then."""
    found = [*plain(draft, "bool"), *plain(draft, "int32"), *draft.activations()]
    if not found:
        return None
    x = draft.draw(st.sampled_from(found))
    types = {"bool": ["int32"], "int32": ["bool", "int8"], "int8": ["int32", "bool"]}[x.dtype]
    dtype = draft.draw(st.sampled_from(types))
    return draft.add("cast", CastAttrs(dtype), [x], draft.draw(QUANTS) if dtype == "int8" else None, dtype)


def _emitters(make: Callable[[GraphDraft, str], Tensor | None], *ops: str) -> dict[str, Emitter]:
    return {op: partial(make, op=op) for op in ops}


EMITTERS: dict[str, Emitter] = {
    **_emitters(_comparison, *_COMPARISONS),
    **_emitters(_logical, "logical_and", "logical_or"),
    **_emitters(_index, "arg_max", "arg_min"),
    "cast": cast,
    "logical_not": logical_not,
    "select_v2": select_v2,
}
