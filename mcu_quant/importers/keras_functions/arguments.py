"""A recorded call of a function: its arguments, which are tensors of the graph and constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcu_quant.importers.keras_layers import ImportBuilder, constant_operand
from mcu_quant.ops.keras import LayerRefused


class TensorName(str):
    """A tensor of the graph, among arguments that may also be constants."""


Operand = TensorName | np.ndarray
#: What a function gives: one tensor, or several.
Outputs = str | list[str]


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

    def operand(self, position: int, *names: str) -> Operand:
        """A tensor, or a constant as float32."""
        value = self.get(position, *names)
        return value if isinstance(value, TensorName) else constant_operand(value)

    def constant(self, position: int, *names: str) -> np.ndarray:
        """A constant as float32."""
        value = self.get(position, *names)
        if isinstance(value, TensorName) or value is None:
            raise LayerRefused(f"{names[0]} must be constant", value=f"{value!s:.60}")
        return constant_operand(value)

    def tensors(self, position: int, *names: str) -> list[TensorName]:
        """Of a list, or of the one tensor that stands for a list of one."""
        value = self.get(position, *names)
        values = [value] if isinstance(value, TensorName) else list(value or ())
        if not values or not all(isinstance(entry, TensorName) for entry in values):
            raise LayerRefused(
                "the function must be of tensors computed from an input",
                value=f"{value!r:.60}",
                hint="no constants among them",
            )
        return values


Function = Callable[[Arguments, ImportBuilder], Outputs]
#: Each function with the TensorFlow symbols (Keras 2) and operation classes (Keras 3) that it reads.
FunctionTable = Mapping[Function, tuple[str, ...]]


def axes_of(value: Any, rank: int) -> list[int]:
    """Axes as a sorted list of non-negative numbers; [] for None."""
    values = [] if value is None else [value] if is_integer(value) else list(value)
    if any(not is_integer(axis) or not -rank <= axis < rank for axis in values):
        raise LayerRefused("the axis must be constant and exist", value=values)
    return sorted({int(axis) % rank for axis in values})


def axis_of(value: Any, rank: int) -> int:
    """One axis, not the batch's, as a non-negative number."""
    axes = axes_of(value, rank)
    if len(axes) != 1 or axes[0] == 0:
        raise LayerRefused("the axis must be one of the tensor's, not the batch's", value=value)
    return axes[0]


def is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def integers(value: Any, what: str) -> list[int]:
    """A constant number or list of numbers as a list. Raises LayerRefused."""
    values = [value] if is_integer(value) else value
    if isinstance(values, np.ndarray):
        values = values.reshape(-1).tolist()
    if not isinstance(values, list | tuple) or not all(map(is_integer, values)):
        raise LayerRefused(f"{what} must be constant", value=f"{value!r:.60}")
    return [int(entry) for entry in values]
