"""Which inputs of a graph are indices, within what, and whether data for them is so."""

from __future__ import annotations

import numpy as np

from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import BoundNode, Graph, Tensor
from mcu_quant.ops import OPERATORS

#: (least, largest) index that is inside every table that is read by it.
Limits = tuple[int, int]


def index_limits(graph: Graph) -> dict[str, Limits]:
    """By name, for the inputs of the graph that are indices into tables; they may be moved on the way."""
    found: dict[str, Limits] = {}
    for node in reversed(list(graph.bound_nodes())):
        for index, tensor in enumerate(node.inputs):
            limits = None if tensor is None else _limits(node, index, found)
            if tensor is not None and limits is not None:
                known = found.get(tensor.name, limits)
                found[tensor.name] = max(known[0], limits[0]), min(known[1], limits[1])
    return {name: found[name] for name in graph.inputs if name in found}


def moves(node: BoundNode, index: int) -> bool:
    """Whether the output has nothing but elements of the input at that position, and others like it."""
    operator = OPERATORS[node.node.op]
    return operator.is_selection and index not in operator.plain_types and "int32" in operator.plain_form


def casts(node: BoundNode) -> bool:
    """Whether it makes whole numbers of real ones."""
    return (
        node.node.op == "cast"
        and node.output.dtype == "int32"
        and node.input(0).dtype in ("float32", "int32")
    )


def whole_numbers(array: np.ndarray, tensor: Tensor, where: str) -> np.ndarray:
    """Values for an input that has no scale, from integers or floats that are whole, in its type.

    Raises InvalidInputError for others, and for those beyond the type.
    """
    limits = np.iinfo(tensor.dtype)
    kind = array.dtype.kind
    inside = array if kind in "iu" else array[np.isfinite(array) & (array == np.floor(array))]
    low, high = (int(inside.min()), int(inside.max())) if inside.size else (0, 0)
    if kind not in "iuf" or inside.size < array.size or low < limits.min or high > limits.max:
        raise InvalidInputError(
            f"input {tensor.name} takes whole numbers ({tensor.dtype})",
            layer=where,
            value=f"{array.dtype} with others, or beyond the type",
            hint="indices, such as token ids",
        )
    return array.astype(tensor.dtype)


def require_inside(array: np.ndarray, tensor: Tensor, limits: Limits | None, where: str) -> None:
    """Raise InvalidInputError for indices that point outside the table that the model reads by them."""
    if limits is not None and array.size and (array.min() < limits[0] or array.max() > limits[1]):
        raise InvalidInputError(
            f"input {tensor.name} holds indices, from {limits[0]} to {limits[1]}",
            layer=where,
            value=f"from {array.min()} to {array.max()}",
            hint="the vocabulary that the model was trained with",
        )


def _limits(node: BoundNode, index: int, found: dict[str, Limits]) -> Limits | None:
    if moves(node, index) or casts(node):
        return found.get(node.outputs[0].name)
    return OPERATORS[node.node.op].index_limits(node, index)
