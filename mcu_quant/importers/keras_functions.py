"""Functions recorded in a Keras model: `x + 1`, tf.nn.relu(x), keras.ops.mean(x), x[:, 1:].

Keras 2 records them as TFOpLambda and SlicingOpLambda layers that name a TensorFlow symbol; Keras 3
as operations that name a class. Each is rewritten as the Keras layer that does the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcu_quant.importers.keras_config import LayerConfig
from mcu_quant.importers.keras_layers import ImportBuilder, affine, constant_operand, is_per_channel
from mcu_quant.ops.keras import LayerRefused
from mcu_quant.ops.strided_slice import attrs_of

FUNCTION_LAYERS = ("TFOpLambda", "SlicingOpLambda")


class TensorName(str):
    """A tensor of the graph, among arguments that may also be constants."""


@dataclass(frozen=True)
class Arguments:
    """A recorded call: positional and keyword arguments, and what the operation's config holds."""

    name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    def get(self, position: int, *names: str, default: Any = None) -> Any:
        """The argument at that position, or of the first of those names that is given."""
        if position < len(self.args):
            return self.args[position]
        for name in names:
            if self.kwargs.get(name) is not None:
                return self.kwargs[name]
        return default

    def tensor(self, position: int, *names: str) -> TensorName:
        value = self.get(position, *names)
        if not isinstance(value, TensorName):
            raise LayerRefused(
                "the function's first argument must be computed from an input", value=f"{value!r:.60}"
            )
        return value


Function = Callable[[Arguments, ImportBuilder], str]


def is_known_function(layer: LayerConfig) -> bool:
    return _symbol(layer) in FUNCTIONS


def function_name(layer: LayerConfig) -> str:
    """What the user wrote, as far as it is known."""
    return (
        f"tf.{_symbol(layer)}" if layer.class_name in FUNCTION_LAYERS else f"keras.ops ({layer.class_name})"
    )


def lower_function(layer: LayerConfig, arguments: Arguments, builder: ImportBuilder) -> str:
    """Add the function's nodes; returns its output. Raises LayerRefused."""
    function = FUNCTIONS.get(_symbol(layer))
    if function is None:
        raise LayerRefused(
            "there is no form for this function",
            value=function_name(layer),
            hint="the Keras layer that does the same, e.g. Rescaling, Activation, Reshape, Add, Multiply",
        )
    return function(arguments, builder)


def _symbol(layer: LayerConfig) -> str:
    if layer.class_name == "SlicingOpLambda":
        return str(layer.config.get("function", "__operators__.getitem"))
    return str(layer.config.get("function", "")) if layer.class_name == "TFOpLambda" else layer.class_name


def _binary(merge_layer: str) -> Function:
    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x, y = arguments.get(0, "x", "x1", "value"), arguments.get(1, "y", "x2", "bias")
        if isinstance(x, TensorName) and isinstance(y, TensorName):
            if merge_layer == "Divide":
                raise LayerRefused("a division must be by a constant", hint="Multiply by a reciprocal")
            return builder.layer(merge_layer, arguments.name, [x, y])
        if isinstance(x, TensorName):
            return _with_constant(merge_layer, arguments.name, x, constant_operand(y), False, builder)
        if isinstance(y, TensorName):
            return _with_constant(merge_layer, arguments.name, y, constant_operand(x), True, builder)
        raise LayerRefused("an operand must be computed from an input", value=f"{x!r:.40}, {y!r:.40}")

    return lower


def _with_constant(
    kind: str, name: str, x: TensorName, value: np.ndarray, constant_first: bool, builder: ImportBuilder
) -> str:
    """x and a constant: an affine map where one value per channel says it all, else two operands."""
    if kind == "Divide":
        if constant_first or not value.all():
            raise LayerRefused(
                "a division must be by a constant other than 0", hint="Multiply by a reciprocal"
            )
        kind, value = "Multiply", 1.0 / value
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    if is_per_channel(value, builder.shape(x)[-1]):
        if kind == "Add":
            return affine(builder, name, x, one, value)
        if kind == "Multiply":
            return affine(builder, name, x, value, zero)
        if kind == "Subtract":
            return (
                affine(builder, name, x, -one, value)
                if constant_first
                else affine(builder, name, x, one, -value)
            )
    constant = builder.constant(f"{name}/constant", value if value.ndim else value.reshape(1))
    return builder.layer(kind, name, [constant, x] if constant_first else [x, constant])


def _maximum(arguments: Arguments, builder: ImportBuilder) -> str:
    x, y = arguments.get(0, "x", "x1"), arguments.get(1, "y", "x2")
    for tensor, other in ((x, y), (y, x)):
        if isinstance(tensor, TensorName) and not isinstance(other, TensorName) and not np.any(other):
            return builder.layer("ReLU", arguments.name, [tensor], _relu_config())
    return _binary("Maximum")(arguments, builder)


