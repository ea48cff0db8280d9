"""What functions are made of: one node each, with what that node needs put in order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mcu_quant.importers.keras_functions.arguments import Operand, TensorName
from mcu_quant.importers.keras_layers import ImportBuilder, affine, is_per_channel
from mcu_quant.ops.keras import LayerRefused
from mcu_quant.ops.moves import Steps
from mcu_quant.ops.reshape import ReshapeAttrs

#: Keras's merge layers of two operands, by operator: they know the operator's attributes.
_MERGES = {"add": "Add", "sub": "Subtract", "mul": "Multiply", "maximum": "Maximum", "minimum": "Minimum"}


def add(
    builder: ImportBuilder, op: str, name: str, inputs: Sequence[str], attributes: Any = None
) -> TensorName:
    """One node. Raises LayerRefused where the shapes do not fit."""
    require(builder, op)
    try:
        return TensorName(builder.add(op, name, attributes, inputs))
    except ValueError as error:
        shapes = ", ".join(str(list(builder.shape(x))) for x in inputs)
        raise LayerRefused("the shapes must fit the function", value=f"{shapes}: {error}") from error


#: Constants that functions make have up to so many elements, and functions so many outputs or repetitions.
MOST_ELEMENTS, MOST_PARTS = 1 << 24, 1024


def require_few(count: int, most: int, what: str) -> None:
    """Raises LayerRefused, so that no file makes us allocate what it does not hold itself."""
    if count > most:
        raise LayerRefused(f"there may be up to {most} {what}", value=count)


def attrs(builder: ImportBuilder, op: str, *values: Any) -> Any:
    """The operator's attributes. Raises LayerRefused where there is no such operator."""
    require(builder, op)
    attrs_type = builder.operators[op].attrs_type
    assert attrs_type is not None
    return attrs_type(*values)


def require(builder: ImportBuilder, op: str) -> None:
    if op not in builder.operators:
        raise LayerRefused("there is no operator for this function", value=op)


def layer(
    builder: ImportBuilder, class_name: str, name: str, inputs: Sequence[str], /, **config: Any
) -> TensorName:
    """A Keras layer of that class and config, without weights."""
    return TensorName(builder.layer(class_name, name, inputs, config))


def constant(builder: ImportBuilder, name: str, value: np.ndarray) -> TensorName:
    return TensorName(builder.constant(name, value if value.ndim else value.reshape(1)))


def dtype(builder: ImportBuilder, x: str) -> str:
    return builder.tensors[x].dtype


def unary(builder: ImportBuilder, op: str, name: str, x: str) -> TensorName:
    return add(builder, op, name, [as_float(builder, name, x)])


def as_float(builder: ImportBuilder, name: str, x: str) -> TensorName:
    """A condition or an index as a number: false is 0, true is 1."""
    return TensorName(x) if dtype(builder, x) == "float32" else cast(builder, f"{name}/cast", x, "float32")


def cast(builder: ImportBuilder, name: str, x: str, to: str) -> TensorName:
    if dtype(builder, x) == to:
        return TensorName(x)
    return add(builder, "cast", name, [x], attrs(builder, "cast", to))


def binary(builder: ImportBuilder, op: str, name: str, x: Operand, y: Operand) -> TensorName:
    """An operator of two broadcasting operands, one of which may be constant.

    Sums and products with one value per channel are an affine map, which folds into its neighbours.
    """
    if isinstance(x, TensorName):
        x = as_float(builder, name, x)
    if isinstance(y, TensorName):
        y = as_float(builder, name, y)
    if op == "div" and isinstance(y, np.ndarray):
        if not y.all():
            raise LayerRefused("a division must be by a constant other than 0", value=f"{y!s:.60}")
        op, y = "mul", np.asarray(1.0 / y.astype(np.float64), np.float32)
    if isinstance(x, TensorName) and isinstance(y, np.ndarray):
        folded = _affine(builder, op, name, x, y, False)
    elif isinstance(y, TensorName) and isinstance(x, np.ndarray):
        folded = _affine(builder, op, name, y, x, True)
    else:
        folded = None
    if folded is not None:
        return folded
    inputs = [v if isinstance(v, TensorName) else constant(builder, f"{name}/constant", v) for v in (x, y)]
    if not isinstance(x, TensorName) and not isinstance(y, TensorName):
        raise LayerRefused("an operand must be computed from an input", value=f"{x!s:.40}, {y!s:.40}")
    if op in _MERGES:
        return layer(builder, _MERGES[op], name, inputs)
    require(builder, op)
    return add(builder, op, name, inputs, getattr(builder.operators[op], "default_attrs", None))


def _affine(
    builder: ImportBuilder, op: str, name: str, x: TensorName, value: np.ndarray, constant_first: bool
) -> TensorName | None:
    """x and a constant as an affine map, where one value per channel says it all."""
    shape, (one, zero) = builder.shape(x), np.array([[1.0], [0.0]], np.float32)
    if len(shape) < 2 or value.ndim > len(shape) or not is_per_channel(value, shape[-1]):
        return None
    maps = {"add": (one, value), "mul": (value, zero), "sub": (one, -value)}
    if op == "sub" and constant_first:
        maps["sub"] = (-one, value)
    return TensorName(affine(builder, name, x, *maps[op])) if op in maps else None


def moved(builder: ImportBuilder, name: str, x: str, steps: Steps) -> TensorName:
    """x after these steps; reshapes that change nothing are left out."""
    y = TensorName(x)
    for op, attributes in steps:
        if op == "reshape" and builder.shape(y) == attributes.shape:
            continue
        y = add(builder, op, name if op != "reshape" else f"{name}/reshape", [y], attributes)
    return y


def reshape(builder: ImportBuilder, name: str, x: str, shape: Sequence[int]) -> TensorName:
    """To that full shape, batch included; x itself where it has that shape."""
    seen, wanted = builder.shape(x), tuple(int(size) for size in shape)
    if seen == wanted:
        return TensorName(x)
    if math.prod(seen) != math.prod(wanted) or not wanted or wanted[0] != seen[0]:
        raise LayerRefused(
            "a reshape must keep the batch and the number of elements",
            value=f"{list(seen[1:])} to {list(wanted[1:])}",
            hint="layers.Reshape",
        )
    return add(builder, "reshape", name, [x], ReshapeAttrs(wanted))
