"""Plain C mirrored borders of up to five axes, of bytes of whatever type."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.ops.mirror_pad import MAX_AXES


class MirrorPadS8(Kernel):
    name = "mirror_pad_s8"
    ops = ("mirror_pad",)
    forms = ("int8", "int16", "float", "plain")

    def call(self, node: BoundNode) -> KernelCall:
        axes, element_bytes = _axes(node)
        input_size, before, output_size = zip(*axes, strict=True)
        return KernelCall(
            {
                "input_size": input_size,
                "before": before,
                "output_size": output_size,
                "element_bytes": element_bytes,
                "skip_edge": int(node.attrs.mode == "reflect"),
            },
            tensor_arguments(node, 1),
        )

    def cycles(self, node: BoundNode, core: Core) -> float:
        axes, element_bytes = _axes(node)
        rows = node.output.bytes / (axes[-1][2] * element_bytes)
        mirrored = axes[-1][2] - axes[-1][0]
        return rows * (80.0 + 30.0 * mirrored) + 2.0 * node.output.bytes


def _axes(node: BoundNode) -> tuple[list[tuple[int, int, int]], int]:
    """(input's size, padding before it, output's size) of five axes, outermost first; bytes of an element.

    Axes without padding behind all others are part of the element.
    """
    sizes = zip(node.input(0).shape, node.attrs.paddings, node.output.shape, strict=True)
    axes = [(size, before, output_size) for size, (before, _), output_size in sizes]
    element_bytes = node.output.bytes // node.output.elements
    while axes and axes[-1][0] == axes[-1][2]:
        element_bytes *= axes.pop()[0]
    return [(1, 0, 1)] * (MAX_AXES - len(axes)) + axes, element_bytes


KERNEL = MirrorPadS8()
