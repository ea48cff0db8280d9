"""Functions over axes: mean, sum, max, var, argmax, cumsum, norm, logsumexp."""

from __future__ import annotations

import math
from typing import Any

from mcu_quant.importers.keras_functions.arguments import (
    Arguments,
    Function,
    FunctionTable,
    TensorName,
    axes_of,
    axis_of,
)
from mcu_quant.importers.keras_functions.nodes import add, as_float, attrs, binary, reshape, unary
from mcu_quant.importers.keras_layers import ImportBuilder
from mcu_quant.ops.keras import LayerRefused

_TENSOR = ("input_tensor", "input", "x")


def reduced_axes(value: Any, rank: int) -> tuple[int, ...]:
    """The axes of a reduction, the batch's not among them. Raises LayerRefused."""
    axes = axes_of(value, rank) if value is not None else list(range(rank))
    if 0 in axes:
        raise LayerRefused(
            "a reduction must leave the batch alone",
            value=f"axis {value}",
            hint=f"axis={list(range(1, rank))}, or layers.Flatten before it and axis=-1",
        )
    return tuple(axes)


def reduce(
    builder: ImportBuilder, op: str, name: str, x: str, axes: tuple[int, ...], keepdims: bool
) -> TensorName:
    """One node; x itself where there is no axis."""
    if not axes:
        return TensorName(x)
    return add(builder, op, name, [x], attrs(builder, op, axes, keepdims))


def _reduction(op: str) -> Function:
    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x, axes, keepdims = _reduced(arguments, builder)
        if arguments.get(3, "initial") is not None:
            raise LayerRefused("a reduction must have no initial value", value=arguments.get(3, "initial"))
        return reduce(builder, op, arguments.name, as_float(builder, arguments.name, x), axes, keepdims)

    return lower


def _reduced(arguments: Arguments, builder: ImportBuilder) -> tuple[TensorName, tuple[int, ...], bool]:
    """(x, axes, keepdims)."""
    x = arguments.tensor(0, *_TENSOR)
    axes = reduced_axes(arguments.get(1, "axis", "axes"), len(builder.shape(x)))
    return x, axes, bool(arguments.get(2, "keepdims", default=False))


def _of_conditions(op: str) -> Function:
    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x, axes, keepdims = _reduced(arguments, builder)
        if builder.tensors[x].dtype != "bool":
            raise LayerRefused("any and all must be of conditions", hint="any(x != 0)")
        return reduce(builder, op, arguments.name, x, axes, keepdims)

    return lower


def variance(
    builder: ImportBuilder, name: str, x: str, axes: tuple[int, ...], keepdims: bool
) -> tuple[TensorName, TensorName]:
    """(mean, variance)"""
    mean = reduce(builder, "mean", f"{name}/mean", x, axes, keepdims)
    return mean, reduce(builder, "variance", name, x, axes, keepdims)


def _variance(arguments: Arguments, builder: ImportBuilder) -> str:
    x, axes, keepdims = _reduced(arguments, builder)
    return variance(builder, arguments.name, x, axes, keepdims)[1]


def _deviation(arguments: Arguments, builder: ImportBuilder) -> str:
    x, axes, keepdims = _reduced(arguments, builder)
    _, spread = variance(builder, f"{arguments.name}/variance", x, axes, keepdims)
    return unary(builder, "sqrt", arguments.name, spread)


def _moments(arguments: Arguments, builder: ImportBuilder) -> list[str]:
    x = arguments.tensor(0, "x")
    axes = reduced_axes(arguments.get(1, "axes"), len(builder.shape(x)))
    keepdims = bool(arguments.get(2, "keepdims", default=False))
    return list(variance(builder, arguments.name, x, axes, keepdims))


def _range(arguments: Arguments, builder: ImportBuilder) -> str:
    """The largest less the smallest."""
    x, axes, keepdims = _reduced(arguments, builder)
    ends = (
        reduce(builder, f"reduce_{end}", f"{arguments.name}/{end}", x, axes, keepdims)
        for end in ("max", "min")
    )
    return binary(builder, "sub", arguments.name, *ends)


def _average(arguments: Arguments, builder: ImportBuilder) -> str:
    x, axes, _ = _reduced(arguments, builder)
    if arguments.get(1, "weights") is not None:
        raise LayerRefused("an average must have no weights", hint="multiply, then sum")
    return reduce(builder, "mean", arguments.name, x, axes, False)


