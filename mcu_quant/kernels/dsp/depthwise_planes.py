"""The function in assembly that makes planes: four channels of the image's rows, widened and padded.

    mq_depthwise_planar_planes_t(params, input, planes, rows)

Each word of the image holds four channels of a pixel. Of two neighbours, PKHBT and PKHTB gather two
channels each, and SXTB16 widens one of these: a channel's pair of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from mcu_quant.kernels.assembly_cycles import straight_cycles
from mcu_quant.kernels.dsp.depthwise_geometry import GROUP, Geometry
from mcu_quant.kernels.dsp.straight_line import add_immediate, move_immediate

_INPUT, _PLANES, _ROWS, _PADDING, _COUNT, _SPARE = "r1", "r2", "r3", "r4", "r9", "r10"
_SAVED = "r4, r5, r6, r7, r8, r9, r10, lr"


@dataclass(frozen=True)
class PlanesCode:
    """row: (cycles, instructions) for one row of the image."""

    lines: tuple[str, ...]
    row: tuple[int, int]


@lru_cache(maxsize=256)
def planes_code(geometry: Geometry, zero_point: int, unrolled: int) -> PlanesCode:
    """unrolled: the most pairs of pixels that a loop has."""
    parts = _row(geometry, unrolled)
    again = [f"subs {_ROWS}, {_ROWS}, #1", "bne 2b"]
    padding = move_immediate(_PADDING, (zero_point & 0xFF) * 0x01010101)
    row = [line for _, lines in parts for line in lines]
    lines = [f"push {{{_SAVED}}}", *padding, "2:", *row, *again, f"pop {{{_SAVED.replace('lr', 'pc')}}}"]
    counts = [(n, straight_cycles(part), sum(not line.endswith(":") for line in part)) for n, part in parts]
    return PlanesCode(
        tuple(lines), (4 + sum(n * c for n, c, _ in counts), 2 + sum(n * i for n, _, i in counts))
    )


def _row(geometry: Geometry, unrolled: int) -> list[tuple[int, list[str]]]:
    """(how often, lines) of the parts of a row: pairs in full loops, and those before and after."""
    axis, words = geometry.across, geometry.pairs
    pixels = [2 * word - axis.before for word in range(words)]
    inside = [word for word in range(words) if pixels[word] >= 0 and pixels[word] + 1 < axis.input_size]
    most = max(min(unrolled, 4095 // (2 * geometry.channels)), 1)
    times = len(inside) // most if len(inside) > most else 0
    first = inside[0] if times else words
    parts = [(1, _pairs(geometry, range(first), 0, 0))]
    pixel = word = 0
    if times:
        pixel, word = pixels[first], first
        count = [f"movw {_COUNT}, #{times}", "1:"]
        parts.append((1, _move_on(geometry, pixel, word) + count))
        body = _pairs(geometry, range(word, word + most), pixel, word)
        loop = [*_move_on(geometry, 2 * most, most), f"subs {_COUNT}, {_COUNT}, #1", "bne 1b"]
        parts.append((times, body + loop))
        pixel, word = pixel + 2 * most * times, word + most * times
        parts.append((1, _pairs(geometry, range(word, words), pixel, word)))
    parts.append((1, _move_on(geometry, axis.input_size - pixel, words - word)))
    return parts


def _move_on(geometry: Geometry, pixels: int, words: int) -> list[str]:
    return add_immediate(_INPUT, pixels * geometry.channels, _SPARE) + add_immediate(
        _PLANES, 4 * words, _SPARE
    )


def _pairs(geometry: Geometry, words: range, pixel: int, word: int) -> list[str]:
    """Lines that make those words of the planes; _INPUT is at `pixel`, _PLANES at `word`."""
    lines: list[str] = []
    for index in words:
        left = 2 * index - geometry.across.before
        even, first = _pixel(geometry, left, pixel, "r5")
        odd, second = _pixel(geometry, left + 1, pixel, "r6")
        lines += [*first, *second, *_widen(even, odd)]
        position = 4 * (index - word)
        for plane, register in zip(range(GROUP), ("r5", "r7", "r6", "r8"), strict=True):
            lines.append(f"str {register}, [{_PLANES}, #{position + plane * geometry.plane_bytes}]")
    return lines


def _pixel(geometry: Geometry, pixel: int, base: int, register: str) -> tuple[str, list[str]]:
    """(register, the load that fills it) of a pixel's four channels."""
    if not 0 <= pixel < geometry.across.input_size:
        return _PADDING, []
    offset = (pixel - base) * geometry.channels
    if offset < 4096:
        return register, [f"ldr {register}, [{_INPUT}, #{offset}]"]
    return register, [*move_immediate(_SPARE, offset), f"ldr {register}, [{_INPUT}, {_SPARE}]"]


def _widen(even: str, odd: str) -> list[str]:
    """Channels 0, 1, 2, 3 of two pixels in r5, r7, r6, r8."""
    return [
        f"pkhbt r7, {even}, {odd}, lsl #16",
        f"pkhtb r8, {odd}, {even}, asr #16",
        "sxtb16 r5, r7",
        "sxtb16 r7, r7, ror #8",
        "sxtb16 r6, r8",
        "sxtb16 r8, r8, ror #8",
    ]
