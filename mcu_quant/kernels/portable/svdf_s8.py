"""Plain C svdf of int8 activations: the sums of four filters at once."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import wrap_int32
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.loop_costs import LINEAR, LoopCosts, is_thumb1, row_cycles
from mcu_quant.ops.svdf import BIAS, FEATURE, TIME, X, multipliers

#: Cycles of a filter beside its sum, and of a value of its memory.
_FILTER, _VALUE = {True: 110.0, False: 45.0}, {True: 14.0, False: 9.0}


class SvdfS8(Kernel):
    name = "svdf_s8"
    ops = ("svdf",)

    def call(self, node: BoundNode) -> KernelCall:
        x, feature, time = (node.input(index) for index in (X, FEATURE, TIME))
        assert feature.data is not None and time.data is not None
        value, unit = multipliers(node)
        params = {
            "rows": x.shape[0],
            "input_size": feature.shape[1],
            "filters": feature.shape[0],
            "rank": node.attrs.rank,
            "memory": time.shape[1],
            "wide": int(time.dtype == "int16"),
            "input_zero_point": x.zero_point,
            "state_zero_point": node.outputs[1].zero_point,
            "output_zero_point": node.output.zero_point,
            "value_multiplier": value[0],
            "value_shift": value[1],
            "multiplier": unit[0],
            "shift": unit[1],
        }
        arguments = (
            Activation(x.name),
            Constant("feature", feature.data),
            Constant("time", time.data),
            Constant("bias", _folded_bias(node)),
            Activation(node.output.name),
            Activation(node.outputs[1].name),
        )
        return KernelCall(params, arguments)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self.cycles_in(node, core, "balanced")

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        costs, is_slow = LINEAR[is_thumb1(core)][optimize], is_thumb1(core)
        return svdf_cycles(node, costs, _FILTER[is_slow], _VALUE[is_slow])


def svdf_cycles(node: BoundNode, costs: LoopCosts, filter_cycles: float, value_cycles: float) -> float:
    filters, size = node.input(FEATURE).shape
    rows, memory = node.input(X).shape[0], node.input(TIME).shape[1]
    return row_cycles(rows, size, filters, costs) + rows * filters * (filter_cycles + memory * value_cycles)


def _folded_bias(node: BoundNode) -> np.ndarray:
    """int32 [units]: the bias, less the state's zero_point times the sum of the unit's time weights."""
    bias, time = node.input(BIAS).data, node.input(TIME).data
    assert bias is not None and time is not None
    sums = time.astype(np.int64).reshape(len(bias), -1).sum(axis=1)
    return wrap_int32(bias.astype(np.int64) - node.outputs[1].zero_point * sums).astype(np.int32)


KERNEL = SvdfS8()
