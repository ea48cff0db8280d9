"""Functions recorded in a Keras model: `x + 1`, tf.nn.relu(x), keras.ops.mean(x), x[:, 1:].

Keras 2 records them as TFOpLambda and SlicingOpLambda layers that name a TensorFlow symbol; Keras 3
as operations that name a class. Each is rewritten as operators, or as the Keras layer that does the same.
"""

from __future__ import annotations

from mcu_quant.importers.keras_config import LayerConfig
from mcu_quant.importers.keras_functions import (
    activations,
    arithmetic,
    attention,
    conditions,
    indexing,
    layers,
    products,
    reductions,
    shapes,
)
from mcu_quant.importers.keras_functions.arguments import Arguments, Function, TensorName
from mcu_quant.importers.keras_functions.unsupported import unsupported_function
from mcu_quant.importers.keras_layers import ImportBuilder

__all__ = [
    "FUNCTIONS",
    "FUNCTION_LAYERS",
    "Arguments",
    "TensorName",
    "call_function",
    "lower_function",
    "require_known_function",
]

FUNCTION_LAYERS = ("TFOpLambda", "SlicingOpLambda")

_MODULES = (arithmetic, conditions, activations, reductions, shapes, indexing, layers, products, attention)
#: By TensorFlow symbol (Keras 2) and by operation class (Keras 3).
FUNCTIONS: dict[str, Function] = {
    symbol: function
    for module in _MODULES
    for function, symbols in module.FUNCTIONS.items()
    for symbol in symbols
}


def require_known_function(layer: LayerConfig) -> None:
    """Raises LayerRefused where there is no form for it."""
    symbol = _symbol(layer)
    if symbol not in FUNCTIONS:
        is_symbol = layer.class_name in FUNCTION_LAYERS
        label = f"tf.{symbol}" if is_symbol else f"keras.ops ({layer.class_name})"
        raise unsupported_function(label, symbol)


def lower_function(layer: LayerConfig, arguments: Arguments, builder: ImportBuilder) -> list[str]:
    """Add the function's nodes; returns its outputs. Raises LayerRefused."""
    require_known_function(layer)
    outputs = FUNCTIONS[_symbol(layer)](arguments, builder)
    return outputs if isinstance(outputs, list) else [outputs]


def call_function(symbol: str, arguments: Arguments, builder: ImportBuilder) -> str:
    """A function that has one output, by its operation class."""
    output = FUNCTIONS[symbol](arguments, builder)
    assert isinstance(output, str), f"{symbol} has several outputs"
    return output


def _symbol(layer: LayerConfig) -> str:
    if layer.class_name == "SlicingOpLambda":
        return str(layer.config.get("function", "__operators__.getitem"))
    return str(layer.config.get("function", "")) if layer.class_name == "TFOpLambda" else layer.class_name
