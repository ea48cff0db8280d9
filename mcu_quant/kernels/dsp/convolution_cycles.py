"""What conv_2d_dsp_s8 takes: its assembly counted, and the C around it, whose costs are fitted.

The fit is to docs/benchmarks.json, over how often each of its loops runs; the code differs by mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mcu_quant.kernels.assembly_cycles import loop_cycles
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.dsp.expansion import expand_assembly
from mcu_quant.kernels.dsp.linear import BLOCK, padded
from mcu_quant.kernels.dsp.linear_assembly import Shape, left_turns, turns_of
from mcu_quant.kernels.dsp.patches import Geometry
from mcu_quant.ops.windows import WindowAxis


@dataclass(frozen=True)
class Surroundings:
    """Cycles of the C: once, for each strip, each row of a patch, each column that is expanded byte by byte,
    each byte of it, each element of padding, each output that is unstaged, each output and product of slow
    channels.
    """

    once: float
    strip: float
    row: float
    column: float
    byte: float
    filled: float
    unstaged: float
    slow_output: float
    slow_product: float


SURROUNDINGS: Mapping[str, Surroundings] = {
    "time": Surroundings(0, 60, 15, 4.3, 5.2, 0.5, 5, 32, 8),
    "balanced": Surroundings(60, 75, 97, 34, 5.8, 7, 25, 65, 8),
    "size": Surroundings(75, 105, 142, 35, 8.3, 12.5, 34, 75, 15),
}


def sweeps_cycles(layout: Geometry, body: str, shape: Shape | None, pairs: int, core: Core) -> float:
    """All strips through the assembly `body`. shape: what it is rendered for, None if for all shapes."""
    by_two, (turns, left) = True, (pairs // 2, pairs // 2)
    if shape is not None:
        by_two = shape.by_two
        turns, left = turns_of(pairs, shape.straight_pairs)[1], left_turns(shape)[1]
    blocks = padded(layout.outputs, BLOCK) // BLOCK
    total = 0.0
    for pixels, strips in _strips(layout).items():
        twos = pixels // 2 if by_two else 0
        ones = pixels - 2 * twos
        times = {1: twos, 2: twos * blocks, 3: twos * blocks * turns}
        times |= {5: ones, 6: ones * blocks, 7: ones * blocks * left}
        total += strips * loop_cycles(body, times, core)
    return total


def surrounding_cycles(layout: Geometry, slow_channels: int, costs: Surroundings, core: Core) -> float:
    """Patches, and what follows the assembly."""
    strips = sum(_strips(layout).values())
    total = costs.once + costs.strip * strips
    if layout.outputs % BLOCK:
        total += costs.unstaged * layout.pixels * layout.outputs
    total += slow_channels * layout.pixels * (costs.slow_output + costs.slow_product * layout.window)
    if layout.is_flat:
        elements = layout.pixels * layout.channels
        if layout.channels % 4:
            return total + costs.byte * elements
        return total + _expand_cycles(elements // 4, strips, strips, core)
    return total + _patch_cycles(layout, costs, core)


def _patch_cycles(layout: Geometry, costs: Surroundings, core: Core) -> float:
    first = np.arange(layout.width.output_size) * layout.width.stride - layout.width.before
    starts, lengths = _columns(layout, first)
    columns = np.concatenate([np.arange(n) * s[1] + s[0] for s, n in zip(starts, lengths, strict=True)])
    across = int(((columns >= 0) & (columns < layout.width.input_size)).sum())
    taps, down = _taps(layout.height)
    rows = taps * len(starts)
    filled = (taps * len(columns) - down * across) * layout.channels
    total = costs.row * rows + costs.filled * filled
    if layout.channels % 4:
        return total + down * across * (costs.column + costs.byte * layout.channels)
    calls = down * (len(starts) if starts[0][1] == 1 else across)
    return total + _expand_cycles(down * across * (layout.channels // 4), down * across, calls, core)


def _columns(layout: Geometry, first: np.ndarray) -> tuple[list[tuple[int, int]], list[int]]:
    """([(first input column, step)], columns) of each run that a row of a patch is filled by; all strips.

    first: of each output pixel's window.
    """
    width = layout.width
    if not layout.shares_columns:
        return [(int(x), width.dilation) for x in first], [width.filter_size] * len(first)
    pixels = [first[i : i + layout.strip] for i in range(0, len(first), layout.strip)]
    lengths = [(len(run) - 1) * width.stride + width.filter_size for run in pixels]
    return [(int(run[0]), 1) for run in pixels], lengths


def _taps(axis: WindowAxis) -> tuple[int, int]:
    """(taps of all windows, those of them that are inside the input)."""
    first = np.arange(axis.output_size)[:, None] * axis.stride - axis.before
    at = first + np.arange(axis.filter_size) * axis.dilation
    return at.size, int(((at >= 0) & (at < axis.input_size)).sum())


def _expand_cycles(words: int, columns: int, calls: int, core: Core) -> float:
    """words, columns: of all calls together."""
    if not calls:
        return 0.0
    fours, rest = divmod(words // columns, 4)
    times = {1: columns / calls, 2: columns * fours / calls, 4: columns * rest / calls}
    return calls * loop_cycles(expand_assembly().body, times, core)


def _strips(layout: Geometry) -> dict[int, int]:
    """Pixels of a strip -> how many strips have so many."""
    whole, rest = divmod(layout.width.output_size, layout.strip)
    strips = {layout.strip: whole * layout.height.output_size}
    return strips | ({rest: layout.height.output_size} if rest else {})
