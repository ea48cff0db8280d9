"""lookup: several element-wise nodes as one table of 256 bytes. Made for a deployment; no file has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.ops.unary import UnaryOperator


@dataclass(frozen=True, eq=False)
class LookupAttrs:
    """table: what the reference gives for each input from the smallest on, of the output's dtype [256].

    layers: (name, operator) of the nodes that it stands for, in their order.
    """

    table: np.ndarray
    layers: tuple[tuple[str, str], ...]

    @property
    def summary(self) -> str:
        operators = [op for _, op in self.layers if op not in ("quantize", "dequantize")]
        return "a table of " + ", ".join(operators or ["quantize"])


class Lookup(UnaryOperator):
    """Input: x, int8 or uint8, of any shape. Output: int8, uint8 or bool."""

    name = "lookup"
    is_internal = True
    attrs_type = LookupAttrs
    plain_types = MappingProxyType({0: ("int8", "uint8"), None: ("int8", "uint8", "bool")})

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError(self.name)

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        return self.ordered_table(node)[q - np.iinfo(node.input(0).dtype).min].astype(np.int64)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        """A constant of a higher rank may have given the output axes of 1."""
        (y,) = super().run_integer(node, inputs)
        return (y.reshape(len(y), *node.output.shape),)

    def ordered_table(self, node: BoundNode) -> np.ndarray:
        table: np.ndarray = node.attrs.table
        return table


LOOKUP = Lookup()