def _log_sum_exp(arguments: Arguments, builder: ImportBuilder) -> str:
    """The logarithm of the sum of exp(x - max), plus max."""
    x, axes, keepdims = _reduced(arguments, builder)
    name = arguments.name
    largest = reduce(builder, "reduce_max", f"{name}/max", x, axes, True)
    powers = unary(builder, "exp", f"{name}/exp", binary(builder, "sub", f"{name}/sub", x, largest))
    logs = unary(builder, "log", f"{name}/log", reduce(builder, "sum", f"{name}/sum", powers, axes, True))
    y = binary(builder, "add", name if keepdims else f"{name}/add", logs, largest)
    return y if keepdims else reshape(builder, name, y, _without(builder.shape(y), axes))


def _without(shape: tuple[int, ...], axes: tuple[int, ...]) -> list[int]:
    return [size for axis, size in enumerate(shape) if axis not in axes]


def _norm(arguments: Arguments, builder: ImportBuilder) -> str:
    """Of vectors: the root of the sum of squares, or the sum, largest or smallest of magnitudes."""
    x, name = arguments.tensor(0, "tensor", "x"), arguments.name
    axes = reduced_axes(arguments.get(2, "axis"), len(builder.shape(x)))
    keepdims, order = bool(arguments.get(3, "keepdims", default=False)), _order(arguments, len(axes))
    if order == 2:
        square = binary(builder, "mul", f"{name}/square", x, x)
        return unary(builder, "sqrt", name, reduce(builder, "sum", f"{name}/sum", square, axes, keepdims))
    op = {1.0: "sum", math.inf: "reduce_max", -math.inf: "reduce_min"}.get(order)
    if op is None or len(axes) != 1:
        raise LayerRefused("a norm must be of order 1, 2 or infinity, of vectors", value=order)
    return reduce(builder, op, name, unary(builder, "abs", f"{name}/abs", x), axes, keepdims)


def _order(arguments: Arguments, axes: int) -> float:
    """Of the norm. Keras's default, and "fro" of matrices, is 2; a 2 of matrices is another thing."""
    order = arguments.get(1, "ord")
    if order is None or order in ("fro", "euclidean"):
        return 2.0
    if axes > 1 or not isinstance(order, int | float):
        raise LayerRefused("a norm must be of order 1, 2 or infinity, of vectors", value=order)
    return float(order)


def _cumulated(arguments: Arguments, builder: ImportBuilder) -> str:
    x, name = arguments.tensor(0, "x"), arguments.name
    axis = axis_of(arguments.get(1, "axis"), len(builder.shape(x)))
    options = (bool(arguments.get(i + 2, key)) for i, key in enumerate(("exclusive", "reverse")))
    attributes = attrs(builder, "cumsum", axis, *options)
    return add(builder, "cumsum", name, [as_float(builder, name, x)], attributes)


def _extreme_index(op: str) -> Function:
    """argmax or argmin, as int32."""

    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x, name = arguments.tensor(0, "input", "x"), arguments.name
        shape, keepdims = builder.shape(x), bool(arguments.get(2, "keepdims", default=False))
        axis = axis_of(arguments.get(1, "axis", "dimension"), len(shape))
        y = add(builder, op, f"{name}/{op}" if keepdims else name, [x], attrs(builder, op, axis))
        return reshape(builder, name, y, (*shape[:axis], 1, *shape[axis + 1 :])) if keepdims else y

    return lower


FUNCTIONS: FunctionTable = {
    _reduction("mean"): ("math.reduce_mean", "compat.v1.reduce_mean", "Mean"),
    _reduction("sum"): ("math.reduce_sum", "compat.v1.reduce_sum", "Sum"),
    _reduction("reduce_max"): ("math.reduce_max", "compat.v1.reduce_max", "Max", "Amax"),
    _reduction("reduce_min"): ("math.reduce_min", "compat.v1.reduce_min", "Min", "Amin"),
    _reduction("reduce_prod"): ("math.reduce_prod", "compat.v1.reduce_prod", "Prod"),
    _of_conditions("reduce_any"): ("math.reduce_any", "Any"),
    _of_conditions("reduce_all"): ("math.reduce_all", "All"),
    _variance: ("math.reduce_variance", "Var"),
    _deviation: ("math.reduce_std", "Std"),
    _moments: ("nn.moments", "Moments"),
    _range: ("Ptp",),
    _average: ("Average",),
    _log_sum_exp: ("math.reduce_logsumexp", "Logsumexp"),
    _norm: ("norm", "linalg.norm", "Norm"),
    _cumulated: ("math.cumsum", "cumsum", "Cumsum"),
    _extreme_index("arg_max"): ("math.argmax", "argmax", "Argmax"),
    _extreme_index("arg_min"): ("math.argmin", "argmin", "Argmin"),
}
