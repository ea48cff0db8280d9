"""Fully connected of int16 for the DSP extension: eight units of a row at once, without scratch."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.dsp.assembly_s16 import one_pixel_body, sums_function
from mcu_quant.kernels.dsp.linear import padded
from mcu_quant.kernels.dsp.packed_s16 import TURN, packed_s16, refusal_s16
from mcu_quant.kernels.portable.fully_connected_s16 import KERNEL as PORTABLE
from mcu_quant.kernels.portable.walk import Params

_BLOCK = 8


class FullyConnectedDspS16(Kernel):
    name = "fully_connected_dsp_s16"
    family = "dsp"
    ops = ("fully_connected",)
    forms = ("int16",)

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(1).shape[1] % TURN:
            return f"its inputs must be a multiple of {TURN}"
        return refusal_s16(node)

    def call(self, node: BoundNode) -> KernelCall:
        x = node.input(0)
        units, in_size = node.input(1).shape
        packed = packed_s16(node)
        params: Params = {
            "rows": x.elements // in_size,
            "input_size": in_size,
            "output_size": units,
            **packed.params(),
        }
        arguments = (
            Activation(x.name),
            Constant("blocks", packed.blocks(_BLOCK)),
            *packed.constants(),
            sums_function("one_pixel", one_pixel_body()),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """While it writes a row of the output it still reads that row of the input."""
        return PORTABLE.overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        units, in_size = node.input(1).shape
        rows = node.input(0).elements // in_size
        return rows * padded(units, _BLOCK) / _BLOCK * (14.0 * in_size + 180)


KERNEL = FullyConnectedDspS16()
