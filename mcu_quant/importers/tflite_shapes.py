"""Arithmetic on shapes, and other plain numbers that are known: what converters emit around a RESHAPE.

The shapes are known here (an open batch is 1), so these operators have constant values. They are computed as
NumPy does; integers wrap, as TFLite's do. Quantized constants are ops/folding.py's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import Tensor
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.folding import MAX_ELEMENTS

#: More elements than shapes, axes and positions have; what computes with more is data.
_MAX_INPUT_ELEMENTS = 2**16
_PLAIN = ("int32", "int64", "bool", "float32")

_Values = Sequence[np.ndarray]
#: From the node and its inputs' values to the outputs' values.
_Rule = Callable[..., Any]


def plain_values(node: TfliteNode) -> _Values | None:
    """The values of the outputs, if they follow from constants or shapes by plain numbers; else None.

    Raises UnsupportedModelError for results that are too large. A result is cut to the output's type.
    """
    if node.builtin in _SLICES and (empty := _empty_slice(node)) is not None:
        return [empty]
    if node.builtin == "FILL" and (filled := _filled(node)) is not None:
        return [filled]
    if any(tensor.dtype not in _PLAIN or tensor.quant is not None for tensor in node.outputs):
        return None
    if node.builtin in _BY_SHAPE:
        x = node.inputs[0]
        return None if x is None else [np.asarray(_BY_SHAPE[node.builtin](node, x))]
    operands = [_operand(tensor) for tensor in node.inputs]
    if node.builtin not in _BY_VALUE or not operands or any(value is None for value in operands):
        return None
    if hasattr(node.options, "FusedActivationFunction") and node.options.FusedActivationFunction():
        return None
    with np.errstate(all="ignore"):
        result = _BY_VALUE[node.builtin](node, *operands)
    return [np.asarray(value) for value in (result if isinstance(result, list) else [result])]


def _operand(tensor: Tensor | None) -> np.ndarray | None:
    """The value of a plain constant."""
    if tensor is None or tensor.data is None or tensor.quant is not None or tensor.dtype not in _PLAIN:
        return None
    return tensor.data if tensor.elements <= _MAX_INPUT_ELEMENTS else None


def _empty_slice(node: TfliteNode) -> np.ndarray | None:
    """What a slice gives if that is nothing, whatever it is taken from: loops begin and end so."""
    x, bounds = node.inputs[0], [_operand(tensor) for tensor in node.inputs[1:]]
    if x is None or x.is_constant or any(bound is None for bound in bounds):
        return None
    y: np.ndarray = _SLICES[node.builtin](node, np.broadcast_to(np.zeros((), x.dtype), x.shape), *bounds)
    return None if y.size else y


def without_empty(node: TfliteNode) -> TfliteNode:
    """A concatenation without the operands that have no elements; any other node as it is."""
    some = tuple(tensor for tensor in node.inputs if tensor is None or tensor.elements)
    return replace(node, inputs=some) if node.builtin == "CONCATENATION" and some else node


def _bounded(node: TfliteNode, elements: int) -> None:
    """Raises UnsupportedModelError if a result has too many elements, before it is made."""
    if elements > MAX_ELEMENTS:
        rule = f"what is computed at import may have {MAX_ELEMENTS} elements"
        hint = "fewer elements, or let the converter fold constants"
        raise UnsupportedModelError([Problem(rule, node.name, f"{node.builtin}, {elements} elements", hint)])


def _elementwise(function: Callable[..., np.ndarray]) -> _Rule:
    def rule(node: TfliteNode, *operands: np.ndarray) -> np.ndarray:
        _bounded(node, math.prod(np.broadcast_shapes(*(x.shape for x in operands))))
        return function(*operands)

    return rule


def _quotient(rounded: Callable[..., np.ndarray]) -> _Rule:
    """A division; integers must not be divided by 0."""

    def divided(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if b.dtype.kind != "f" and not b.all():
            raise ZeroDivisionError("a shape divided by 0")
        return rounded(a, b)

    return _elementwise(divided)


def _truncated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Integers are rounded towards 0, as in C."""
    return a / b if a.dtype.kind == "f" else np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))


def _reduction(function: Callable[..., np.ndarray]) -> _Rule:
    def rule(node: TfliteNode, x: np.ndarray, axes: np.ndarray) -> np.ndarray:
        axis = tuple(axes.reshape(-1).tolist())
        return function(x, axis=axis, keepdims=bool(node.option("KeepDims")))

    return rule


def _strided_slice(node: TfliteNode, x: np.ndarray, *bounds: np.ndarray) -> np.ndarray:
    masks = [
        int(node.option(f"{name}Mask")) for name in ("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis")
    ]
    index: list[Any] = []
    rows = zip(*(bound.reshape(-1).tolist() for bound in bounds), strict=True)
    for place, (first, last, stride) in enumerate(rows):
        no_begin, no_end, ellipsis, new_axis, shrink = (mask >> place & 1 for mask in masks)
        end = first + last if node.option("Offset") else last
        whole = slice(None if no_begin else first, None if no_end else end, stride)
        index.append(Ellipsis if ellipsis else None if new_axis else first if shrink else whole)
    return np.asarray(x[tuple(index)])


