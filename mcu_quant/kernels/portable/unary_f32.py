"""Plain C functions of one float."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.float_params import float_bounds
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.base import CLAMPS

#: In the order of MQ_UNARY_… of unary_f32.h, behind the first one, a clamp.
_FUNCTIONS = (
    "clamp",
    "leaky_relu",
    "logistic",
    "tanh",
    "exp",
    "log",
    "sqrt",
    "rsqrt",
    "sin",
    "cos",
    "round",
    "floor",
    "ceil",
    "square",
    "neg",
    "abs",
    "sign",
    "elu",
    "hard_swish",
    "gelu",
    "gelu_tanh",
)
_CLAMPS = tuple(name for name in CLAMPS if name != "none")
#: Modelled cycles of a value, of those that are more than a few operations.
_CYCLES = dict.fromkeys(("logistic", "tanh", "exp", "log", "elu", "gelu", "gelu_tanh"), 60.0)
_CYCLES |= dict.fromkeys(("sqrt", "rsqrt"), 50.0) | dict.fromkeys(("sin", "cos"), 80.0)


class UnaryF32(Kernel):
    name = "unary_f32"
    ops = (*_CLAMPS, *_FUNCTIONS[1:-1])
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        op = node.node.op
        bounds = float_bounds(op if op in _CLAMPS else "none")
        params: Params = {
            "size": node.output.elements,
            "function": _FUNCTIONS.index(_function(node)),
            "low": bounds["activation_min"],
            "high": bounds["activation_max"],
            "slope": node.attrs.alpha if op == "leaky_relu" else 0.0,
        }
        return KernelCall(params, tensor_arguments(node, 1))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return _CYCLES.get(node.node.op, 8.0) * node.output.elements


def _function(node: BoundNode) -> str:
    op = node.node.op
    if op == "gelu":
        return "gelu_tanh" if node.attrs.approximate else "gelu"
    return "clamp" if op in _CLAMPS else op


KERNEL = UnaryF32()
