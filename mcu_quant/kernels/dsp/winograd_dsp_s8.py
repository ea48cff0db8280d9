"""3x3 convolution at stride 1 by Winograd's F(2x2, 3x3), in exact integers: 16 products for 36.

    V = B'dB of a 4x4 patch d,  U = (2G)g(2G)' of a filter g,  4 * outputs = A'[U * V summed over channels]A

With 2G for G all are integers, and the accumulators are exactly four times those of the sum of
products. V and U are int16 (|V| <= 4 * 128, |U| <= 9 * 128). Flash holds U: 32 bytes for every 9
weights, so it is for mode time alone.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Assembly, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.dsp.linear import (
    BLOCK,
    DSP_GUARD,
    byte_order,
    packed_layer,
    padded,
    requantization_params,
)
from mcu_quant.ops.conv_2d import axes_of

_TWICE_G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], np.int64)
#: Positions of a transformed tile.
_POSITIONS = 16
#: The assembly reaches all inputs of a position by offsets from one pointer.
_MOST_CHANNELS = 256


class WinogradDspS8(Kernel):
    name = "winograd_dsp_s8"
    family = "dsp"
    ops = ("conv_2d",)
    modes = ("time",)

    def refusal(self, node: BoundNode) -> str | None:
        outputs, *filter_size, depth = node.input(1).shape
        if filter_size != [3, 3] or any((axis.stride, axis.dilation) != (1, 1) for axis in axes_of(node)):
            return "it is not 3x3 at stride 1"
        if depth != node.input(0).shape[3] or depth % 4 or outputs % BLOCK or depth > _MOST_CHANNELS:
            return "its channels are not whole words, or too many"
        return "its requantization is not proved in the short form" if len(packed_layer(node).slow) else None

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        height, width = axes_of(node)
        requantization = requantization_params(node)
        params = {
            "input_h": x.shape[1],
            "input_w": x.shape[2],
            "channels": x.shape[3],
            "output_h": y.shape[1],
            "output_w": y.shape[2],
            "outputs": y.shape[3],
            "padding_h": height.before,
            "padding_w": width.before,
            "zero_point": x.zero_point,
            "columns": _columns(node),
            **{name: requantization[name] for name in ("shift", "has_steps", "low", "high")},
        }
        arguments = (
            Activation(x.name),
            Constant("weights", _weights(node)),
            Constant("requantization", packed_layer(node).channel_constants(4)),
            Scratch(),
            Assembly(
                stem=f"winograd_{x.shape[3]}",
                body=_products_body(x.shape[3]),
                guard=DSP_GUARD,
                function_type="mq_winograd_dsp_s8_function_t",
                twin="mq_winograd_dsp_s8_twin",
            ),
            Activation(y.name),
        )
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        """Four expanded rows, then two tiles transformed: for each position inputs and sums."""
        channels = node.input(0).shape[3]
        return 4 * 2 * _columns(node) * channels + _POSITIONS * _position_bytes(channels)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """Two output rows are written when the input rows of their windows have been read."""
        height, _ = axes_of(node)
        input_row = node.input(0).bytes // height.input_size
        output_row = node.output.bytes // height.output_size
        distances = [-node.input(0).bytes]
        for row in range(0, height.output_size, 2):
            unread = row + 4 - height.before
            if unread < height.input_size:
                distances.append(min(row + 2, height.output_size) * output_row - unread * input_row)
        return (max(distances), *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        """Tiles times products of a position, output transform, input transform; expansion."""
        channels, outputs = node.input(0).shape[3], node.output.shape[3]
        pairs_of_tiles = -(-node.output.shape[1] // 2) * -(-node.output.shape[2] // 4)
        block = _POSITIONS * (8 * channels + 15) + 450
        return 200 + pairs_of_tiles * (outputs / BLOCK * block + 85 * channels) + 2 * node.input(0).elements


def _columns(node: BoundNode) -> int:
    """Of an expanded row: what whole pairs of tiles read."""
    return padded(node.output.shape[2], 4) + 2


def _position_bytes(channels: int) -> int:
    """Two tiles' inputs as int16, and two times four sums."""
    return 4 * channels + 32


def _weights(node: BoundNode) -> np.ndarray:
    """U: int32 words [blocks, positions, pairs of inputs, 4 outputs], a pair of int16 each."""
    channels = node.input(0).shape[3]
    filters = packed_layer(node).rows.reshape(-1, 3, 3, channels)
    transformed: IntArray = np.einsum("ia,jb,nabc->nijc", _TWICE_G, _TWICE_G, filters)
    ordered = transformed[..., byte_order(channels)].astype(np.int16).astype(np.uint16).astype(np.uint32)
    words = (ordered[..., 0::2] | (ordered[..., 1::2] << 16)).astype(np.uint32)
    blocks = words.reshape(-1, BLOCK, _POSITIONS, channels // 2).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(blocks).view(np.int32).reshape(-1)


_SUMS = ("r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr")


def _products_body(channels: int) -> str:
    """void f(int8_t *tiles, const int32_t *weights, params): all positions of two tiles and a block."""
    lines = [
        "push {r4-r11, lr}",
        "sub sp, sp, #4",
        f"add r2, r0, #{_POSITIONS * _position_bytes(channels) & ~0xFFF}",
        f"addw r2, r2, #{_POSITIONS * _position_bytes(channels) & 0xFFF}",
        "str r2, [sp]",
        "/* r0 position, r1 weights, r2 r3 input pairs of the tiles, r4 r5 weights; sums r6-r9, r10-r12 lr. */",
        "1:",
    ]
    for pair in range(channels // 2):
        lines += _pair(pair, channels)
    lines += [f"str {register}, [r0, #{4 * channels + 4 * i}]" for i, register in enumerate(_SUMS)]
    lines += [
        f"addw r0, r0, #{_position_bytes(channels)}",
        "ldr r2, [sp]",
        "cmp r0, r2",
        "bne 1b",
        "add sp, sp, #4",
        "pop {r4-r11, pc}",
    ]
    return "\n".join(lines)


def _pair(pair: int, channels: int) -> list[str]:
    """Sixteen products; the first pair's start the sums."""

    def product(tile: int, output: int, weights: str) -> str:
        total, x = _SUMS[4 * tile + output], ("r2", "r3")[tile]
        return f"smlad {total}, {x}, {weights}, {total}" if pair else f"smuad {total}, {x}, {weights}"

    return [
        f"ldr r2, [r0, #{4 * pair}]",
        f"ldr r3, [r0, #{4 * pair + 2 * channels}]",
        "ldr r4, [r1], #4",
        "ldr r5, [r1], #4",
        *(product(tile, output, w) for output, w in ((0, "r4"), (1, "r5")) for tile in (0, 1)),
        "ldmia r1!, {r4, r5}",
        *(product(tile, output, w) for output, w in ((2, "r4"), (3, "r5")) for tile in (0, 1)),
    ]


KERNEL = WinogradDspS8()
