"""Fully connected on Cortex-M3 and later: four units at once, see dot.py. No scratch."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.armv7m.dot import Dot, dot_cycles, plan_dot
from mcu_quant.kernels.base import Activation, Core, KernelCall
from mcu_quant.kernels.portable.fully_connected_s8 import FullyConnectedS8


class FullyConnectedS8Armv7m(FullyConnectedS8):
    name = "fully_connected_s8_armv7m"
    family = "armv7m"
    modes = ("time",)

    def refusal(self, node: BoundNode) -> str | None:
        return None if _plan(node) is not None else "no short exact form fits the weights or scales"

    def call(self, node: BoundNode) -> KernelCall:
        dot = _plan(node)
        assert dot is not None
        x, y = node.input(0), node.output
        params = {"rows": x.elements // dot.window.inputs, "table_bytes": dot.table.nbytes, **dot.params()}
        return KernelCall(params, (Activation(x.name), dot.constant, dot.assembly, Activation(y.name)))

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        dot = _plan(node)
        assert dot is not None
        rows = node.input(0).elements // dot.window.inputs
        return dot_cycles(dot, rows, core) + 60


@lru_cache(maxsize=128)
def _plan(node: BoundNode) -> Dot | None:
    weights = node.input(1)
    assert weights.data is not None
    return plan_dot(node, 1, weights.data.astype(np.int64))


KERNEL = FullyConnectedS8Armv7m()
