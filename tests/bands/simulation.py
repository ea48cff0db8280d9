"""What a banded layer does to the arena, byte by byte: an independent check of schedule, layout and plan.

Every byte of the arena is nothing, or a byte of some row of some tensor. Calls are taken at their word: they
read the rows that their output's windows need, destroy all of their scratch, and write the output's next
rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mcu_quant.bands.kernel import BandsKernel
from mcu_quant.bands.program import Call, Move, Pointer
from mcu_quant.deployment import Deployment
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import window_padding
from mcu_quant.ops.windows import BandPadding

_NOTHING = -1


class Simulation:
    """wrong: sentences, none if all is right."""

    def __init__(self, deployment: Deployment, index: int) -> None:
        kernel = deployment.kernels[index]
        assert isinstance(kernel, BandsKernel)
        self.kernel, self.plan = kernel, deployment.plan
        self.node = deployment.graph.bind(deployment.graph.nodes[index])
        self.start, self.size = deployment.plan.scratch[index]
        self.nodes = list(self.node.attrs.graph.bound_nodes())
        images = {t.name: t for n in self.nodes for t in (*n.inputs, n.output) if t and not t.is_constant}
        #: Each tensor's bytes are numbered, from here on.
        self.first = dict(zip(images, np.cumsum([0, *(t.bytes for t in images.values())]), strict=False))
        self.made = dict.fromkeys(images, 0)
        self.arena = np.full(deployment.plan.arena_bytes, _NOTHING, np.int64)
        self.wrong: list[str] = []

    def run(self) -> list[str]:
        x, y = self.node.input(0), self.node.output
        self._put(x, 0, x.shape[1], self._address(Pointer("input", 0)))
        for stretch in self.kernel.program:
            for band in range(stretch.count):
                for statement in stretch.statements:
                    if isinstance(statement, Move):
                        self._move(statement)
                    else:
                        self._call(statement, band)
        if self.made[y.name] != y.shape[1]:
            self.wrong.append(f"{self.made[y.name]} rows of {y.shape[1]} are made")
        self._expect(y, 0, y.shape[1], self._address(Pointer("output", 0)), "the result")
        return self.wrong

    def _call(self, call: Call, band: int) -> None:
        whole, part = self.nodes[call.stage], self.kernel.banded.variants[call.stage][call.variant]
        where = {name: self._address(pointer, band) for name, pointer in call.operands}
        first, rows = self.made[whole.output.name], part.output.shape[1]
        reads = list(_rows_read(whole, part, first, rows))
        scratch = self.start + self.kernel.layout.scratch[call.stage]
        size = self.kernel.kernels[call.stage].scratch_bytes(part)
        if scratch + size > self.start + self.size:
            self.wrong.append(f"{whole.name}: scratch ends at {scratch + size}")
        self.arena[scratch : scratch + size] = _NOTHING
        for tensor, start, count in reads:
            self._expect(tensor, start, count, where[tensor.name], f"{whole.name}, input")
        target, bytes_made = where[whole.output.name], _row_bytes(whole.output) * rows
        for tensor, _, count in reads:
            source, bytes_read = where[tensor.name], _row_bytes(tensor) * count
            apart = target + bytes_made <= source or source + bytes_read <= target
            if not apart and not (source == target and self._may_be_in_place(call, part)):
                self.wrong.append(f"{whole.name} writes over {tensor.name} while it reads it")
        if not self._may_write(target, bytes_made):
            self.wrong.append(f"{whole.name} writes at {target}, which is not the layer's")
        self._put(whole.output, first, rows, target)
        self.made[whole.output.name] += rows

    def _may_be_in_place(self, call: Call, part: BoundNode) -> bool:
        """The kernel says so, of an input that rows are read of one by one."""
        distances = self.kernel.kernels[call.stage].overlap(part)
        shapes = {t.shape for t in (*part.inputs, part.output) if t is not None and not t.is_constant}
        return len(shapes) == 1 and any(distance is not None and distance <= 0 for distance in distances)

    def _may_write(self, address: int, size: int) -> bool:
        places = [(self.start, self.size)]
        places += [(self.plan.addresses[t.name], t.bytes) for t in (self.node.output,)]
        return any(start <= address and address + size <= start + length for start, length in places)

    def _move(self, move: Move) -> None:
        source, target = self._address(move.source), self._address(move.target)
        self.arena[target : target + move.bytes] = self.arena[source : source + move.bytes].copy()

    def _address(self, pointer: Pointer, band: int = 0) -> int:
        names = {"input": self.node.input(0).name, "output": self.node.output.name}
        base = self.start if pointer.base == "scratch" else self.plan.addresses[names[pointer.base]]
        return base + pointer.bytes + band * pointer.step

    def _put(self, tensor: Tensor, row: int, rows: int, address: int) -> None:
        size = _row_bytes(tensor)
        begin = self.first[tensor.name] + row * size
        self.arena[address : address + rows * size] = np.arange(begin, begin + rows * size)

    def _expect(self, tensor: Tensor, row: int, rows: int, address: int, what: str) -> None:
        size = _row_bytes(tensor)
        begin = self.first[tensor.name] + row * size
        found = self.arena[address : address + rows * size]
        if len(found) != rows * size or (found != np.arange(begin, begin + rows * size)).any():
            self.wrong.append(f"{what}: rows {row} to {row + rows - 1} of {tensor.name} are not at {address}")


def simulate(deployment: Deployment) -> list[str]:
    """What is wrong with the banded layers of a deployment."""
    indices = [i for i, kernel in enumerate(deployment.kernels) if isinstance(kernel, BandsKernel)]
    return [sentence for index in indices for sentence in Simulation(deployment, index).run()]


def _row_bytes(tensor: Tensor) -> int:
    return tensor.bytes // tensor.shape[1]


def _rows_read(whole: BoundNode, part: BoundNode, first: int, rows: int) -> Iterator[tuple[Tensor, int, int]]:
    """(tensor, first row, rows) that those output rows need; checks what the band's node says of them."""
    for tensor, view in zip(whole.inputs, part.inputs, strict=True):
        if tensor is None or view is None or tensor.is_constant:
            continue
        needed = sorted(set(_taps(whole, tensor.shape[1], first, rows)))
        padding = getattr(part.attrs, "padding", None)
        if isinstance(padding, BandPadding):
            assert padding.rows.before == max(0, -needed[0]), whole.name
            assert padding.rows.output_size == rows, whole.name
        start = max(needed[0], 0)
        assert start + view.shape[1] == min(needed[-1] + 1, tensor.shape[1]), whole.name
        yield tensor, start, view.shape[1]


def _taps(node: BoundNode, height: int, first: int, rows: int) -> list[int]:
    """Input rows, padding included, that the windows of those output rows have."""
    attrs = node.attrs
    if not hasattr(attrs, "padding"):
        return list(range(first, first + rows))
    taps = attrs.filter_size[0] if hasattr(attrs, "filter_size") else node.input(1).shape[1]
    dilation = attrs.dilation[0] if hasattr(attrs, "dilation") else 1
    before, _ = window_padding(attrs.padding, height, taps, attrs.strides[0], dilation)
    return [
        row * attrs.strides[0] - before + tap * dilation
        for row in range(first, first + rows)
        for tap in range(taps)
    ]
