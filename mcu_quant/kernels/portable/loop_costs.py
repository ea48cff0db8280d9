"""What the portable kernels' loops take, by core and mode: fitted to the published models.

On Thumb-1 cores to Cortex-M0+, on all others to M3 and M4 (which differ by some 8 %). Per mode, because the
compiler inlines sizes in "time", and optimizes for size in "size".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core
from mcu_quant.ops.conv_2d import axes_of

#: Output channels that are computed at once where there are as many (MQ_DOT_OUTPUTS).
AT_ONCE = 4


@dataclass(frozen=True)
class LoopCosts:
    """Cycles of an output pixel, of an output, of a row of taps (of up to four outputs at once), of a product
    of four outputs at once, and of one of a single output. A row can be below 0 where it is unrolled.
    """

    pixel: float
    output: float
    row: float
    product: float
    lone_product: float


def is_thumb1(core: Core) -> bool:
    return "thumb1" in core.families


#: is_thumb1 -> mode -> costs.
DEPTHWISE: Mapping[bool, Mapping[str, LoopCosts]] = {
    True: {
        "time": LoopCosts(158, 140, 7, 11.8, 13),
        "balanced": LoopCosts(279, 166, 50, 11.3, 26.5),
        "size": LoopCosts(347, 226, 63, 18.5, 47),
    },
    False: {
        "time": LoopCosts(42, 53, -10, 9.3, 13),
        "balanced": LoopCosts(115, 69, 28, 8.2, 17),
        "size": LoopCosts(161, 110, 40, 10.2, 29),
    },
}
LINEAR: Mapping[bool, Mapping[str, LoopCosts]] = {
    True: {
        "time": LoopCosts(360, 126, 64, 7.5, 9.9),
        "balanced": LoopCosts(1413, 151, 103, 8.0, 8.7),
        "size": LoopCosts(1335, 180, 107, 11.6, 18.4),
    },
    False: {
        "time": LoopCosts(100, 44, 31, 4.9, 9.0),
        "balanced": LoopCosts(737, 62, 66, 5.1, 8.0),
        "size": LoopCosts(909, 77, 78, 7.3, 12.4),
    },
}
#: Of the products of two matrices, and of transposed convolutions (a row is a tap): fitted on Cortex-M4.
MATRICES: Mapping[bool, Mapping[str, LoopCosts]] = {
    True: LINEAR[True],
    False: {
        "time": LoopCosts(0, 32, 26, 5.05, 10.9),
        "balanced": LoopCosts(0, 31, 28, 5.05, 10.9),
        "size": LoopCosts(0, 42, 40, 6.1, 12.4),
    },
}
TRANSPOSED: Mapping[bool, Mapping[str, LoopCosts]] = {
    True: LINEAR[True],
    False: {
        "time": LoopCosts(460, 34, 4, 4.7, 6),
        "balanced": LoopCosts(460, 33, 4, 4.7, 6),
        "size": LoopCosts(560, 42, 8, 5.9, 8),
    },
}
#: An element of a sum.
SUM: Mapping[bool, Mapping[str, float]] = {
    True: {"time": 197, "balanced": 345, "size": 452},
    False: {"time": 51, "balanced": 112, "size": 178},
}


def window_cycles(node: BoundNode, channels: int, at_once: bool, costs: LoopCosts) -> float:
    """Of a convolution whose taps are those inside the input. channels: of a tap, for each output.

    at_once: outputs go four at a time, as far as there are four.
    """
    height, width = axes_of(node)
    rows, taps = height.products(), width.products()
    _, output_h, output_w, outputs = node.output.shape
    fours = outputs // AT_ONCE if at_once else 0
    lone = outputs - AT_ONCE * fours
    products = costs.product * AT_ONCE * fours + costs.lone_product * lone
    total = output_h * output_w * (costs.pixel + costs.output * outputs)
    return total + rows * (output_w * costs.row * (fours + lone) + taps * channels * products)


def row_cycles(rows: int, size: int, outputs: int, costs: LoopCosts) -> float:
    """Of a fully connected layer."""
    fours, lone = divmod(outputs, AT_ONCE)
    products = costs.product * AT_ONCE * fours + costs.lone_product * lone
    return rows * (costs.output * outputs + costs.row * (fours + lone) + size * products)
