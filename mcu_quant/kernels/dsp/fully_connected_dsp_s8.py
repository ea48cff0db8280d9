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
from mcu_quant.kernels.dsp.linear_assembly_small import small_sweep_body


class FullyConnectedDspS8(Kernel):
    """is_small: the assembly is the same for all shapes."""

    family = "dsp"
    ops = ("fully_connected",)
    function = "fully_connected_dsp_s8"

    def __init__(self, name: str, modes: tuple[str, ...], is_small: bool) -> None:
        self.name = name
        self.modes = modes
        self._is_small = is_small

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
            "pairs": size // 2,
            "input_size": size,
            "output_bytes": padded(units, BLOCK),
            "rows": node.input(0).elements // size,
            "output_size": units,
            **requantization_params(node),
        }
        arguments = (
            Activation(node.input(0).name),
            Constant("blocks", packed_layer(node).blocks(byte_order(size), size // 2)),
            Constant("slow_channels", packed_layer(node).slow_channels(np.arange(size))),
            Scratch(),
            self._assembly(node),
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
        """16 products, a block's end, slow channels: fitted to docs/benchmarks.json."""
        units, size = node.input(1).shape
        rows, packed = node.input(0).elements // size, packed_layer(node)
        block = 21.9 * size / 4 + 37.5 + 18.0 * packed.short.has_steps
        slow = len(packed.slow) * (6.5 * size + 52)
        return 67 + rows * (padded(units, BLOCK) / BLOCK * block + slow)

    def _assembly(self, node: BoundNode) -> Assembly:
        units, size = node.input(1).shape
        short = packed_layer(node).short
        if self._is_small:
            stem, body = "rows", small_sweep_body(False, short)
        else:
            output_bytes = padded(units, BLOCK)
            shape = Shape(size // 2, size, output_bytes, is_expanded=False, by_two=False, may_be_odd=True)
            stem, body = f"rows_{size}x{output_bytes}", sweep_body(shape, short)
        return Assembly(stem, body, DSP_GUARD, f"mq_{self.function}_function_t", f"mq_{self.function}_twin")


KERNEL = FullyConnectedDspS8("fully_connected_dsp_s8", ("time", "balanced"), False)
KERNELS = (KERNEL, FullyConnectedDspS8("fully_connected_dsp_small_s8", ("size",), True))
