"""Activation functions: relu(x), leaky_relu(x, 0.1), softmax(x, axis)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcu_quant.importers.keras_functions.arguments import Arguments, Function, FunctionTable, axis_of
from mcu_quant.importers.keras_functions.nodes import as_float, binary, layer
from mcu_quant.importers.keras_functions.shapes import sliced, transpose
from mcu_quant.importers.keras_layers import ImportBuilder
from mcu_quant.ops.keras import LayerRefused

_X = ("features", "x", "logits", "input")


def _named(activation: str) -> Function:
    """A name that layers' `activation` takes, too."""

    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x = as_float(builder, arguments.name, arguments.tensor(0, *_X))
        return builder.activation(arguments.name, activation, x)

    return lower


def _with(activation: str, **defaults: Any) -> Function:
    """Likewise one that has parameters; defaults: Keras's, with what they are called there."""

    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x = as_float(builder, arguments.name, arguments.tensor(0, *_X))
        given = {
            key: arguments.get(1 + place, key, default=default)
            for place, (key, default) in enumerate(defaults.items())
        }
        return parametric(builder, arguments.name, activation, x, given)

    return lower


def parametric(
    builder: ImportBuilder, name: str, activation: str, x: str, parameters: Mapping[str, Any]
) -> str:
    """An activation function of those parameters."""
    serialized = {"class_name": activation, "config": dict(parameters)}
    return builder.activation(name, serialized, x)


def _leaky_relu(arguments: Arguments, builder: ImportBuilder) -> str:
    slope = float(arguments.get(1, "alpha", "negative_slope", default=0.2))
    x = arguments.tensor(0, "features", "x")
    return layer(builder, "LeakyReLU", arguments.name, [x], negative_slope=slope, alpha=slope)


def _softmax(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, *_X)
    axis = axis_of(arguments.get(1, "axis", default=-1), len(builder.shape(x)))
    return layer(builder, "Softmax", arguments.name, [x], axis=axis)


def _log_softmax(arguments: Arguments, builder: ImportBuilder) -> str:
    x, name = arguments.tensor(0, *_X), arguments.name
    rank = len(builder.shape(x))
    axis = axis_of(arguments.get(1, "axis", default=-1), rank)
    order = [*(place for place in range(rank) if place != axis), axis]
    y = builder.activation(name, "log_softmax", transpose(builder, f"{name}/last", x, order))
    return transpose(builder, f"{name}/back", y, [order.index(place) for place in range(rank)])


def _gated(arguments: Arguments, builder: ImportBuilder) -> str:
    """glu: the first half of an axis, times the sigmoid of the second."""
    x, name = arguments.tensor(0, "x"), arguments.name
    axis = axis_of(arguments.get(1, "axis", default=-1), len(builder.shape(x)))
    half, odd = divmod(builder.shape(x)[axis], 2)
    if odd:
        raise LayerRefused("the axis must be of an even size", value=builder.shape(x)[axis])
    values = sliced(builder, f"{name}/values", x, axis, slice(0, half))
    gates = sliced(builder, f"{name}/gates", x, axis, slice(half, None))
    gates = type(gates)(builder.activation(name, "sigmoid", gates))
    return binary(builder, "mul", name, values, gates)


FUNCTIONS: FunctionTable = {
    _named("relu"): ("nn.relu", "Relu"),
    _named("relu6"): ("nn.relu6", "Relu6"),
    _named("sigmoid"): ("math.sigmoid", "sigmoid", "nn.sigmoid", "Sigmoid"),
    _named("tanh"): ("math.tanh", "tanh", "nn.tanh", "Tanh"),
    _named("softplus"): ("math.softplus", "nn.softplus", "Softplus"),
    _named("softsign"): ("nn.softsign", "Softsign"),
    _named("silu"): ("nn.silu", "Silu"),
    _named("log_sigmoid"): ("math.log_sigmoid", "LogSigmoid"),
    _named("hard_sigmoid"): ("HardSigmoid",),
    _named("hard_silu"): ("HardSilu",),
    _named("hard_tanh"): ("HardTanh",),
    _named("selu"): ("nn.selu", "Selu"),
    _named("tanh_shrink"): ("TanhShrink",),
    _named("sparse_plus"): ("SparsePlus",),
    _named("sparse_sigmoid"): ("SparseSigmoid",),
    _with("elu", alpha=1.0): ("nn.elu", "Elu"),
    _with("celu", alpha=1.0): ("Celu",),
    _with("gelu", approximate=True): ("Gelu",),
    _with("gelu", approximate=False): ("nn.gelu",),
    _with("squareplus", b=4): ("Squareplus",),
    _with("soft_shrink", threshold=0.5): ("SoftShrink",),
    _with("hard_shrink", threshold=0.5): ("HardShrink",),
    _with("threshold", threshold=0.0, default_value=0.0): ("Threshold",),
    _leaky_relu: ("nn.leaky_relu", "LeakyRelu"),
    _softmax: ("nn.softmax", "nn.softmax_v2", "compat.v1.nn.softmax", "Softmax"),
    _log_softmax: ("nn.log_softmax", "LogSoftmax"),
    _gated: ("Glu",),
}
