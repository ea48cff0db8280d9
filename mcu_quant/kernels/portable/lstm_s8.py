"""Plain C LSTM of int8: the sums of a unit's four gates at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mcu_quant.fixed_point import wrap_int32
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.loop_costs import is_thumb1
from mcu_quant.kernels.portable.lstm import (
    SIGMOID,
    biases,
    interleaved,
    lstm_overlap,
    outputs,
    scale_params,
    size_params,
    weight_tables,
)
from mcu_quant.ops.unidirectional_sequence_lstm import RECURRENT_WEIGHTS, WEIGHTS, steps_of

#: is_thumb1 -> mode -> cycles of a unit in a step beside its sums, and of a value in those of its four gates:
#: fitted on Cortex-M0+ and M3.
_COSTS: Mapping[bool, Mapping[str, tuple[float, float]]] = {
    True: {"time": (1490, 27), "balanced": (1508, 27), "size": (1985, 35)},
    False: {"time": (600, 20), "balanced": (612, 21), "size": (1000, 28)},
}


class LstmS8(Kernel):
    name = "lstm_s8"
    ops = ("unidirectional_sequence_lstm",)

    def call(self, node: BoundNode) -> KernelCall:
        params = size_params(node) | {"hidden_zero_point": node.output.zero_point} | scale_params(node)
        zero_points = node.input(0).zero_point, node.output.zero_point
        folded = [
            interleaved(node, first).astype(np.int64).sum(axis=2) * zero_point
            for first, zero_point in zip((WEIGHTS, RECURRENT_WEIGHTS), zero_points, strict=True)
        ]
        bias, recurrent_bias = wrap_int32(biases(node) - folded[0]), wrap_int32(-folded[1])
        arguments = (
            Activation(node.input(0).name),
            *weight_tables(node),
            Constant("bias", bias.astype(np.int32)),
            Constant("recurrent_bias", recurrent_bias.astype(np.int32)),
            SIGMOID,
            *outputs(node),
        )
        return KernelCall(params, arguments)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return lstm_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self.cycles_in(node, core, "balanced")

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        return lstm_cycles(node, *_COSTS[is_thumb1(core)][optimize])


def lstm_cycles(node: BoundNode, unit: float, value: float) -> float:
    """unit: of a unit in a step, beside its sums. value: of the input's and the hidden state's in those."""
    units, size = node.input(WEIGHTS).shape
    return steps_of(node) * units * (unit + value * (size + units))


KERNEL = LstmS8()
