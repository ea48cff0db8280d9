"""Plain C for all that only moves elements: runs of bytes that lie together, copied one by one."""

from __future__ import annotations

import math

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import Params, row_params, row_steps
from mcu_quant.ops.mover import MAX_AXES, Path, path_of


class StridedCopy(Kernel):
    name = "strided_copy"
    ops = ("strided_slice", "transpose", "broadcast_to")
    forms = ("int8", "int16", "float", "plain")

    def call(self, node: BoundNode) -> KernelCall:
        path, run = _in_bytes(node)
        params: Params = {"begin": path.begin} | row_params(path.sizes)
        params |= {
            "steps": row_steps(path.sizes, path.strides),
            "stride": path.strides[-1],
            "run": run,
        }
        return KernelCall(params, (Activation(node.input(0).name), Activation(node.output.name)))

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
        runs = math.prod(path.sizes)
        each = 6.0 if run in (1, 2, 4) else 4.0 + 4.0 * run if run < 8 else 30.0 + run
        return runs * each + 12.0 * math.prod(path.sizes[:-1])


def _in_bytes(node: BoundNode) -> tuple[Path, int]:
    """(MAX_AXES axes, strides in bytes, and the bytes of a run)."""
    path, elements = path_of(node).in_runs()
    width = node.input(0).bytes // node.input(0).elements
    missing = MAX_AXES - len(path.sizes)
    sizes = (1,) * missing + path.sizes
    strides = (0,) * missing + tuple(stride * width for stride in path.strides)
    return Path(path.begin * width, sizes, strides), elements * width


KERNEL = StridedCopy()