def _relu_config(max_value: float | None = None, negative_slope: float = 0.0) -> dict[str, float | None]:
    return {"max_value": max_value, "negative_slope": negative_slope, "threshold": 0.0}


def _clip(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, "t", "x")
    low = constant_operand(arguments.get(1, "clip_value_min", "x_min"))
    high = constant_operand(arguments.get(2, "clip_value_max", "x_max"))
    if low.size == high.size == 1 and float(low) == 0.0 < float(high):
        return builder.layer("ReLU", arguments.name, [x], _relu_config(max_value=float(high)))
    lower = builder.constant(f"{arguments.name}/minimum", low.reshape(-1))
    upper = builder.constant(f"{arguments.name}/maximum", high.reshape(-1))
    y = builder.layer("Minimum", f"{arguments.name}/minimum", [x, upper])
    return builder.layer("Maximum", arguments.name, [y, lower])


def _activation(activation: str) -> Function:
    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x = arguments.tensor(0, "features", "x", "logits", "input")
        if activation == "softmax" and arguments.get(1, "axis", default=-1) not in (
            -1,
            len(builder.shape(x)) - 1,
        ):
            raise LayerRefused("softmax must be over the last axis", value=arguments.get(1, "axis"))
        return builder.activation(arguments.name, activation, x)

    return lower


def _leaky_relu(arguments: Arguments, builder: ImportBuilder) -> str:
    slope = float(arguments.get(1, "alpha", "negative_slope", default=0.2))
    x = arguments.tensor(0, "features", "x")
    return builder.layer("LeakyReLU", arguments.name, [x], {"negative_slope": slope, "alpha": slope})


def _identity(arguments: Arguments, builder: ImportBuilder) -> str:
    return arguments.tensor(0, "input", "x", "tensor", "value", "variables")


def _cast(arguments: Arguments, builder: ImportBuilder) -> str:
    dtype = arguments.get(1, "dtype")
    if str(dtype).replace("tf.", "") not in ("float32", "float16", "bfloat16", "float64"):
        raise LayerRefused("a cast must be to a float type", value=dtype, hint="remove the cast")
    return arguments.tensor(0, "x")


def _reshape_to(arguments: Arguments, x: str, shape: Sequence[int], builder: ImportBuilder) -> str:
    elements = math.prod(builder.shape(x))
    if math.prod(shape) != elements:
        raise LayerRefused(
            "a reshape must keep the batch and the number of elements",
            value=f"{list(builder.shape(x)[1:])} to {list(shape)}",
            hint="layers.Reshape",
        )
    return builder.layer("Reshape", arguments.name, [x], {"target_shape": list(shape)})


def _reshape(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, "tensor", "x")
    shape = arguments.get(1, "shape", "newshape")
    if not isinstance(shape, list | tuple) or not all(s is None or isinstance(s, int) for s in shape):
        raise LayerRefused(
            "a reshape must be to a constant shape", value=f"{shape!r:.60}", hint="layers.Reshape"
        )
    target = [-1 if s is None else s for s in shape[1:]]
    if target.count(-1) == 1:
        rest = -math.prod(target)
        target[target.index(-1)] = math.prod(builder.shape(x)) // rest if rest > 0 else 0
    return _reshape_to(arguments, x, target, builder)


def _squeeze(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, "input", "x")
    shape = builder.shape(x)
    axes = _axes(arguments.get(1, "axis", "squeeze_dims"), len(shape)) or [
        i for i, s in enumerate(shape) if i and s == 1
    ]
    if 0 in axes or any(shape[axis] != 1 for axis in axes):
        raise LayerRefused("a squeeze must be of axes of size 1, not the batch", value=axes)
    return _reshape_to(arguments, x, [s for i, s in enumerate(shape) if i and i not in axes], builder)


def _expand_dims(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, "input", "x")
    shape = list(builder.shape(x))
    (axis,) = _axes(arguments.get(1, "axis"), len(shape) + 1)
    if axis == 0:
        raise LayerRefused("an axis must be added after the batch", value=axis)
    return _reshape_to(arguments, x, [*shape[1:axis], 1, *shape[axis:]], builder)


def _axes(value: Any, rank: int) -> list[int]:
    """Axes as a sorted list of non-negative numbers; [] for None."""
    values = [] if value is None else [value] if isinstance(value, int) else list(value)
    if any(not isinstance(axis, int) or not -rank <= axis < rank for axis in values):
        raise LayerRefused("the axis must be constant and exist", value=values)
    return sorted(axis % rank for axis in values)


def _mean(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, "input_tensor", "x")
    rank = len(builder.shape(x))
    axes = _axes(arguments.get(1, "axis"), rank)
    if axes != list(range(1, rank - 1)) or rank not in (3, 4):
        raise LayerRefused(
            "a mean must be over all axes but the batch and the last",
            value=f"axes {axes} of {rank}",
            hint="GlobalAveragePooling1D or GlobalAveragePooling2D",
        )
    config = {"keepdims": bool(arguments.get(2, "keepdims", default=False)), "data_format": "channels_last"}
    return builder.layer(f"GlobalAveragePooling{rank - 2}D", arguments.name, [x], config)


