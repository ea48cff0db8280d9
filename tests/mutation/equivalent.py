"""Changes that nothing needs to notice, and why. They are asked only about mutants that nothing noticed."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Equivalent:
    """block, change, kernel: patterns that match whole; reason: why no input can tell."""

    block: str
    change: str
    reason: str
    kernel: str = ".*"


_MVE_SUM_OR_PRODUCT = r"mq_(add|mul)_s8_mve_function_t"
EQUIVALENT: tuple[Equivalent, ...] = (
    Equivalent(
        "mq_add_s8_dsp_function_t",
        r".*, line 1: ldr r0, \[sp, #36\] -> ldrh r0, \[sp, #36\]",
        "The fifth argument, a number of elements: below 65536 in the cases, so its upper half is zero.",
    ),
    Equivalent(
        "mq_thumb1_expand_function_t",
        r".*, line 11: adds r1, r1, r3 -> adcs r1, r1, r3",
        "The carry is clear: the addition before it is of an address and 2, which does not wrap.",
    ),
    Equivalent(
        "mq_dsp_expand_function_t",
        r"expand, line 24: adds r12, r12, #4 -> adcs r12, r12, #4",
        "The carry is clear: both ways there end with 4 taken from less than 4, which borrows.",
    ),
    Equivalent(
        "mq_dsp_expand_function_t",
        r"expand, line (2: ldr lr, \[sp, #36\] -> (ldrh? lr, \[sp, #\d+\]|left out)"
        r"|3: sub lr, lr, r2, lsl #3 -> (add lr, lr, r2, lsl #\d+|left out))",
        "The way from a column to the next one, and the kernel asks for one.",
        "winograd_dsp_s8",
    ),
    Equivalent(
        "mq_conv_2d_dsp_s8_function_t",
        r"sweep.*: strb (r[79]), \[(r0|lr), #1\] -> strh \1, \[\2, #1\]",
        "The byte at 2 that it also writes is written next, by the store of the third channel.",
    ),
    Equivalent(
        "mq_conv_2d_dsp_s8_function_t",
        r"sweep.*: ldr (r\d+), \[sp, #24\] -> ldrh \1, \[sp, #24\]",
        "The bytes of a window as int16: below 65536, or the kernel refuses it.",
        "conv_2d_dsp_small_s8",
    ),
    Equivalent(
        "mq_conv_2d_dsp_s8_function_t",
        r"sweep.*: str r8, \[sp, #36\] -> str[bh] r8, \[sp, #36\]",
        "The shift: a shift by a register takes the register's lowest byte.",
    ),
    Equivalent(
        "mq_depthwise_planar_planes_function_t",
        r"depthwise_planes_5, line (143: addw r2, r2, #24 -> addw r2, .*|144: .* -> left out)",
        "The image is one pixel wide, so that planes have one row, and this is what goes on to the next one; "
        "without the count, the flags are those of the loop before, which has ended.",
        "depthwise_planar_small_s8",
    ),
    Equivalent(
        "mq_depthwise_planar_planes_function_t",
        r"depthwise_planes_8, line 17: pkhbt r7, r5, r4, lsl #16 -> pkhbt r7, r5, r4, lsl #17",
        "The pixel behind the last one of rows of three: the filter is one column wide, and reads three.",
        "depthwise_planar_small_s8",
    ),
    Equivalent(
        "mq_depthwise_planar_planes_function_t",
        r"depthwise_planes_7, line 266: sxtb16 r8, r8, ror #8 -> sxtb16 r8, r4, ror #8",
        "Two pixels of padding: r4 has the zero_point in all bytes, and r8 is halves of r4.",
        "depthwise_planar_s8",
    ),
    Equivalent(
        "mq_depthwise_planar_rows_function_t",
        r"depthwise_rows_2, line 26: bne 3b -> left out",
        "The loop over channels of a group: of three channels, groups are of one.",
        "depthwise_planar_s8",
    ),
    Equivalent(
        "mq_depthwise_planar_rows_function_t",
        r"depthwise_rows_4, line 23: smlatb (.*) -> smlatt \1",
        "The filter is one column wide: both halves of a word of weights are the same weight.",
        "depthwise_planar_s8",
    ),
    Equivalent(
        "mq_max_pool_2d_s8_dsp_function_t",
        r"max_pool_3, line \d+: ssub8 r12, (.*) -> ssub8 lr, \1",
        "The difference is taken for its flags; r12 and lr, which is on the stack, hold nothing here.",
    ),
    Equivalent(
        "mq_binary_s8_dsp_function_t",
        r"add_4, line 15: cmp r3, #-108 -> cmp r8, #-108",
        "Both operands have zero_point -128 and are added: no sum is negative, and -108 is the zero_point.",
    ),
    Equivalent(
        "mq_binary_s8_dsp_function_t",
        r"sub_2, line (30|44|58): add r12, r5, r3, asr #31 -> left out",
        "r12 is 0 or 1 then, from the element before: for none of the 65,536 pairs of bytes does either give "
        "another output with this function's constants.",
    ),
    Equivalent(
        "mq_thumb1_four_pixels_function_t",
        r"four_pixels_12_2_15_21_2, line 143: cmp r7, #0 -> cmp r3, #0",
        "Whether the step is added. The zero_point is 127: no output is above it, and all steps are 0.",
    ),
    Equivalent(
        "mq_armv7m_pack_function_t",
        r"pack_3(_2)?, line 5: lsl r10, r9, #16 -> (left out|(lsl|lsr|asr|ror) r10, .*)",
        "The padding of lower pixels, of which this band has none: nothing reads r10.",
    ),
    Equivalent(
        "mq_armv7m_dot_function_t",
        r"dot_1x12_by_8, line \d+: mla r9, (r11|lr), r8, r[69] -> (left out|ml[as] r9, .*)",
        "One output channel: r9 has the products of the third and the fourth.",
        "fully_connected_s8_armv7m",
    ),
    Equivalent(
        "mq_armv7m_dot_function_t",
        r"dot_1x12_by_1, line \d+: (mla r[345], r1[012], r8, r[345] -> left out"
        r"|ldrsb (r1[012]), \[r1, #\d+\] -> (left out|ldrsb \2, \[(r[345]|r1[012]), #\d+\]))",
        "One output channel: r3 to r5 are sums of others, whose weights, in r10 to r12, are 0, as they are; "
        "an address that is made of them is in flash.",
        "conv_2d_bytes_s8_armv7m",
    ),
    Equivalent(
        "mq_thumb1_planes_function_t",
        r"planes_27_1_2, line 133: movs r4, #0 -> movs r5, #0",
        "r5 is 0, and r4 is shifted by 16 next: its lower half is 0, for it was shifted so before.",
    ),
    Equivalent(
        _MVE_SUM_OR_PRODUCT,
        r".*: movt r[45], #65535 -> (left out|movt r[45], #\d+)",
        "A zero_point: 16-bit lanes take the lower half of the register.",
    ),
    Equivalent(
        _MVE_SUM_OR_PRODUCT,
        r".*: movt r[79], #65535 -> left out",
        "A shift: vrshl takes the register's lowest byte.",
    ),
    Equivalent(
        "mq_add_s8_mve_function_t",
        r"add_7, line 65: vshr.s32 q4, q2, #31 -> vrshr.s32 q4, q2, #31",
        "The operand's multiplier is 2**30, its shift -1: what is halved is a multiple of 2**19, so that a "
        "correction by 1 before it never matters; and |q2| is below 2**28, so that vrshr gives 0.",
    ),
    Equivalent(
        "mq_average_pool_2d_s8_mve_function_t",
        r".*: vmovl([bt])\.u16 (q\d), q4 -> vmovl\1\.s16 \2, q4",
        "|sum| + n / 2 of at most n = 255 elements is at most 128 * 255 + 127, which is 2**15 - 1.",
    ),
    Equivalent(
        "mq_mve_dots_function_t",
        r".*: vmov\.32 (q[01])\[1\], (r\d+) -> (left out|vmov\.32 \1\[1\], (r\d+|lr))",
        "Two pixels: lanes 1, 2 and 3 are stored to one address, 3 last.",
    ),
    Equivalent(
        "mq_max_pool_2d_s8_mve_function_t",
        r"max_pool_any_6, line 45: bne 1b -> left out",
        "The loop over windows of a row: rows of two pixels at a stride of two have one.",
    ),
    Equivalent(
        "mq_mve_dots_function_t",
        r"dots_4, line 107: add r3, r3, #24 -> add lr, r3, #24",
        "This goes on to the next group of pixels. Two pixels at once are best only where there are but two.",
        "conv_2d_columns_s8_mve",
    ),
    Equivalent(
        "mq_mve_(dots|patches)_function_t",
        r".*: vrshl\.s32 (q\d), (r\d+) -> vqrshl\.s32 \1, \2",
        "Shifts are to the right: the kernels refuse others.",
    ),
    Equivalent(
        "mq_mve_patches_function_t",
        r"patches, line (7|11): .* -> left out|patches.*: vldrw.u32 q7, \[r4, #16\] -> left out",
        "Where groups of four go: all outputs are of one group that is less.",
        "depthwise_conv_1d_s8_mve",
    ),
    Equivalent(
        "mq_mve_patches_function_t",
        r"patches_7, line 63: movw r0, (#\d+) -> movw r4, \1|patches_8, line 98: add r9, r9, #80 -> left out",
        "This goes on to the next strip, and along one axis there is one.",
        "depthwise_conv_1d_s8_mve",
    ),
    Equivalent(
        "mq_mve_patches_function_t",
        r"patches, line 83: vmax\.s8 q5, q5, q6 -> vmax\.s16 q5, q5, q6",
        "The clamp is 0. Above each result is the upper byte of what it was before it was narrowed, which "
        "has the same sign: of two bytes as of one, 0 is larger exactly where that is negative.",
        "depthwise_conv_2d_s8_mve",
    ),
    Equivalent(
        "inline assembly",
        r"ssat %0, #12, %0 -> ssat %0, #1[13456], %0",
        "Twice a quantized value, limited so that adding a zero_point does not wrap: from 512 steps beside "
        "the zero_point on, which 11 bits hold, all is clamped.",
        "quantize_f32_dsp",
    ),
    Equivalent(
        "mq_mve_patches_function_t",
        r"patches_6, line 85: (ldr) r0, (.*) -> ldrh r0, \2|patches, line 56: movt r0, .* -> left out",
        "Strips left, and the way to the next one: along one axis there is one strip.",
        "depthwise_conv_1d_s8_mve",
    ),
    Equivalent(
        "table: is_wide",
        r".*, 1",
        "The function for any weights takes longer and gives the same.",
        "depthwise_conv_2d_s8_armv7m",
    ),
    Equivalent(
        "table: slow_channels",
        ".*",
        "The channels whose short requantization is not proven: tuned cases have none, so nothing reads the "
        "table. One in seven of the random cases of `make prove` has some.",
    ),
    Equivalent(
        "table: exact",
        ".*",
        "The channels whose short requantization is not proven: none of 40 random cases had one, so nothing "
        "reads the table. tests/kernels/thumb1's test_assembly_of_hard_proofs forces such channels.",
    ),
)


def reason_of(kernel: str, block: str, change: str) -> str | None:
    for known in EQUIVALENT:
        patterns = ((known.kernel, kernel), (known.block, block), (known.change, change))
        if all(re.fullmatch(pattern, text) for pattern, text in patterns):
            return known.reason
    return None
