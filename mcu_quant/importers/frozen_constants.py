"""Nodes of a frozen TensorFlow graph whose value is known: shapes, and what is computed from constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcu_quant.importers.keras_functions import TensorName
from mcu_quant.ops.keras import GraphBuilder, LayerRefused

MAX_ELEMENTS = 1 << 27
#: DataType numbers of tensorflow/core/framework/types.proto; all other float types are float32 here.
_CAST_TYPES: Mapping[Any, type] = {3: np.int32, 9: np.int64}
FLOAT_TYPES = (1, 2, 14, 19)


@dataclass(frozen=True)
class FrozenNode:
    """inputs: a TensorName where computed from the model's input, else an array; no control inputs."""

    op: str
    name: str
    inputs: Sequence[Any]
    attributes: Mapping[str, Any]

    def tensor(self, index: int) -> TensorName:
        value = self.inputs[index]
        if type(value) is not TensorName:
            raise LayerRefused(
                "the operation must read a tensor of the model", value=f"{self.op}, input {index}"
            )
        return value

    def constant(self, index: int) -> np.ndarray:
        value = self.inputs[index]
        if not isinstance(value, np.ndarray | np.generic):
            raise LayerRefused("the operand must be constant", value=f"{self.op}, input {index}")
        return np.asarray(value)

    def integers(self, index: int) -> list[int]:
        return [int(v) for v in self.constant(index).reshape(-1)]


def strided_slices(node: FrozenNode, rank: int) -> tuple[Any, ...]:
    """The index of a StridedSlice with constant bounds, as numpy takes it."""
    begin, end, strides = (node.integers(index) for index in (1, 2, 3))

    def bit(mask: str, place: int) -> bool:
        return bool(int(node.attributes.get(mask) or 0) >> place & 1)

    index: list[Any] = []
    for place, (start, stop, step) in enumerate(zip(begin, end, strides, strict=True)):
        if bit("ellipsis_mask", place):
            index.append(...)
        elif bit("new_axis_mask", place):
            index.append(None)
        elif bit("shrink_axis_mask", place):
            index.append(start)
        else:
            first = None if bit("begin_mask", place) else start
            index.append(slice(first, None if bit("end_mask", place) else stop, step))
    return tuple(index)


def _transpose(node: FrozenNode) -> np.ndarray:
    return node.constant(0).transpose(node.integers(1))


def _reshape(node: FrozenNode) -> np.ndarray:
    return node.constant(0).reshape(node.integers(1))


def _squeeze(node: FrozenNode) -> np.ndarray:
    axes = node.attributes.get("squeeze_dims")
    return np.squeeze(node.constant(0), tuple(axes) if axes else None)


def _expand_dims(node: FrozenNode) -> np.ndarray:
    return np.expand_dims(node.constant(0), node.integers(1)[0])


def _concat(node: FrozenNode) -> np.ndarray:
    parts = [node.constant(index) for index in range(len(node.inputs) - 1)]
    return np.concatenate(parts, axis=node.integers(len(node.inputs) - 1)[0])


def _gather(node: FrozenNode) -> np.ndarray:
    return np.take(node.constant(0), node.constant(1), axis=node.integers(2)[0])


def _pack(node: FrozenNode) -> np.ndarray:
    parts = [node.constant(index) for index in range(len(node.inputs))]
    return np.stack(parts, axis=int(node.attributes.get("axis") or 0))


def _product(node: FrozenNode) -> np.ndarray:
    keep = bool(node.attributes.get("keep_dims"))
    return np.prod(
        node.constant(0), axis=tuple(node.integers(1)), keepdims=keep, dtype=node.constant(0).dtype
    )


def _slice(node: FrozenNode) -> np.ndarray:
    value = node.constant(0)
    return value[strided_slices(node, value.ndim)]


def _cast(node: FrozenNode) -> np.ndarray:
    return node.constant(0).astype(_CAST_TYPES.get(node.attributes.get("DstT"), np.float32))


def _range(node: FrozenNode) -> np.ndarray:
    start, limit, delta = (node.integers(index)[0] for index in range(3))
    if delta == 0 or abs(limit - start) > MAX_ELEMENTS:
        raise LayerRefused("a range must be finite and small", value=(start, limit, delta))
    return np.arange(start, limit, delta).astype(np.int32)


def _broadcast_to(node: FrozenNode) -> np.ndarray:
    shape = node.integers(1)
    if math.prod(shape) > MAX_ELEMENTS:
        raise LayerRefused("a constant is too large", value=node.op)
    return np.broadcast_to(node.constant(0), shape).copy()


def _numpy(function: Callable[..., Any], dtype: type | None = None) -> Callable[[FrozenNode], np.ndarray]:
    """Of the operands, element by element; of the last one's type unless dtype is given."""

    def compute(node: FrozenNode) -> np.ndarray:
        operands = [node.constant(index) for index in range(len(node.inputs))]
        if np.broadcast(*operands).size > MAX_ELEMENTS:
            raise LayerRefused("a constant is too large", value=node.op)
        with np.errstate(all="ignore"):
            return np.asarray(function(*operands)).astype(dtype or operands[-1].dtype)

    return compute


#: How each operation is computed from constants.
FOLDED: Mapping[str, Callable[[FrozenNode], np.ndarray]] = {
    "Identity": _numpy(lambda x: x),
    "StopGradient": _numpy(lambda x: x),
    "Add": _numpy(np.add),
    "AddV2": _numpy(np.add),
    "BiasAdd": _numpy(np.add),
    "Sub": _numpy(np.subtract),
    "Mul": _numpy(np.multiply),
    "RealDiv": _numpy(np.divide),
    "Maximum": _numpy(np.maximum),
    "Minimum": _numpy(np.minimum),
    "Neg": _numpy(np.negative),
    "Sqrt": _numpy(np.sqrt),
    "Rsqrt": _numpy(lambda x: 1.0 / np.sqrt(x)),
    "Reciprocal": _numpy(lambda x: 1.0 / x),
    "Square": _numpy(np.square),
    "FloorDiv": _numpy(np.floor_divide),
    "Log": _numpy(np.log),
    "LogicalOr": _numpy(np.logical_or),
    "Floor": _numpy(np.floor),
    "Ceil": _numpy(np.ceil),
    "Less": _numpy(np.less, bool),
    "SelectV2": _numpy(np.where),
    "BroadcastTo": _broadcast_to,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "ExpandDims": _expand_dims,
    "ConcatV2": _concat,
    "GatherV2": _gather,
    "Pack": _pack,
    "Prod": _product,
    "StridedSlice": _slice,
    "Cast": _cast,
    "Range": _range,
    "Shape": lambda node: np.array(node.constant(0).shape, np.int32),
}


#: Of every activation.
_FINITE = {"IsFinite": True, "IsInf": False, "IsNan": False}


def is_foldable(op: str) -> bool:
    """Whether the operation's value is known where it is of constants."""
    return op in FOLDED or op in _FINITE


def fold(node: FrozenNode, builder: GraphBuilder) -> np.ndarray | None:
    """The node's value if it is known, else None.

    The shape of a tensor is known: its batch is 1. So is that activations are finite.
    """
    if type(node.inputs[0] if node.inputs else None) is TensorName:
        shape = builder.shape(node.inputs[0])
        if node.op == "Shape":
            return np.array(shape, np.int32)
        if node.op in _FINITE:
            return np.full(shape, _FINITE[node.op])
    compute = FOLDED.get(node.op)
    if compute is None or not all(isinstance(value, np.ndarray | np.generic) for value in node.inputs):
        return None
    return np.asarray(compute(node))
