"""What the transpose_conv kernels share: sizes, how far the output may reach, what the loops take."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.portable.loop_costs import AT_ONCE, LoopCosts
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.transpose_conv import axes_of


def transposed_params(node: BoundNode) -> Params:
    """The sizes, from input_h to padding_w, in the order of the C structs."""
    x, y, weights = node.input(0), node.output, node.input(1)
    height, width = axes_of(node)
    return {
        "input_h": x.shape[1],
        "input_w": x.shape[2],
        "input_channels": x.shape[3],
        "filter_h": weights.shape[1],
        "filter_w": weights.shape[2],
        "output_h": y.shape[1],
        "output_w": y.shape[2],
        "output_channels": y.shape[3],
        "stride_h": height.stride,
        "stride_w": width.stride,
        "padding_h": height.before,
        "padding_w": width.before,
    }


def transposed_overlap(node: BoundNode) -> tuple[int | None, ...]:
    """Kernel.overlap: while output row y is written, and later, input rows are read from the first on that
    any tap of y reads.
    """
    height, _ = axes_of(node)
    input_row = node.input(0).bytes // height.input_size
    output_row = node.output.bytes // height.output_size
    least = max(
        (row + 1) * output_row
        - _first_input(row + height.before, height.filter_size, height.stride) * input_row
        for row in range(height.output_size)
    )
    return (least, *(None for _ in node.inputs[1:]))


def _first_input(place: int, taps: int, stride: int) -> int:
    """The first input that an output reads, at `place` from where the first input's filter begins."""
    return max(-(-(place - taps + 1) // stride), 0)


def transposed_cycles(node: BoundNode, costs: LoopCosts) -> float:
    """As a convolution whose taps are runs of their own. LoopCosts.row is what a run takes."""
    height, width = axes_of(node)
    taps = height.products() * width.products()
    _, output_h, output_w, outputs = node.output.shape
    fours, lone = divmod(outputs, AT_ONCE)
    products = costs.product * AT_ONCE * fours + costs.lone_product * lone
    total = output_h * output_w * (costs.pixel + costs.output * outputs)
    return total + taps * (costs.row * (fours + lone) + node.input(0).shape[3] * products)
