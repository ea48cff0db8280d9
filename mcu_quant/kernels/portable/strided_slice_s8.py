"""Plain C slices of up to five axes."""

from __future__ import annotations

import math

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import Params, row_params, row_steps
from mcu_quant.ops.base import Shape
from mcu_quant.ops.strided_slice import MAX_AXES, StridedSliceAttrs


class StridedSliceS8(Kernel):
    name = "strided_slice_s8"
    ops = ("strided_slice",)

    def call(self, node: BoundNode) -> KernelCall:
        attrs: StridedSliceAttrs = node.attrs
        shape = node.input(0).shape
        elements = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        sizes, strides = _merged(attrs, elements)
        begin = sum(first * element for first, element in zip(attrs.begin, elements, strict=True))
        params: Params = {"begin": begin} | row_params(sizes)
        params |= {"steps": row_steps(sizes, strides), "stride": strides[-1]}
        return KernelCall(params, (Activation(node.input(0).name), Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        # With no stride negative, an element never lies before its place in the output.
        return (0 if min(node.attrs.strides) > 0 else None,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 6.0 * node.output.elements


def _merged(attrs: StridedSliceAttrs, elements: list[int]) -> tuple[Shape, Shape]:
    """(sizes, strides in elements) of MAX_AXES axes; neighbours that are evenly spaced together are one."""
    axes: list[tuple[int, int]] = []
    for size, stride, element in zip(attrs.sizes, attrs.strides, elements, strict=True):
        if size == 1:
            continue
        if axes and axes[-1][1] == size * stride * element:
            axes[-1] = (axes[-1][0] * size, stride * element)
        else:
            axes.append((size, stride * element))
    axes = [(1, 0)] * (MAX_AXES - len(axes)) + axes
    sizes, strides = zip(*axes, strict=True)
    return sizes, strides


KERNEL = StridedSliceS8()