def _slice(node: TfliteNode, x: np.ndarray, begin: np.ndarray, size: np.ndarray) -> np.ndarray:
    rows = zip(begin.reshape(-1).tolist(), size.reshape(-1).tolist(), strict=True)
    return np.asarray(x[tuple(slice(b, None if s == -1 else b + s) for b, s in rows)])


def _gather(node: TfliteNode, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    axis = int(node.option("Axis"))
    if node.option("BatchDims"):
        raise ValueError("batch_dims")
    _bounded(node, x.size // x.shape[axis] * indices.size)
    return np.take(x, indices, axis)


def _range(node: TfliteNode, start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """start, start + delta, …, added one by one, as TFLite does in floats."""
    first, last, step = (value.reshape(()).item() for value in (start, limit, delta))
    count = max(math.ceil((last - first) / step), 0)
    _bounded(node, count)
    steps = np.full(count, delta.reshape(()), delta.dtype)
    steps[:1] = start.reshape(())
    return np.cumsum(steps, dtype=delta.dtype)


def _filled(node: TfliteNode) -> np.ndarray | None:
    """The value of a FILL of constants, of any type: quantized ones have the scale of what they fill."""
    sizes, value = (_operand(node.inputs[0]), node.inputs[1])
    if sizes is None or value is None or value.data is None or value.quant != node.outputs[0].quant:
        return None
    shape = [int(size) for size in sizes.reshape(-1)]
    _bounded(node, math.prod(shape))
    return np.full(shape, value.data.reshape(()))


def _cast(node: TfliteNode, x: np.ndarray) -> np.ndarray:
    """Floats are cut to integers, and limited to their type."""
    (output,) = node.outputs
    if x.dtype.kind == "f" and output.dtype in ("int32", "int64"):
        bound = 2.0**62 if output.dtype == "int64" else 2.0**31 - 1
        x = np.clip(np.nan_to_num(x.astype(np.float64)), -bound, bound)
    return x.astype(output.dtype)


def _zeros(node: TfliteNode, x: Tensor) -> np.ndarray:
    _bounded(node, x.elements)
    return np.broadcast_to(np.zeros((), x.dtype), x.shape)


_SLICES: Mapping[str, _Rule] = {"STRIDED_SLICE": _strided_slice, "SLICE": _slice}

_BY_SHAPE: Mapping[str, Callable[[TfliteNode, Tensor], Any]] = {
    "SHAPE": lambda node, x: np.array(x.shape, np.int64),
    "RANK": lambda node, x: np.array(len(x.shape), np.int64),
    "ZEROS_LIKE": _zeros,
}

_BY_VALUE: Mapping[str, _Rule] = {
    "PACK": lambda node, *parts: np.stack(parts, node.option("Axis")),
    "CONCATENATION": lambda node, *parts: np.concatenate(parts, node.option("Axis")),
    "GATHER": _gather,
    **_SLICES,
    "RANGE": _range,
    "CAST": _cast,
    "WHERE": lambda node, condition: np.argwhere(condition),
    "BROADCAST_ARGS": lambda node, a, b: np.array(np.broadcast_shapes(tuple(a), tuple(b))),
    "REDUCE_PROD": _reduction(np.prod),
    "SUM": _reduction(np.sum),
    "REDUCE_MAX": _reduction(np.max),
    "REDUCE_MIN": _reduction(np.min),
    "REDUCE_ANY": _reduction(np.any),
    "REDUCE_ALL": _reduction(np.all),
    "DIV": _quotient(_truncated),
    "FLOOR_DIV": _quotient(np.floor_divide),
    "FLOOR_MOD": _quotient(np.mod),
    "SELECT": _elementwise(np.where),
    "SELECT_V2": _elementwise(np.where),
    **{
        name: _elementwise(function)
        for name, function in {
            "ADD": np.add,
            "SUB": np.subtract,
            "MUL": np.multiply,
            "MAXIMUM": np.maximum,
            "MINIMUM": np.minimum,
            "NEG": np.negative,
            "ABS": np.abs,
            "EQUAL": np.equal,
            "NOT_EQUAL": np.not_equal,
            "LESS": np.less,
            "LESS_EQUAL": np.less_equal,
            "GREATER": np.greater,
            "GREATER_EQUAL": np.greater_equal,
            "LOGICAL_AND": np.logical_and,
            "LOGICAL_OR": np.logical_or,
            "LOGICAL_NOT": np.logical_not,
        }.items()
    },
}

#: What is read by its value alone: with other inputs than constants it is unsupported.
FOLDED = (*_BY_SHAPE, *_BY_VALUE, "FILL")
