"""Fully connected with byte-interleaved weights: one row by four units at once, without scratch.

The inner loop is assembly. It reads the input four int8 at a time, so rows are whole words.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Assembly, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.dsp.linear import (
    BLOCK,
    DSP_GUARD,
    byte_order,
    packed_layer,
    padded,
    requantization_params,
)
from mcu_quant.kernels.dsp.linear_assembly import LARGEST_IMMEDIATE, Shape, sweep_body


class FullyConnectedDspS8(Kernel):
    name = "fully_connected_dsp_s8"
    family = "dsp"
    ops = ("fully_connected",)

    def refusal(self, node: BoundNode) -> str | None:
        units, size = node.input(1).shape
        if size % 4:
            return "its inputs are not whole words"
        if max(size, units + BLOCK) > LARGEST_IMMEDIATE:
            return "its rows are too long for the assembly"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        units, size = node.input(1).shape
        params = {
            "rows": node.input(0).elements // size,
            "input_size": size,
            "output_size": units,
            **requantization_params(node),
        }
        arguments = (
            Activation(node.input(0).name),
            Constant("blocks", packed_layer(node).blocks(byte_order(size))),
            Constant("slow_channels", packed_layer(node).slow_channels(np.arange(size))),
            Scratch(),
            _assembly(node),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        """A row of outputs that are not whole blocks."""
        units = node.input(1).shape[0]
        return padded(units, BLOCK) if units % BLOCK else 0

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """While it writes row r of the output it still reads row r of the input."""
        units, size = node.input(1).shape
        rows = node.input(0).elements // size
        least = max((row + 1) * units - row * size for row in (0, rows - 1))
        return (least, *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        """KERNELS.md's model: 21 cycles for 16 products, a block's end, a row."""
        units, size = node.input(1).shape
        rows = node.input(0).elements // size
        slow = len(packed_layer(node).slow) * (6 * size + 40)
        return 40 + rows * (30 + padded(units, BLOCK) / BLOCK * (21 * size / 4 + 30) + slow)


def _assembly(node: BoundNode) -> Assembly:
    units, size = node.input(1).shape
    shape = Shape(
        pairs=size // 2,
        pixel_bytes=size,
        output_bytes=padded(units, BLOCK),
        is_expanded=False,
        by_two=False,
        may_be_odd=True,
    )
    return Assembly(
        stem=f"rows_{size}x{shape.output_bytes}",
        body=sweep_body(shape, packed_layer(node).short),
        guard=DSP_GUARD,
        function_type="mq_fully_connected_dsp_s8_function_t",
        twin="mq_fully_connected_dsp_s8_twin",
    )


KERNEL = FullyConnectedDspS8()
