"""Convolution (and fully connected) with byte-interleaved weights: two pixels by four channels at once.

The input of a strip of pixels is expanded to int16 in scratch; the inner loop is assembly.
"""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Assembly, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.dsp.convolution_cycles import SURROUNDINGS, surrounding_cycles, sweeps_cycles
from mcu_quant.kernels.dsp.expansion import expand_assembly
from mcu_quant.kernels.dsp.linear import (
    BLOCK,
    DSP_GUARD,
    packed_layer,
    padded,
    requantization_params,
)
from mcu_quant.kernels.dsp.linear_assembly import (
    Shape,
    best_straight_pairs,
    sweep_body,
    two_pixels_fit,
)
from mcu_quant.kernels.dsp.linear_assembly_small import small_sweep_body
from mcu_quant.kernels.dsp.patches import Geometry, geometry

#: The largest patch, in bytes: offsets in the assembly are below 2**20.
_LARGEST_PATCH = 1 << 16


class Conv2DDspS8(Kernel):
    """flat_bytes: how large the patch of a 1x1 convolution may be. byte_worth: instructions that may be spent
    to save a byte of code; None for the assembly that is the same for all shapes. few_products: layers that
    have fewer share that assembly, too (a 32nd where there is one pixel: it serves them worst, and their own
    would be short).
    """

    family = "dsp"
    ops = ("conv_2d", "fully_connected")
    function = "conv_2d_dsp_s8"

    def __init__(
        self, name: str, mode: str, *, flat_bytes: int, byte_worth: float | None, few_products: int = 100_000
    ) -> None:
        self.name = name
        self.modes = (mode,)
        self._flat_bytes = flat_bytes
        self._byte_worth = byte_worth
        self._few_products = few_products

    def refusal(self, node: BoundNode) -> str | None:
        if node.node.op == "conv_2d" and node.input(1).shape[3] != node.input(0).shape[3]:
            return "it has groups"
        if node.node.op == "fully_connected" and node.input(1).shape[1] % 4 == 0:
            return "its inputs are whole words, so that it needs no scratch"
        if 2 * self._geometry(node).patch_elements(2) > _LARGEST_PATCH:
            return "its windows are too large to be expanded"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        layout = self._geometry(node)
        height, width = layout.height, layout.width
        requantization = requantization_params(node)
        params = {
            "pairs": self._pairs(layout),
            "pixel_step": layout.pixel_step,
            "output_bytes": padded(layout.outputs, BLOCK),
            "shift": requantization.pop("shift"),
            "input_h": height.input_size,
            "input_w": width.input_size,
            "channels": layout.channels,
            "filter_h": height.filter_size,
            "filter_w": width.filter_size,
            "output_h": height.output_size,
            "output_w": width.output_size,
            "outputs": layout.outputs,
            "stride_h": height.stride,
            "stride_w": width.stride,
            "dilation_h": height.dilation,
            "dilation_w": width.dilation,
            "padding_h": height.before,
            "padding_w": width.before,
            "zero_point": node.input(0).zero_point,
            "strip": layout.strip,
            "shares_columns": int(layout.shares_columns),
            "is_flat": int(layout.is_flat),
            "staging": 2 * layout.patch_elements(layout.strip),
            **requantization,
        }
        return KernelCall(
            params,
            (
                Activation(node.input(0).name),
                Constant("blocks", packed_layer(node).blocks(layout.order(), self._pairs(layout))),
                Constant("slow_channels", packed_layer(node).slow_channels(layout.order())),
                Scratch(),
                expand_assembly(),
                self._assembly(layout, node),
                Activation(node.output.name),
            ),
        )

    def scratch_bytes(self, node: BoundNode) -> int:
        """The patch of a strip, and its outputs if they are not whole blocks."""
        layout = self._geometry(node)
        staged = 0 if layout.outputs % BLOCK == 0 else layout.strip * padded(layout.outputs, BLOCK)
        return 2 * layout.patch_elements(layout.strip) + staged

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (self._geometry(node).overlap(node), *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        layout = self._geometry(node)
        shape = self._shape(layout, padded(layout.outputs, BLOCK)) if self._straight_pairs(layout) else None
        body = self._body(layout, node)
        around = SURROUNDINGS[self.modes[0]]
        return sweeps_cycles(layout, body, shape, self._pairs(layout), core) + surrounding_cycles(
            layout, len(packed_layer(node).slow), around, core
        )

    def _geometry(self, node: BoundNode) -> Geometry:
        return geometry(node, self._flat_bytes)

    def _straight_pairs(self, layout: Geometry) -> int:
        """How many steps of the inner loop are written out; 0 for the function for all shapes."""
        products = layout.pixels * layout.window * layout.outputs
        few = self._few_products if layout.pixels > 1 else self._few_products // 32
        if self._byte_worth is None or products < few:
            return 0
        blocks = layout.pixels / 2 * padded(layout.outputs, BLOCK) / BLOCK
        return best_straight_pairs(padded(layout.window, 2) // 2, blocks, self._byte_worth)

    def _pairs(self, layout: Geometry) -> int:
        return padded(layout.window, 2 if self._straight_pairs(layout) else 4) // 2

    def _assembly(self, layout: Geometry, node: BoundNode) -> Assembly:
        stem = f"sweep_{layout.window}x{padded(layout.outputs, BLOCK)}"
        return Assembly(
            stem if self._straight_pairs(layout) else "sweep",
            self._body(layout, node),
            DSP_GUARD,
            f"mq_{self.function}_function_t",
            f"mq_{self.function}_twin",
        )

    def _body(self, layout: Geometry, node: BoundNode) -> str:
        short = packed_layer(node).short
        if self._straight_pairs(layout):
            return sweep_body(self._shape(layout, padded(layout.outputs, BLOCK)), short)
        return small_sweep_body(True, short)

    def _shape(self, layout: Geometry, output_bytes: int) -> Shape:
        pairs, pixel_bytes = self._pairs(layout), 2 * layout.pixel_step
        by_two = layout.strip > 1 and two_pixels_fit(pairs, pixel_bytes, output_bytes)
        return Shape(
            pairs,
            pixel_bytes,
            output_bytes,
            is_expanded=True,
            by_two=by_two,
            may_be_odd=not by_two or layout.has_odd_strips,
            straight_pairs=self._straight_pairs(layout),
        )


KERNEL = Conv2DDspS8("conv_2d_dsp_s8", "balanced", flat_bytes=256, byte_worth=4)
KERNELS = (
    KERNEL,
    Conv2DDspS8("conv_2d_dsp_fast_s8", "time", flat_bytes=3072, byte_worth=4),
    Conv2DDspS8("conv_2d_dsp_small_s8", "size", flat_bytes=256, byte_worth=None),
)
