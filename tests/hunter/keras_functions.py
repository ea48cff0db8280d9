"""Functions of keras.ops in random Keras models: "ops.mean" and its arguments, as class and config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from mcu_quant.importers.keras_functions import FUNCTIONS, Arguments, TensorName
from mcu_quant.importers.keras_layers import ImportBuilder
from tests.hunter.build import Draw

PREFIX = "ops."
#: Shapes without the batch have at most so many axes, so that operators up to rank 4 can follow.
MOST_AXES = 3
Config = dict[str, Any]
DrawConfig = Callable[[Draw, tuple[int, ...]], Config]


@dataclass(frozen=True)
class DrawnFunction:
    """symbol: its operation class. operands: how many of one shape. in_list: given as one list."""

    symbol: str
    draw: DrawConfig
    operands: int = 1
    in_list: bool = False


def is_function(class_name: str) -> bool:
    return class_name.startswith(PREFIX)


def drawn(class_name: str) -> DrawnFunction:
    return DRAWN[class_name.removeprefix(PREFIX)]


def add_function(
    builder: ImportBuilder, name: str, class_name: str, inputs: list[str], config: Config
) -> str:
    """Add the function's nodes; returns its output. Raises LayerRefused."""
    function = drawn(class_name)
    tensors = [TensorName(x) for x in inputs]
    arguments = Arguments(name, [tensors] if function.in_list else tensors, config)
    output = FUNCTIONS[function.symbol](arguments, builder)
    assert isinstance(output, str)
    return output


def call_keras(keras: Any, class_name: str, inputs: list[Any], config: Config) -> Any:
    """The same in a Keras model."""
    function = getattr(keras.ops, class_name.removeprefix(PREFIX))
    return function(inputs, **config) if drawn(class_name).in_list else function(*inputs, **config)


def _nothing(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {}


def _axis(draw: Draw, shape: tuple[int, ...]) -> int:
    axis = draw(st.integers(1, len(shape)))
    return axis if draw(st.booleans()) else axis - len(shape) - 1


def _one_axis(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {"axis": _axis(draw, shape)}


def _reduction(draw: Draw, shape: tuple[int, ...]) -> Config:
    axes = [axis for axis in range(1, len(shape) + 1) if draw(st.booleans())] or [1]
    return {"axis": axes, "keepdims": len(axes) == len(shape) or draw(st.booleans())}


def _limits(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {"x_min": draw(st.sampled_from([0.0, -1.5])), "x_max": draw(st.sampled_from([0.75, 6.0]))}


def _power(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {"x2": 2}  # of int8 inputs, cubes are too coarse for a bound of the error


def _shift(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {"shift": draw(st.integers(-3, 3)), **_one_axis(draw, shape)}


def _repeats(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {"repeats": draw(st.integers(1, 3)), **_one_axis(draw, shape)}


def _tiles(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {"repeats": [1, *(draw(st.sampled_from([1, 1, 2])) for _ in shape)]}


def _pads(draw: Draw, shape: tuple[int, ...]) -> Config:
    mode = draw(st.sampled_from(["constant", "reflect", "symmetric"]))
    widest = 2 if mode == "constant" else min(shape) - (mode == "reflect")
    sides = st.integers(0, min(widest, 2))
    return {"pad_width": [[0, 0], *([draw(sides), draw(sides)] for _ in shape)], "mode": mode}


def _order(draw: Draw, shape: tuple[int, ...]) -> Config:
    return {"axes": [0, *draw(st.permutations(range(1, len(shape) + 1)))]}


def _indices(draw: Draw, shape: tuple[int, ...]) -> Config:
    axis = draw(st.integers(1, len(shape)))
    places = st.integers(-shape[axis - 1], shape[axis - 1] - 1)
    return {"indices": [draw(places) for _ in range(draw(st.integers(1, 4)))], "axis": axis}


def _two(symbol: str) -> DrawnFunction:
    return DrawnFunction(symbol, _nothing, operands=2)


DRAWN: Mapping[str, DrawnFunction] = {
    "abs": DrawnFunction("Abs", _nothing),
    "add": _two("Add"),
    "clip": DrawnFunction("Clip", _limits),
    "concatenate": DrawnFunction("Concatenate", _one_axis, operands=2, in_list=True),
    "expand_dims": DrawnFunction("ExpandDims", _one_axis),
    "flip": DrawnFunction("Flip", _one_axis),
    "max": DrawnFunction("Max", _reduction),
    "maximum": _two("Maximum"),
    "mean": DrawnFunction("Mean", _reduction),
    "min": DrawnFunction("Min", _reduction),
    "minimum": _two("Minimum"),
    "multiply": _two("Multiply"),
    "negative": DrawnFunction("Negative", _nothing),
    "pad": DrawnFunction("Pad", _pads),
    "power": DrawnFunction("Power", _power),
    "relu6": DrawnFunction("Relu6", _nothing),
    "repeat": DrawnFunction("Repeat", _repeats),
    "roll": DrawnFunction("Roll", _shift),
    "sigmoid": DrawnFunction("Sigmoid", _nothing),
    "square": DrawnFunction("Square", _nothing),
    "stack": DrawnFunction("Stack", _one_axis, operands=2, in_list=True),
    "subtract": _two("Subtract"),
    "sum": DrawnFunction("Sum", _reduction),
    "take": DrawnFunction("Take", _indices),
    "tanh": DrawnFunction("Tanh", _nothing),
    "tile": DrawnFunction("Tile", _tiles),
    "transpose": DrawnFunction("Transpose", _order),
    "var": DrawnFunction("Var", _reduction),
}
#: One more axis comes out.
GROWING = ("expand_dims", "stack")
