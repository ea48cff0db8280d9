"""The function in assembly that expands int8 to int16 for the inner loops, one for all layers.

Each word's bytes go in the order 0, 2, 1, 3, as SXTB16 takes them (linear.byte_order).
"""

from __future__ import annotations

from mcu_quant.kernels.base import Assembly
from mcu_quant.kernels.dsp.linear import DSP_GUARD

#: to r0, from r1, words r2 of each of r3 columns, bytes from a column to the next one on the stack.
_BODY = """
    push {r4-r11, lr}
    ldr lr, [sp, #36]
    sub lr, lr, r2, lsl #3
1:
    subs r12, r2, #4
    blt 3f
2:
    ldr r7, [r1, #4]
    ldr r9, [r1, #8]
    ldr r11, [r1, #12]
    ldr r5, [r1], #16
    sxtb16 r4, r5
    sxtb16 r5, r5, ror #8
    sxtb16 r6, r7
    sxtb16 r7, r7, ror #8
    sxtb16 r8, r9
    sxtb16 r9, r9, ror #8
    sxtb16 r10, r11
    sxtb16 r11, r11, ror #8
    stmia r0!, {r4-r11}
    subs r12, r12, #4
    bge 2b
3:
    adds r12, r12, #4
    beq 5f
4:
    ldr r5, [r1], #4
    sxtb16 r4, r5
    sxtb16 r5, r5, ror #8
    stmia r0!, {r4, r5}
    subs r12, r12, #1
    bne 4b
5:
    add r0, r0, lr
    subs r3, r3, #1
    bne 1b
    pop {r4-r11, pc}
"""


def expand_assembly() -> Assembly:
    return Assembly("expand", _BODY, DSP_GUARD, "mq_dsp_expand_function_t", "mq_dsp_expand_twin")
