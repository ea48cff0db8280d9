"""Depthwise convolution on planes of int16 with SMLAD (Cortex-M4, M7, M33).

depthwise_geometry.py has the way through the image, depthwise_table.py the proven arithmetic,
depthwise_planes.py and depthwise_rows.py the assembly.
"""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Assembly, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.dsp.depthwise_geometry import GROUP, MAX_OFFSET, Geometry, choose_geometry
from mcu_quant.kernels.dsp.depthwise_outputs import Requantization, filter_words
from mcu_quant.kernels.dsp.depthwise_planes import PlanesCode, planes_code
from mcu_quant.kernels.dsp.depthwise_rows import RowsCode, rows_code
from mcu_quant.kernels.dsp.depthwise_table import ChannelConstants, channel_table, requantization

_GUARD = "defined(__ARM_FEATURE_DSP)"
#: A channel's words are copied to the stack.
_MAX_WORDS = 64


class DepthwisePlanarS8(Kernel):
    """plane_bytes, band_bytes: what planes may take; and what they, and the distance between input and
    output where there is one, may take together. group_bytes: more than that, and planes are made one by one
    (None: never). outputs, pairs: how many of them loops have at most;
    line_outputs, line_pairs: if there is but one line.
    c_cycles: what C takes around the assembly, for a band, for a group of channels where all rows are one
    band, for a line that is kept or padding, for a word of it, for a pair of pixels of a channel that is
    alone; fitted to docs/benchmarks.json on Cortex-M4 (in mode "time" it is inlined).
    """

    function = "depthwise_planar_s8"
    family = "dsp"
    ops = ("depthwise_conv_2d",)

    def __init__(
        self,
        name: str,
        modes: tuple[str, ...],
        *,
        plane_bytes: int,
        band_bytes: int,
        group_bytes: int | None,
        outputs: int,
        line_outputs: int,
        pairs: int,
        line_pairs: int,
        c_cycles: tuple[float, float, float, float, float],
    ) -> None:
        self.name, self.modes = name, modes
        self._limits = (plane_bytes, band_bytes, group_bytes)
        self._outputs, self._line_outputs = outputs, line_outputs
        self._pairs, self._line_pairs = pairs, line_pairs
        self._c_cycles = c_cycles

    def refusal(self, node: BoundNode) -> str | None:
        geometry = self._geometry(node)
        if filter_words(geometry.across.filter_size) * geometry.filter_rows > _MAX_WORDS:
            return "the filter must be small"
        if geometry.plane_bytes * GROUP > MAX_OFFSET:  # the functions are rendered for four planes, always
            return "lines must be short"
        if geometry.output_channels > MAX_OFFSET // 2:
            return "there must not be so many channels"
        if requantization(node) is None:
            return "no short requantization is exact for all channels"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        geometry = self._geometry(node)
        how, constants = _proven(node)
        x, y, across = node.input(0), node.output, geometry.across
        params = {
            "input_rows": geometry.rows.input_size,
            "input_row": geometry.columns.input_size * geometry.channels,
            "channels": geometry.channels,
            "multiplier": geometry.multiplier,
            "output_rows": geometry.rows.output_size,
            "output_row": geometry.columns.output_size * geometry.output_channels,
            "stride": geometry.rows.stride,
            "padding": geometry.rows.before,
            "band": geometry.band,
            "is_line": int(geometry.line),
            "by_channel": int(geometry.by_channel),
            "group": geometry.planes,
            "plane_rows": geometry.plane_rows,
            "line_bytes": geometry.line_bytes,
            "line_input": across.input_size,
            "line_before": across.before,
            "line_output": across.output_size,
            "line_stride": across.stride,
            "filter_rows": geometry.filter_rows,
            "row_dilation": geometry.row_dilation,
            "filter_columns": across.filter_size,
            "input_zero_point": x.zero_point,
            "shift": how.shift or 0,
            "has_steps": int(how.has_steps),
            "rounds_sign": int(how.rounds_sign),
            "activation_min": how.low,
            "activation_max": how.high,
        }
        table = Constant("table", channel_table(node, geometry, how, constants))
        arguments = (Activation(x.name), table, Scratch(), Activation(y.name))
        return KernelCall(params, (*self._assembly(node, geometry, how), *arguments))

    def scratch_bytes(self, node: BoundNode) -> int:
        return self._geometry(node).scratch_bytes

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        geometry = self._geometry(node)
        return (None if geometry.by_channel else geometry.overlap, *(None for _ in node.inputs[1:]))

    def in_place(self, node: BoundNode) -> bool:
        geometry = self._geometry(node)
        return geometry.by_channel and geometry.multiplier == 1 and node.output.bytes <= node.input(0).bytes

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self._cost(node, 0)

    def instructions(self, node: BoundNode) -> float:
        return self._cost(node, 1)

    def _geometry(self, node: BoundNode) -> Geometry:
        return choose_geometry(node, *self._limits)

    def _code(self, node: BoundNode, geometry: Geometry, how: Requantization) -> tuple[PlanesCode, RowsCode]:
        outputs, pairs = (
            (self._line_outputs, self._line_pairs) if geometry.line else (self._outputs, self._pairs)
        )
        planes = planes_code(geometry, node.input(0).zero_point, pairs)
        return planes, rows_code(geometry, how, outputs)

    def _assembly(
        self, node: BoundNode, geometry: Geometry, how: Requantization
    ) -> tuple[Assembly, Assembly]:
        planes, rows = self._code(node, geometry, how)
        kind, twin = "mq_depthwise_planar_{}_function_t", "mq_depthwise_planar_{}_twin"
        return (
            Assembly(
                "depthwise_planes",
                "\n".join(planes.lines),
                _GUARD,
                kind.format("planes"),
                twin.format("planes"),
            ),
            Assembly(
                "depthwise_rows", "\n".join(rows.lines), _GUARD, kind.format("rows"), twin.format("rows")
            ),
        )

    def _cost(self, node: BoundNode, index: int) -> float:
        """Cycles (index 0) or instructions (1): bands of groups, each with planes and rows."""
        geometry = self._geometry(node)
        how, _ = _proven(node)
        planes, rows = self._code(node, geometry, how)
        bands, made = len(geometry.bands()), geometry.lines_made
        outputs = bands if geometry.line else geometry.rows.output_size
        grouped = geometry.channels // GROUP if geometry.planes == GROUP else 0
        alone = geometry.channels - GROUP * grouped
        band, whole, line, word, pair = self._c_cycles
        call = whole if geometry.whole else bands * band
        total = (grouped + alone) * call + made * (
            grouped * planes.row[index] + alone * pair * geometry.pairs
        )
        total += geometry.output_channels * (bands * rows.channel[index] + outputs * rows.row[index])
        return total + _lines_moved(geometry, grouped + alone) * (line + word * geometry.pairs)


def _lines_moved(geometry: Geometry, groups: int) -> int:
    """Kept for the next band, and two of padding; for each group where channels are outside."""
    if geometry.line:
        return 0
    if geometry.whole or not geometry.by_channel:
        return 2 * geometry.planes
    kept = max(geometry.filter_reach - geometry.rows.stride, 0)
    return (2 + kept * (len(geometry.bands()) - 1)) * geometry.planes * groups


def _proven(node: BoundNode) -> tuple[Requantization, ChannelConstants]:
    found = requantization(node)
    assert found is not None
    return found


KERNELS = (
    DepthwisePlanarS8(
        "depthwise_planar_s8",
        ("time",),
        plane_bytes=2000,
        band_bytes=2800,
        group_bytes=None,
        outputs=8,
        line_outputs=32,
        pairs=3,
        line_pairs=16,
        c_cycles=(12, 61, 0, 5.8, 13.9),
    ),
    DepthwisePlanarS8(
        "depthwise_planar_small_s8",
        ("balanced",),
        plane_bytes=1000,
        band_bytes=1200,
        group_bytes=1300,
        outputs=8,
        line_outputs=16,
        pairs=3,
        line_pairs=3,
        c_cycles=(208, 82, 22, 7.2, 16.8),
    ),
)
