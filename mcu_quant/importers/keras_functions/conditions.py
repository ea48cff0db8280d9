"""Conditions and what they choose: x > 0, logical_and, where; and changes of type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcu_quant.importers.keras_functions.arguments import (
    Arguments,
    Function,
    FunctionTable,
    Operand,
    TensorName,
    axis_of,
)
from mcu_quant.importers.keras_functions.nodes import (
    MOST_ELEMENTS,
    add,
    as_float,
    cast,
    constant,
    dtype,
    require_few,
    reshape,
)
from mcu_quant.importers.keras_layers import ImportBuilder
from mcu_quant.ops.keras import LayerRefused

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")


def _comparison(op: str) -> Function:
    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        name = arguments.name
        x, y = arguments.operand(0, "x", "x1"), arguments.operand(1, "y", "x2")
        types = {dtype(builder, v) for v in (x, y) if isinstance(v, TensorName)}
        if types == {"int32"}:
            inputs = [_as_type(builder, name, operand, "int32") for operand in (x, y)]
        else:
            inputs = [_as_type(builder, name, operand, "float32") for operand in (x, y)]
        return add(builder, op, name, inputs)

    return lower


def _as_type(builder: ImportBuilder, name: str, value: Operand, to: str) -> TensorName:
    if isinstance(value, TensorName):
        return cast(builder, f"{name}/cast", value, to)
    return constant(builder, f"{name}/constant", value.astype(to))


def _condition(arguments: Arguments, builder: ImportBuilder, position: int, *names: str) -> TensorName:
    """A tensor of bool; a number holds where it is not 0."""
    value = arguments.get(position, *names)
    if isinstance(value, TensorName):
        if dtype(builder, value) == "bool":
            return value
        name = f"{arguments.name}/not_equal"
        zero = constant(builder, f"{name}/zero", np.zeros(1, dtype(builder, value)))
        return add(builder, "not_equal", name, [value, zero])
    array = np.asarray(value)
    if array.dtype == object:
        raise LayerRefused("a condition must be a constant or computed from an input", value=f"{value!r:.60}")
    return constant(builder, f"{arguments.name}/condition", array.astype(bool))


def _logical(op: str) -> Function:
    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        operands = [
            _condition(arguments, builder, 0, "x", "x1"),
            _condition(arguments, builder, 1, "y", "x2"),
        ]
        return add(builder, op, arguments.name, operands)

    return lower


def _not(arguments: Arguments, builder: ImportBuilder) -> str:
    return add(builder, "logical_not", arguments.name, [_condition(arguments, builder, 0, "x")])


def _where(arguments: Arguments, builder: ImportBuilder) -> str:
    """The second argument where the first holds, elsewhere the third."""
    condition = _condition(arguments, builder, 0, "condition")
    if arguments.get(1, "x", "x1") is None or arguments.get(2, "y", "x2") is None:
        raise LayerRefused("where must have both choices", value="indices of what holds")
    choices = arguments.operand(1, "x", "x1"), arguments.operand(2, "y", "x2")
    decided = builder.tensors[condition].data
    if decided is not None and len(set(decided.reshape(-1).tolist())) == 1:
        chosen = choices[0 if decided.all() else 1]
        if isinstance(chosen, TensorName) and builder.shape(chosen) == _joint_shape(builder, choices):
            return chosen
    return _select(builder, arguments.name, condition, *choices)


def _joint_shape(builder: ImportBuilder, operands: Sequence[Operand]) -> tuple[int, ...]:
    shapes = (builder.shape(v) if isinstance(v, TensorName) else v.shape for v in operands)
    return np.broadcast_shapes(*shapes)


def _select(
    builder: ImportBuilder, name: str, condition: TensorName, chosen: Operand, other: Operand
) -> TensorName:
    values = [_as_type(builder, name, value, "float32") for value in (chosen, other)]
    return add(builder, "select_v2", name, [condition, *values])


def _select_first(arguments: Arguments, builder: ImportBuilder) -> str:
    """The choice of the first condition that holds, or the default."""
    conditions, choices = arguments.get(0, "condlist"), arguments.get(1, "choicelist")
    y: Operand = arguments.operand(2, "default") if arguments.get(2, "default") is not None else np.zeros(1)
    for condition, choice in list(zip(conditions, choices, strict=True))[::-1]:
        step = Arguments(arguments.name, [condition, choice], {})
        y = _select(builder, arguments.name, _condition(step, builder, 0), step.operand(1), y)
    return str(y)


def _one_hot(arguments: Arguments, builder: ImportBuilder) -> str:
    """For each index a row of zeros with a one at its place: whether it equals each place."""
    indices, name = arguments.tensor(0, "indices", "x"), arguments.name
    shape = builder.shape(indices)
    classes = int(arguments.get(1, "depth", "num_classes"))
    axis = axis_of(arguments.get(2, "axis", default=-1), len(shape) + 1)
    if arguments.get(3, "sparse") or arguments.get(3, "on_value") or arguments.get(3, "off_value"):
        raise LayerRefused("a one-hot code must be dense, of 0 and 1")
    require_few(classes, MOST_ELEMENTS, "classes")
    column = reshape(builder, f"{name}/reshape", indices, (*shape[:axis], 1, *shape[axis:]))
    places = np.arange(classes).reshape(-1, *[1] * (len(shape) - axis))
    row = builder.constant(f"{name}/places", places.astype(dtype(builder, indices)))
    return as_float(builder, name, add(builder, "equal", f"{name}/equal", [column, row]))


def _cast(arguments: Arguments, builder: ImportBuilder) -> str:
    x, wanted = arguments.tensor(0, "x"), type_name(arguments.get(1, "dtype"))
    seen = dtype(builder, x)
    if wanted in _FLOATS:
        return as_float(builder, arguments.name, x)
    if wanted == seen:
        return x
    if wanted in ("int32", "int64") and seen in ("float32", "bool"):
        return cast(builder, arguments.name, x, "int32")
    if wanted in _INTEGERS and seen in ("int32", "bool"):
        return cast(builder, arguments.name, x, "int32")
    if wanted == "bool":
        return _condition(arguments, builder, 0, "x")
    raise LayerRefused("a cast must be to float32, int32 or bool", value=wanted, hint="remove the cast")


def type_name(value: Any) -> str:
    """Of a dtype as Keras writes it, e.g. "tf.float32"."""
    return str(value).replace("tf.", "")


def _converted(arguments: Arguments, builder: ImportBuilder) -> str:
    """A tensor stays what it is, unless another type is asked for."""
    x = arguments.tensor(0, "input", "x", "tensor", "value", "variable", "variables")
    wanted = arguments.get(1, "dtype")
    return x if wanted is None else _cast(Arguments(arguments.name, [x, wanted], {}), builder)


def _identity(arguments: Arguments, builder: ImportBuilder) -> str:
    return arguments.tensor(0, "input", "x", "tensor", "value", "variable", "variables")


FUNCTIONS: FunctionTable = {
    _comparison("greater"): ("math.greater", "greater", "Greater"),
    _comparison("greater_equal"): ("math.greater_equal", "greater_equal", "GreaterEqual"),
    _comparison("less"): ("math.less", "less", "Less"),
    _comparison("less_equal"): ("math.less_equal", "less_equal", "LessEqual"),
    _comparison("equal"): ("math.equal", "equal", "__operators__.eq", "Equal"),
    _comparison("not_equal"): ("math.not_equal", "not_equal", "__operators__.ne", "NotEqual"),
    _logical("logical_and"): ("math.logical_and", "logical_and", "LogicalAnd"),
    _logical("logical_or"): ("math.logical_or", "logical_or", "LogicalOr"),
    _logical("not_equal"): ("math.logical_xor", "LogicalXor"),
    _not: ("math.logical_not", "logical_not", "LogicalNot"),
    _where: ("where", "compat.v1.where", "Where"),
    _select_first: ("Select",),
    _cast: ("cast", "Cast"),
    _one_hot: ("one_hot", "OneHot"),
    _converted: ("convert_to_tensor", "ConvertToTensor", "Array"),
    _identity: ("identity", "stop_gradient", "StopGradient", "Copy", "Real", "Conj", "Conjugate"),
}
