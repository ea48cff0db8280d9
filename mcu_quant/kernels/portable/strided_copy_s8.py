"""Plain C for all that only moves elements: runs of bytes that lie together, copied one by one."""

from __future__ import annotations

import math
from typing import ClassVar

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.walk import Params, row_params, row_steps
from mcu_quant.ops.mover import MAX_AXES, Path, path_of


class StridedCopyS8(Kernel):
    name = "strided_copy_s8"
    ops = ("strided_slice", "transpose", "broadcast_to", "copy")
    forms: ClassVar[tuple[str, ...]] = ("int8", "int16", "float", "plain")

    def call(self, node: BoundNode) -> KernelCall:
        path, run = _in_bytes(node)
        return KernelCall(walk_of(path) | {"run": run}, tensor_arguments(node, 1))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """When a run is read, all of the output before its place is written: the worst run decides.

        How far its place lies behind it is a sum over the axes, so each axis has its own worst end.
        """
        path, run = _in_bytes(node)
        worst = -path.begin
        for axis, (size, stride) in enumerate(zip(path.sizes, path.strides, strict=True)):
            place = math.prod(path.sizes[axis + 1 :]) * run
            worst += (size - 1) * max(0, place - stride)
        return (max(0, worst),)

    def cycles(self, node: BoundNode, core: Core) -> float:
        path, run = _in_bytes(node)
        each = 2.0 + 4.0 * run if run < 8 else 30.0 + run
        return math.prod(path.sizes) * each + 12.0 * math.prod(path.sizes[:-1])


def walk_of(path: Path) -> Params:
    """begin, rows, columns, sizes, steps and stride."""
    params: Params = {"begin": path.begin} | row_params(path.sizes)
    return params | {"steps": row_steps(path.sizes, path.strides), "stride": path.strides[-1]}


def along_all_axes(path: Path) -> Path:
    """The same with axes of size 1 in front, MAX_AXES in all."""
    missing = MAX_AXES - len(path.sizes)
    return Path(path.begin, (1,) * missing + path.sizes, (0,) * missing + path.strides)


def _in_bytes(node: BoundNode) -> tuple[Path, int]:
    """(the path of runs along MAX_AXES axes, strides in bytes; the bytes of a run)."""
    path, elements = path_of(node).in_runs()
    width = node.input(0).bytes // node.input(0).elements
    strides = tuple(stride * width for stride in path.strides)
    return along_all_axes(Path(path.begin * width, path.sizes, strides)), elements * width


KERNEL = StridedCopyS8()
