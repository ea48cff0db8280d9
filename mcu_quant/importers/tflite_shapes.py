"""Arithmetic on shapes: what converters emit before a RESHAPE when the batch was left open.

The shapes are known here (an open batch is 1), so these operators have constant values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from mcu_quant.ops.base import TfliteNode

#: More elements than shapes have; larger constants are data.
_MAX_ELEMENTS = 64


def _strided_slice(node: TfliteNode, x: np.ndarray, *bounds: np.ndarray) -> np.ndarray:
    begin, end, strides = (bound.reshape(-1).tolist() for bound in bounds)
    index: list[int | slice] = []
    for axis, (first, last, stride) in enumerate(zip(begin, end, strides, strict=True)):
        no_begin, no_end, shrink = (
            node.option(f"{name}Mask") >> axis & 1 for name in ("Begin", "End", "ShrinkAxis")
        )
        whole = slice(None if no_begin else first, None if no_end else last, stride)
        index.append(first if shrink else whole)
    return np.asarray(x[tuple(index)])


def _product(node: TfliteNode, x: np.ndarray, axes: np.ndarray) -> np.ndarray:
    axis = tuple(axes.reshape(-1).tolist())
    return np.asarray(np.prod(x, axis=axis, keepdims=bool(node.option("KeepDims"))))


_VALUES: Mapping[str, Callable[..., np.ndarray]] = {
    "PACK": lambda node, *parts: np.stack(parts, node.option("Axis")),
    "CONCATENATION": lambda node, *parts: np.concatenate(parts, node.option("Axis")),
    "GATHER": lambda node, x, indices: np.take(x, indices, node.option("Axis")),
    "REDUCE_PROD": _product,
    "STRIDED_SLICE": _strided_slice,
    "MUL": lambda node, a, b: a * b,
}


def shape_value(node: TfliteNode) -> np.ndarray | None:
    """The value of an operator that computes a shape; None if it is not one."""
    (output, *others) = node.outputs
    if others or output.dtype not in ("int32", "int64"):
        return None
    if node.builtin == "SHAPE" and node.inputs[0] is not None:
        value = np.array(node.inputs[0].shape)
    else:
        data = [tensor.data for tensor in node.inputs if tensor is not None]
        operands = [x for x in data if x is not None and x.dtype.kind == "i" and x.size <= _MAX_ELEMENTS]
        if node.builtin not in _VALUES or not operands or len(operands) < len(node.inputs):
            return None
        value = _VALUES[node.builtin](node, *operands)
    return value.astype(output.dtype).reshape(output.shape)
