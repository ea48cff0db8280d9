"""Plain C LSTM of int8: the sums of a unit's four gates at once."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import wrap_int32
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.loop_costs import LINEAR, LoopCosts, is_thumb1, row_cycles
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
from mcu_quant.ops.unidirectional_sequence_lstm import GATES, RECURRENT_WEIGHTS, WEIGHTS, steps_of

#: Cycles of a unit beside its sums: five sigmoids and eleven requantizations.
_UNIT = {True: 1500.0, False: 420.0}


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
        return sum_cycles(node, LINEAR[is_thumb1(core)][optimize]) + unit_cycles(node, core)


def sum_cycles(node: BoundNode, costs: LoopCosts) -> float:
    """Of all sums: a row of taps for each gate of each unit, over the input and over the hidden state."""
    units, size = node.input(WEIGHTS).shape
    return sum(row_cycles(steps_of(node), length, GATES * units, costs) for length in (size, units))


def unit_cycles(node: BoundNode, core: Core) -> float:
    return steps_of(node) * node.input(WEIGHTS).shape[0] * _UNIT[is_thumb1(core)]


KERNEL = LstmS8()
