"""Plain C functions of one float."""

from __future__ import annotations

from collections.abc import Mapping

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.float_params import float_bounds
from mcu_quant.kernels.portable.walk import Params

#: MQ_UNARY_… of unary_f32.h.
_FUNCTIONS: Mapping[str, int] = {"relu": 0, "relu6": 0, "leaky_relu": 1, "logistic": 2, "tanh": 3}


class UnaryF32(Kernel):
    name = "unary_f32"
    ops = tuple(_FUNCTIONS)
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        op = node.node.op
        bounds = float_bounds(op if op in ("relu", "relu6") else "none")
        params: Params = {
            "size": node.output.elements,
            "function": _FUNCTIONS[op],
            "low": bounds["activation_min"],
            "high": bounds["activation_max"],
            "slope": node.attrs.alpha if op == "leaky_relu" else 0.0,
        }
        return KernelCall(params, (Activation(node.input(0).name), Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return (60.0 if node.node.op in ("logistic", "tanh") else 8.0) * node.output.elements


KERNEL = UnaryF32()
