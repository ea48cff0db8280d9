"""A segment in bands as a kernel: what the planner asks of one, and its program for the code generator."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from mcu_quant.bands.layout import Layout, lay_out
from mcu_quant.bands.program import Move, Stretch, program_of
from mcu_quant.bands.segment import BandedSegment
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall
from mcu_quant.ops.bands import BANDS

#: Modelled cycles of a memmove: some to call it, and a word in this many for a byte.
_MOVE_CYCLES, _MOVE_CYCLES_PER_BYTE = 40.0, 0.75


class BandsKernel(Kernel):
    """kernels: one per stage of the segment, each able to compute all of its variants.

    call_cycles: modelled, of all their calls in all bands.
    """

    name = "bands"
    ops = (BANDS.name,)
    begins_inside = True

    def __init__(self, banded: BandedSegment, kernels: Sequence[Kernel], call_cycles: float) -> None:
        self.banded, self.kernels = banded, tuple(kernels)
        self._call_cycles = call_cycles

    @property
    def parts(self) -> tuple[Kernel, ...]:
        return self.kernels

    @cached_property
    def layout(self) -> Layout:
        return lay_out(self.banded, self.kernels)

    @cached_property
    def program(self) -> tuple[Stretch, ...]:
        return tuple(program_of(self.banded, self.layout))

    def call(self, node: BoundNode) -> KernelCall:
        raise NotImplementedError("bands are a program, not one call")

    def calls(self, node: BoundNode) -> tuple[KernelCall, ...]:
        """Of each stage's variants."""
        stages = zip(self.kernels, self.banded.variants, strict=True)
        return tuple(kernel.call(variant) for kernel, variants in stages for variant in variants)

    def scratch_bytes(self, node: BoundNode) -> int:
        return self.layout.bytes

    def scratch_overlap(self, node: BoundNode) -> int:
        return self.layout.scratch_distance

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (self.layout.output_distance,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self._call_cycles + sum(
            stretch.count * (_MOVE_CYCLES + _MOVE_CYCLES_PER_BYTE * statement.bytes)
            for stretch in self.program
            for statement in stretch.statements
            if isinstance(statement, Move)
        )
