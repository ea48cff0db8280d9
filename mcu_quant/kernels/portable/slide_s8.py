"""Plain C slide: rows move on in the state block, and new ones are copied behind them."""

from __future__ import annotations

import math

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall


class SlideS8(Kernel):
    name = "slide_s8"
    ops = ("slide",)
    forms = ("int8", "int16", "float", "plain")

    def call(self, node: BoundNode) -> KernelCall:
        new, rows = node.input(1), node.output
        assert new.bytes <= rows.bytes, f"{node.name}: more new rows than are kept"
        outer = math.prod(rows.shape[: node.attrs.axis])
        params = {"outer": outer, "kept": (rows.bytes - new.bytes) // outer, "added": new.bytes // outer}
        return KernelCall(params, (Activation(new.name), Activation(rows.name)))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 30.0 * math.prod(node.output.shape[: node.attrs.axis]) + 0.75 * node.output.bytes


KERNEL = SlideS8()
