"""Fully connected with byte-interleaved weights: one row by eight or four units at once, without scratch.

The inner loop is assembly. It reads the input four int8 at a time, so rows are whole words.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.assembly_cycles import loop_cycles
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
from mcu_quant.kernels.dsp.linear_assembly import LARGEST_IMMEDIATE, Shape, left_turns, sweep_body, turns_of
from mcu_quant.kernels.dsp.linear_assembly_small import small_sweep_body
from mcu_quant.kernels.portable.windows import dense_overlap

#: Cycles of the C, by mode: once, and for each output that goes through scratch.
_SURROUNDINGS = {"time": (15.0, 0.0), "balanced": (45.0, 1.0), "size": (70.0, 8.0)}


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
        return dense_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        """The assembly, counted; C around it that takes a row at a time, fitted to docs/benchmarks.json."""
        units, size = node.input(1).shape
        rows, packed = node.input(0).elements // size, packed_layer(node)
        once, unstaged = _SURROUNDINGS[self.modes[0]]
        total = once + loop_cycles(self._body(node), self._times(node, rows), core)
        total += rows * units * unstaged * (units % BLOCK != 0)
        return total + rows * len(packed.slow) * (8.0 * size + 52)

    def _times(self, node: BoundNode, rows: int) -> dict[int, float]:
        """How often the loops of the assembly run: of all rows, of their blocks, of the blocks' steps."""
        units, size = node.input(1).shape
        block, words = self._block(node), size // 4
        blocks = rows * padded(units, BLOCK) // block
        if self._is_shared(node):
            return {5: rows, 6: blocks, 7: blocks * words}
        if block == WIDE_BLOCK:
            return {1: rows, 2: blocks, 3: blocks * turns_of(words, self._straight_words)[1]}
        return {5: rows, 6: blocks, 7: blocks * left_turns(self._shape(node))[1]}

    def _is_shared(self, node: BoundNode) -> bool:
        """Whether its assembly is that for all shapes."""
        units, size = node.input(1).shape
        return self._straight_words == 0 or units * size < self._few_weights

    def _block(self, node: BoundNode) -> int:
        is_wide = not self._is_shared(node) and padded(node.input(1).shape[0], BLOCK) % WIDE_BLOCK == 0
        return WIDE_BLOCK if is_wide else BLOCK

    def _assembly(self, node: BoundNode) -> Assembly:
        units, size = node.input(1).shape
        stem = "rows" if self._is_shared(node) else f"rows_{size}x{padded(units, BLOCK)}"
        function_type, twin = f"mq_{self.function}_function_t", f"mq_{self.function}_twin"
        return Assembly(stem, self._body(node), DSP_GUARD, function_type, twin)

    def _body(self, node: BoundNode) -> str:
        units, size = node.input(1).shape
        short = packed_layer(node).short
        if self._is_shared(node):
            return small_sweep_body(False, short)
        if self._block(node) == WIDE_BLOCK:
            return wide_rows_body(size, padded(units, BLOCK), self._straight_words, short)
        return sweep_body(self._shape(node), short)

    def _shape(self, node: BoundNode) -> Shape:
        units, size = node.input(1).shape
        return Shape(size // 2, size, padded(units, BLOCK), is_expanded=False, by_two=False, may_be_odd=True)


KERNEL = FullyConnectedDspS8("fully_connected_dsp_s8", "balanced", 3)
KERNELS = (
    KERNEL,
    FullyConnectedDspS8("fully_connected_dsp_fast_s8", "time", 8),
    FullyConnectedDspS8("fully_connected_dsp_small_s8", "size", 0),
)
