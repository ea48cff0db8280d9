"""What the hybrid kernels share: the tables, and scratch that may take the place of the input."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.portable.float_params import float_bounds, float_tables
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops import OPERATORS


class HybridKernel(Kernel):
    """int8 weights, float32 in and out; the input is quantized into scratch."""

    forms = ("hybrid",)

    def hybrid_call(self, node: BoundNode, params: Params) -> KernelCall:
        """The call; params: all but the bounds of the activation."""
        x, y = Activation(node.input(0).name), Activation(node.output.name)
        params = params | float_bounds(node.attrs.activation)
        return KernelCall(params, (x, *float_tables(node), Scratch(), y))

    def scratch_bytes(self, node: BoundNode) -> int:
        return node.input(0).elements

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """All of the input is read before any output is written."""
        return (0, *(None for _ in node.inputs[1:]))

    def scratch_overlap(self, node: BoundNode) -> int | None:
        """In place: a byte is written where floats were read already, and the input has had its use."""
        return 0

    def cycles(self, node: BoundNode, core: Core) -> float:
        with_fpu = "-mfloat-abi=hard" in core.gcc_flags
        product, conversion = (6.0, 25.0) if with_fpu else (25.0, 400.0)
        if node.node.op == "depthwise_conv_2d":
            product *= 1.5
        values = node.input(0).elements + node.output.elements
        return product * OPERATORS[node.node.op].macs(node) + conversion * values
