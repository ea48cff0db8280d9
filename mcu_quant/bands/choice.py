"""Kernels for the stages of a segment in bands, from the cheapest to those with the least scratch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mcu_quant.bands.kernel import BandsKernel
from mcu_quant.bands.segment import BandedSegment
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel
from mcu_quant.ops.forms import form_of


@dataclass(frozen=True)
class _Option:
    """A stage's kernel, with the cycles of all of its calls and the scratch of one."""

    kernel: Kernel
    cycles: float
    scratch: int


@dataclass(frozen=True)
class KernelChoice:
    """usable: the kernels there are for the core and the mode. optimize: the mode that C is compiled in.

    What is found of a node is remembered.
    """

    core: Core
    usable: Sequence[Kernel]
    optimize: str = "balanced"
    _known: dict[BoundNode, dict[Kernel, tuple[float, int]]] = field(default_factory=dict)

    def kernels(self, banded: BandedSegment) -> Iterator[BandsKernel]:
        """Ways to compute it, each with less scratch than the one before; none if a stage has no kernel."""
        able = [self._able(banded, stage) for stage in range(len(banded.variants))]
        if not all(able):
            return
        chosen = [0] * len(able)
        least = None
        while True:
            options = [choices[i] for choices, i in zip(able, chosen, strict=True)]
            kernel = BandsKernel(banded, [o.kernel for o in options], sum(o.cycles for o in options))
            if least is None or kernel.layout.bytes < least:
                least = kernel.layout.bytes
                yield kernel
            left = [stage for stage, choices in enumerate(able) if chosen[stage] + 1 < len(choices)]
            if not left:
                return
            chosen[max(left, key=lambda stage: options[stage].scratch)] += 1

    def _able(self, banded: BandedSegment, stage: int) -> list[_Option]:
        """For a stage, the cheapest kernel first, the next always with less scratch."""
        facts = [self._facts(node) for node in banded.variants[stage]]
        found = []
        for kernel in self.usable:
            if all(kernel in known for known in facts):
                counted = zip(facts, banded.counts[stage], strict=True)
                cycles = sum(known[kernel][0] * count for known, count in counted)
                found.append(_Option(kernel, cycles, max(known[kernel][1] for known in facts)))
        leaner: list[_Option] = []
        for option in sorted(found, key=lambda option: option.cycles):
            if not leaner or option.scratch < leaner[-1].scratch:
                leaner.append(option)
        return leaner

    def _facts(self, node: BoundNode) -> dict[Kernel, tuple[float, int]]:
        """(modelled cycles, scratch) of each kernel that computes a node."""
        if node not in self._known:
            form = form_of(node)
            kernels = [k for k in self.usable if node.node.op in k.ops and form in k.forms]
            self._known[node] = {
                kernel: (kernel.cycles_in(node, self.core, self.optimize), kernel.scratch_bytes(node))
                for kernel in kernels
                if kernel.refusal(node) is None
            }
        return self._known[node]