def _concatenate(arguments: Arguments, builder: ImportBuilder) -> str:
    values = arguments.get(0, "values", "xs")
    values = [values] if isinstance(values, TensorName) else list(values)
    if not all(isinstance(value, TensorName) for value in values):
        raise LayerRefused("concatenation must be of tensors computed from an input", hint="no constants")
    return builder.layer(
        "Concatenate", arguments.name, values, {"axis": arguments.get(1, "axis", default=-1)}
    )


def _get_item(arguments: Arguments, builder: ImportBuilder) -> str:
    """x[index], of slices, numbers, new axes and an ellipsis."""
    x = arguments.tensor(0, "tensor", "x")
    shape = builder.shape(x)
    index = _full_index(arguments.get(1, "slice_spec", "key"), len(shape))
    try:
        attrs = attrs_of([entry for entry in index if entry is not None], shape)
    except (ValueError, TypeError) as error:
        raise LayerRefused("a slice must lie within the tensor", value=error) from error
    if 0 in attrs.dropped or index[0] is None or attrs.sizes[0] != shape[0]:
        raise LayerRefused("a slice must keep the batch", value=index[0], hint="x[:, …]")
    y = x if attrs.sizes == shape and set(attrs.strides) == {1} and not attrs.dropped else ""
    new_axes = [entry for entry in index if not isinstance(entry, int)]
    if y and None not in new_axes:
        return y
    name = f"{arguments.name}/slice" if None in new_axes else arguments.name
    y = y or builder.add("strided_slice", name, attrs, [x])
    if None not in new_axes:
        return y
    sizes = iter(builder.shape(y))
    target = [1 if entry is None else next(sizes) for entry in new_axes]
    return _reshape_to(arguments, y, target[1:], builder)


def _full_index(index: Any, rank: int) -> list[slice | int | None]:
    """The index with its ellipsis (or its end) spelled out: one entry for each axis, None for new ones."""
    entries = list(index) if isinstance(index, list | tuple) else [index]
    if not all(entry is None or entry is ... or isinstance(entry, slice | int) for entry in entries):
        raise LayerRefused("an index must be constant slices and numbers", value=f"{index!r:.60}")
    missing = rank - sum(entry is not None and entry is not ... for entry in entries)
    if missing < 0 or entries.count(...) > 1:
        raise LayerRefused("an index must not have more entries than there are axes", value=f"{index!r:.60}")
    place = entries.index(...) if ... in entries else len(entries)
    return [*entries[:place], *[slice(None)] * missing, *entries[place + 1 :]]


_ELEMENTWISE: Mapping[str, tuple[str, ...]] = {
    "Add": ("math.add", "__operators__.add", "add", "nn.bias_add", "Add"),
    "Subtract": ("math.subtract", "subtract", "Subtract"),
    "Multiply": ("math.multiply", "multiply", "Multiply"),
    "Divide": ("math.truediv", "math.divide", "truediv", "divide", "TrueDivide", "Divide"),
    "Minimum": ("math.minimum", "minimum", "Minimum"),
}
_ACTIVATIONS: Mapping[str, tuple[str, ...]] = {
    "relu": ("nn.relu", "Relu"),
    "relu6": ("nn.relu6", "Relu6"),
    "sigmoid": ("math.sigmoid", "sigmoid", "nn.sigmoid", "Sigmoid"),
    "tanh": ("math.tanh", "tanh", "nn.tanh", "Tanh"),
    "softmax": ("nn.softmax", "nn.softmax_v2", "compat.v1.nn.softmax", "Softmax"),
}
_OTHERS: Mapping[Function, tuple[str, ...]] = {
    _maximum: ("math.maximum", "maximum", "Maximum"),
    _clip: ("clip_by_value", "Clip"),
    _leaky_relu: ("nn.leaky_relu", "LeakyRelu"),
    _identity: ("identity", "stop_gradient", "StopGradient"),
    _cast: ("cast", "Cast"),
    _reshape: ("reshape", "Reshape"),
    _squeeze: ("squeeze", "compat.v1.squeeze", "Squeeze"),
    _expand_dims: ("expand_dims", "compat.v1.expand_dims", "ExpandDims"),
    _mean: ("math.reduce_mean", "compat.v1.reduce_mean", "Mean"),
    _concatenate: ("concat", "Concatenate"),
    _get_item: ("__operators__.getitem", "GetItem"),
}
#: By TensorFlow symbol (Keras 2) and by operation class (Keras 3).
FUNCTIONS: dict[str, Function] = {
    **{symbol: _binary(kind) for kind, symbols in _ELEMENTWISE.items() for symbol in symbols},
    **{symbol: _activation(kind) for kind, symbols in _ACTIVATIONS.items() for symbol in symbols},
    **{symbol: function for function, symbols in _OTHERS.items() for symbol in symbols},
}
