"""States of a .tflite file in variable tensors: what an operator keeps from run to run for itself.

Each use of a variable tensor is of the value that it has there: the graph has a tensor for each value.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mcu_quant.errors import Problem
from mcu_quant.importers.tflite_draft import Draft
from mcu_quant.ir import State, Tensor
from mcu_quant.ops import OPERATORS


@dataclass
class VariableTensors:
    """latest: the value that each variable tensor has by now, by the name of the first."""

    draft: Draft
    latest: dict[str, str] = field(default_factory=dict)
    #: Those that begin every run as at reset (ops.base.BEGINS_ANEW).
    fresh: set[str] = field(default_factory=set)
    #: Those of them that a node has made.
    made: set[str] = field(default_factory=set)
    #: Names of values, to the name of the first of their variable tensor.
    first: dict[str, str] = field(default_factory=dict)

    def add(self, tensor: Tensor, begins_anew: bool) -> None:
        self.latest[tensor.name] = tensor.name
        self.first[tensor.name] = tensor.name
        if begins_anew:
            self.fresh.add(tensor.name)

    def has(self, tensor: Tensor | None) -> bool:
        return tensor is not None and tensor.name in self.first

    def changed(self, name: str, op: str, inputs: list[Tensor | None]) -> dict[int, Tensor]:
        """New values, by position of the input, for the variable tensors that a node of that name changes.

        inputs: changed to what they are here: None where a state begins every run as at reset.
        Raises nothing: an input that should be a variable tensor and is none is among the problems then.
        """
        found: dict[int, Tensor] = {}
        for position in OPERATORS[op].state_inputs:
            tensor = inputs[position] if position < len(inputs) else None
            if tensor is None:
                continue
            if not self.has(tensor):
                rule, hint = "what the operator keeps must be in a variable tensor", "export the model again"
                self.draft.problems.append(Problem(rule, name, tensor.name, hint))
                continue
            first = self.first[tensor.name]
            if first in self.fresh:
                inputs[position] = None
            found[position] = self._next_value(first, tensor)
        return found

    def _next_value(self, first: str, tensor: Tensor) -> Tensor:
        """The variable tensor itself, where nothing has read it and each run begins it anew."""
        if first in self.fresh - self.made and all(first not in node.inputs for node in self.draft.nodes):
            self.made.add(first)
            return tensor
        after = self.draft.unique(f"{first}/after", self.draft.tensors)
        new = self.draft.tensors[after] = Tensor(after, tensor.shape, tensor.dtype, tensor.quant)
        self.latest[first], self.first[after] = after, first
        return new

    def states(self) -> tuple[State, ...]:
        """At reset a variable tensor is real 0: its zero_point, as TFLM and LiteRT begin."""
        read = {name for node in self.draft.nodes for name in node.inputs}
        return tuple(
            State(name, after, _at_reset(self.draft.tensors[name]))
            for name, after in self.latest.items()
            if name not in self.made and (name in read or (after != name and name not in self.fresh))
        )


def _at_reset(tensor: Tensor) -> np.ndarray:
    zero_point = tensor.zero_point if tensor.quant is not None else 0
    return np.full(tensor.shape, zero_point, tensor.dtype)
