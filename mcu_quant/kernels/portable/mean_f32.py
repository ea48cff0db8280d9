"""Plain C float mean over one or two runs of axes."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, KernelCall
from mcu_quant.kernels.portable.mean_s8 import MeanS8, five_axes


class MeanF32(MeanS8):
    """Goes through its input as the int8 kernel does."""

    name = "mean_f32"
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        arguments = (Activation(node.input(0).name), Activation(node.output.name))
        return KernelCall(five_axes(node), arguments)


KERNEL = MeanF32()
