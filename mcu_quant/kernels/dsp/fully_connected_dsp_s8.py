"""Fully connected with byte-interleaved weights: one row by eight or four units at once, without scratch.

The inner loop is assembly. It reads the input four int8 at a time, so rows are whole words.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Assembly, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.dsp.fully_connected_assembly import WIDE_BLOCK, wide_rows_body
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
    """straight_words: words of input whose products are written out in a loop's turn; 0 for the assembly that
    is the same for all shapes. few_weights: layers that have fewer share that assembly, too.
    """

    family = "dsp"
    ops = ("fully_connected",)
    function = "fully_connected_dsp_s8"

    def __init__(self, name: str, mode: str, straight_words: int, few_weights: int = 4096) -> None:
        self.name = name
        self.modes = (mode,)
        self._straight_words = straight_words
        self._few_weights = few_weights

    def refusal(self, node: BoundNode) -> str | None:
        units, size = node.input(1).shape
        if size % 4:
            return "its inputs are not whole words"
        if max(size, units + BLOCK) > LARGEST_IMMEDIATE:
            return "its rows are too long for the assembly"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        units, size = node.input(1).shape
        requantization = requantization_params(node)
        params = {
            "pairs": size // 2,
            "input_size": size,
            "output_bytes": padded(units, BLOCK),
            "shift": requantization.pop("shift"),
            "block": self._block(node),
            "rows": node.input(0).elements // size,
            "output_size": units,
            **requantization,
        }
        arguments = (
            Activation(node.input(0).name),
            Constant("blocks", packed_layer(node).blocks(byte_order(size), size // 2, self._block(node))),
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
        """Four inputs by four units, a block's end, slow channels: fitted to docs/benchmarks.json."""
        units, size = node.input(1).shape
        rows, packed = node.input(0).elements // size, packed_layer(node)
        step = 19.6 + 3 / self._straight_words if self._block(node) == WIDE_BLOCK else 21.9
        block = step * size / 4 + 37.5 + 18.0 * packed.short.has_steps
        slow = len(packed.slow) * (6.5 * size + 52)
        return 67 + rows * (padded(units, BLOCK) / BLOCK * block + slow)

    def _is_shared(self, node: BoundNode) -> bool:
        """Whether its assembly is that for all shapes."""
        units, size = node.input(1).shape
        return self._straight_words == 0 or units * size < self._few_weights

    def _block(self, node: BoundNode) -> int:
        is_wide = not self._is_shared(node) and padded(node.input(1).shape[0], BLOCK) % WIDE_BLOCK == 0
        return WIDE_BLOCK if is_wide else BLOCK

    def _assembly(self, node: BoundNode) -> Assembly:
        units, size = node.input(1).shape
        short, output_bytes = packed_layer(node).short, padded(units, BLOCK)
        if self._is_shared(node):
            stem, body = "rows", small_sweep_body(False, short)
        elif self._block(node) == WIDE_BLOCK:
            stem = f"rows_{size}x{output_bytes}"
            body = wide_rows_body(size, output_bytes, self._straight_words, short)
        else:
            shape = Shape(size // 2, size, output_bytes, is_expanded=False, by_two=False, may_be_odd=True)
            stem, body = f"rows_{size}x{output_bytes}", sweep_body(shape, short)
        return Assembly(stem, body, DSP_GUARD, f"mq_{self.function}_function_t", f"mq_{self.function}_twin")


KERNEL = FullyConnectedDspS8("fully_connected_dsp_s8", "balanced", 3)
KERNELS = (
    KERNEL,
    FullyConnectedDspS8("fully_connected_dsp_fast_s8", "time", 8),
    FullyConnectedDspS8("fully_connected_dsp_small_s8", "size", 0),
)
