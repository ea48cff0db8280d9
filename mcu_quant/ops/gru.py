"""gru: gated recurrent units, Keras's GRU. A custom operator: TFLite has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import IntArray, saturate
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.custom_options import read_options
from mcu_quant.ops.gates import gate_sigmoid, gate_tanh, q15_product
from mcu_quant.ops.logistic import OPERATOR as LOGISTIC
from mcu_quant.ops.recurrent import VERSION, Recurrent, RecurrentOperator, all_inputs

#: What the reset gate scales, in steps of 2**-12, is limited to 16: its product with Q0.15 is an int32.
RESET_LIMIT = 2**16 - 1


@dataclass(frozen=True)
class GruAttrs:
    """reset_after: whether the reset gate scales the recurrent sum of the candidate, not the hidden state.

    sequences: see RecurrentOperator.
    """

    reset_after: bool = True
    sequences: bool = True


class Gru(RecurrentOperator):
    """RecurrentOperator with three gates, in Keras's order: update z, reset r, candidate n.

    h' = z * h + (1 - z) * n
    """

    name = "gru"
    gates = 3
    tflite_custom = "MCU_QUANT_GRU"
    attrs_type = GruAttrs

    def options(self, node: BoundNode) -> Mapping[str, bool]:
        return {"reset_after": node.attrs.reset_after}

    def from_tflite(self, node: TfliteNode) -> tuple[GruAttrs, tuple[Tensor | None, ...]]:
        options = read_options(node, VERSION, ("reset_after",))
        return GruAttrs(options["reset_after"]), all_inputs(node)

    def float_step(
        self, node: BoundNode, sums: np.ndarray, h: np.ndarray, recurrent: Recurrent
    ) -> np.ndarray:
        units = h.shape[1]
        gates, candidate = slice(0, 2 * units), slice(2 * units, 3 * units)
        both = LOGISTIC.meaning(node, sums[:, gates] + recurrent(h, gates))
        z, r = both[:, :units], both[:, units:]
        after = node.attrs.reset_after
        inner = r * recurrent(h, candidate) if after else recurrent(r * h, candidate)
        n = np.tanh(sums[:, candidate] + inner)
        return z * h + (1 - z) * n

    def integer_step(self, node: BoundNode, sums: IntArray, h: IntArray, recurrent: Recurrent) -> IntArray:
        units = h.shape[1]
        gates, candidate = slice(0, 2 * units), slice(2 * units, 3 * units)
        both = gate_sigmoid(sums[:, gates] + recurrent(h, gates))
        z, r = both[:, :units], both[:, units:]
        if node.attrs.reset_after:
            inner = q15_product(r, saturate(recurrent(h, candidate), -RESET_LIMIT, RESET_LIMIT))
        else:
            inner = recurrent(q15_product(r, h), candidate)
        n = gate_tanh(sums[:, candidate] + inner)
        return (z * h + ((1 << 15) - z) * n + (1 << 14)) >> 15


OPERATOR = Gru()
