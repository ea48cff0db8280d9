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
from mcu_quant.kernels.dsp.expansion import expand_assembly
from mcu_quant.kernels.dsp.linear import (
    BLOCK,
    DSP_GUARD,
    byte_order,
    packed_layer,
    padded,
    requantization_params,
)
from mcu_quant.kernels.dsp.winograd_assembly import (
    MOST_CHANNELS,
    MOST_OUTPUTS,
    POSITIONS,
    outputs_body,
    position_bytes,
    products_body,
)
from mcu_quant.ops.conv_2d import axes_of

_TWICE_G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], np.int64)


class WinogradDspS8(Kernel):
    name = "winograd_dsp_s8"
    family = "dsp"
    ops = ("conv_2d",)
    modes = ("time",)

    def refusal(self, node: BoundNode) -> str | None:
        outputs, *filter_size, depth = node.input(1).shape
        if filter_size != [3, 3] or any((axis.stride, axis.dilation) != (1, 1) for axis in axes_of(node)):
            return "it is not 3x3 at stride 1"
        if depth != node.input(0).shape[3] or depth % 4 or outputs % BLOCK:
            return "its channels are not whole words"
        if depth > MOST_CHANNELS or outputs > MOST_OUTPUTS or outputs * node.output.shape[2] >= 1 << 20:
            return "its rows are too long for the assembly"
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
            expand_assembly(),
            *_assembly(node),
            Activation(y.name),
        )
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        """Four expanded rows, then two tiles transformed: for each position inputs and sums."""
        channels = node.input(0).shape[3]
        return 4 * 2 * _columns(node) * channels + POSITIONS * position_bytes(channels)

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
        block = POSITIONS * (8 * channels + 15) + 600
        return 200 + pairs_of_tiles * (outputs / BLOCK * block + 150 * channels) + 2 * node.input(0).elements


def _assembly(node: BoundNode) -> tuple[Assembly, Assembly]:
    """Products, and outputs."""
    channels, outputs = node.input(0).shape[3], node.output.shape[3]
    row_bytes = node.output.shape[2] * outputs
    products = Assembly(
        f"winograd_products_{channels}",
        products_body(channels),
        DSP_GUARD,
        "mq_winograd_dsp_s8_products_function_t",
        "mq_winograd_dsp_s8_products_twin",
    )
    tiles = Assembly(
        f"winograd_outputs_{channels}x{outputs}",
        outputs_body(channels, outputs, row_bytes, packed_layer(node).short),
        DSP_GUARD,
        "mq_winograd_dsp_s8_outputs_function_t",
        "mq_winograd_dsp_s8_outputs_twin",
    )
    return products, tiles


def _columns(node: BoundNode) -> int:
    """Of an expanded row: what whole pairs of tiles read."""
    return padded(node.output.shape[2], 4) + 2


def _weights(node: BoundNode) -> np.ndarray:
    """U: int32 words [blocks, positions, pairs of inputs, 4 outputs], a pair of int16 each."""
    channels = node.input(0).shape[3]
    filters = packed_layer(node).rows.reshape(-1, 3, 3, channels)
    transformed: IntArray = np.einsum("ia,jb,nabc->nijc", _TWICE_G, _TWICE_G, filters)
    ordered = transformed[..., byte_order(channels)].astype(np.int16).astype(np.uint16).astype(np.uint32)
    words = (ordered[..., 0::2] | (ordered[..., 1::2] << 16)).astype(np.uint32)
    blocks = words.reshape(-1, BLOCK, POSITIONS, channels // 2).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(blocks).view(np.int32).reshape(-1)


KERNEL = WinogradDspS8()
