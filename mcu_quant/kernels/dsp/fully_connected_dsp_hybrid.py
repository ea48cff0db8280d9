"""Hybrid fully connected layer for the DSP extension: rows in int16 steps, eight units at once."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, KernelCall, Scratch
from mcu_quant.kernels.dsp.assembly_s16 import one_pixel_body, sums_function
from mcu_quant.kernels.dsp.linear import padded
from mcu_quant.kernels.dsp.packed_s16 import TURN, weight_blocks
from mcu_quant.kernels.portable.float_params import float_bounds, float_tables
from mcu_quant.kernels.portable.fully_connected_hybrid import FullyConnectedHybrid

_BLOCK = 8


class FullyConnectedDspHybrid(FullyConnectedHybrid):
    """Goes through rows as the portable kernel does."""

    name = "fully_connected_dsp_hybrid"
    family = "dsp"

    def refusal(self, node: BoundNode) -> str | None:
        return f"its inputs must be a multiple of {TURN}" if node.input(1).shape[1] % TURN else None

    def call(self, node: BoundNode) -> KernelCall:
        _, scale, bias = float_tables(node)
        arguments = (
            Activation(node.input(0).name),
            Constant("blocks", weight_blocks(node, _BLOCK)),
            scale,
            bias,
            Scratch(),
            sums_function("one_pixel", one_pixel_body()),
            Activation(node.output.name),
        )
        return KernelCall(self.sizes(node) | float_bounds(node.attrs.activation), arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        """One row, in int16."""
        return 2 * node.input(1).shape[1]

    def cycles(self, node: BoundNode, core: Core) -> float:
        units, in_size = node.input(1).shape
        rows = node.input(0).elements // in_size
        return rows * (padded(units, _BLOCK) / _BLOCK * (14.0 * in_size + 250) + 35.0 * in_size)


KERNEL = FullyConnectedDspHybrid()
