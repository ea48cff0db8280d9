"""Dot products of one row with four outputs at once, in thumb-1, from weights of a byte each.

A word holds a tap's weights of four outputs, plus 128, as bytes. Its even and its odd bytes are two words
of two lanes; x times each is two products, |x * (w + 128)| < 2**15, taken apart as in dot.py. What the
128 add, 128 * sum(x), is the same for all outputs: sums start at minus that.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.kernels.base import Assembly
from mcu_quant.kernels.thumb1.registers import GUARD, RESTORE, SAVE, loop
from mcu_quant.kernels.thumb1.requantize import Form, requantize

OUTPUTS = 4
_MOST_UNROLLED = 8


def byte_weights(weights: IntArray, constants: np.ndarray) -> np.ndarray:
    """What the function reads, int32: for each four outputs a word for each tap, then constants."""
    units, taps = weights.shape
    quads = (weights + 128).astype(np.uint8).reshape(units // 4, 4, taps).transpose(0, 2, 1)
    words = np.ascontiguousarray(quads).view("<i4").reshape(units // 4, taps)
    return np.concatenate([words, constants.reshape(units // 4, -1)], axis=1).astype(np.int32).reshape(-1)


def unrolled_taps(taps: int) -> int:
    return max(n for n in range(1, min(taps, _MOST_UNROLLED) + 1) if taps % n == 0)


def byte_row_function(form: Form, taps: int) -> Assembly:
    """mq_thumb1_byte_row_function_t.

    r0 x, r1 weights, r2 a tap of x, r3 mask of even bytes, r4 and r5 lanes, r6 and r7 high lanes (outputs
    2 and 3), r8 and r9 sums of both lanes, r10 output, r11 start, r12 end of x, lr x kept.
    Stack: 0 end of weights, 4 mask, 8 start for a sum of both lanes.
    """
    count = unrolled_taps(taps)
    body = _taps(count)
    if count < taps:
        body += ["cmp r0, r12", *loop(1, "ne", "eq", len(body) + 1, 2)]
    outputs = _outputs(form)
    lines = [
        *SAVE,
        "ldm r3!, {r4-r6}",
        "adds r5, r5, r0",
        "mov r12, r5",
        "mov r11, r6",
        "lsls r7, r6, #16",
        "adds r7, r7, r6",
        "movs r6, #255",
        "lsls r5, r6, #16",
        "adds r6, r6, r5",
        "push {r4, r6, r7}",
        "mov r10, r2",
        "mov lr, r0",
        "@ four outputs",
        "4:",
        "ldr r3, [sp, #4]",
        "ldr r4, [sp, #8]",
        "mov r6, r11",
        "mov r7, r11",
        "mov r8, r4",
        "mov r9, r4",
        "1:",
        *body,
        *outputs,
        "mov r0, lr",
        "ldr r2, [sp]",
        "cmp r1, r2",
        *loop(4, "ne", "eq", len(body) + len(outputs) + 10, 5),
        "add sp, #12",
        *RESTORE,
    ]
    stem = f"byte_row_{taps}_{form.digits}_{form.short.digit_bits}_{form.short.shift}"
    twin = "mq_thumb1_byte_row_twin"
    return Assembly(stem, "\n".join(lines), GUARD, "mq_thumb1_byte_row_function_t", twin)


def _taps(count: int) -> list[str]:
    one = ["ldm r0!, {r2}", "ldm r1!, {r4}", "lsrs r5, r4, #8", "ands r4, r3", "ands r5, r3"]
    one += ["muls r4, r2", "muls r5, r2"]
    for lanes, total, high in (("r4", "r8", "r6"), ("r5", "r9", "r7")):
        one += [f"add {total}, {lanes}", f"asrs {lanes}, {lanes}, #16", f"adcs {high}, {lanes}"]
    return one * count


def _outputs(form: Form) -> list[str]:
    """Outputs 0 and 2 are lanes of r8, 1 and 3 of r9; r0 keeps a byte, constants come in order."""

    def output(register: str) -> list[str]:
        return requantize(form, register, "r1", ("r2", "r3", "r4"), None)

    return [
        "lsls r2, r6, #16",
        "mov r5, r8",
        "subs r5, r5, r2",
        *output("r5"),
        "mov r0, r10",
        "strb r5, [r0]",
        "lsls r2, r7, #16",
        "mov r5, r9",
        "subs r5, r5, r2",
        *output("r5"),
        "strb r5, [r0, #1]",
        *output("r6"),
        "strb r6, [r0, #2]",
        *output("r7"),
        "strb r7, [r0, #3]",
        "adds r0, #4",
        "mov r10, r0",
    ]
