"""To which unit of a Cortex-M55 an MVE instruction goes, from its encoding.

GNU objdump 2.40 shows most of MVE as coprocessor instructions, so mnemonics do not do. Encodings: Armv8-M
Architecture Reference Manual (DDI 0553), C2.4. Where groups of encodings overlap, the order decides.
"""

from __future__ import annotations

MEMORY, GATHER, MULTIPLY, OTHER = "memory", "gather", "multiply", "other"

#: mask, value, class of 32-bit encodings, first halfword high. The first that matches counts.
_LOADS_AND_STORES = (
    (0xFFA00E00, 0xEC000E00, OTHER),  # VMOV, two lanes
    (0xEFA01E00, 0xEC800E00, GATHER),  # [Rn, Qm]
    (0xEE001F80, 0xEC000F80, None),  # VLDR, VSTR of system registers
    (0xFF001E00, 0xFD001E00, GATHER),  # [Qn, #imm]
    (0xEE000E00, 0xEC000E00, MEMORY),
    (0xFE211F51, 0xFC200840, MULTIPLY),  # VCMLA
    (0xFEA11F51, 0xFC800840, OTHER),  # VCADD of floats
)
#: Encodings that MVE shares with Advanced SIMD of larger cores.
_VECTOR_PROCESSING = (
    (0xFF811F51, 0xEF000950, MULTIPLY),  # VMUL
    (0xFFA11F51, 0xFF000D50, MULTIPLY),  # VMUL of floats
    (0xEF811F51, 0xEF000B40, MULTIPLY),  # VQDMULH, VQRDMULH
    (0xFF811F51, 0xEF000C50, MULTIPLY),  # VFMA, VFMS
    (0xEF000000, 0xEF000000, OTHER),
)
_DATA_PROCESSING = (
    (0xEFB10F51, 0xEE310E01, OTHER),  # VQMOVN, VSHLL, VCVT
    (0xEF800F50, 0xEE000E00, MULTIPLY),  # VMULH, VMULL, VQDMLADH, VCMUL, …
    (0xEFB10F51, 0xEE300F01, MULTIPLY),  # VQDMULL
    (0xFF811F70, 0xFE011E60, OTHER),  # VBRSR
    (0xEFB11F70, 0xEE311E60, OTHER),  # VSHL, VRSHL, … by a register
    (0xEF800F50, 0xEE000E40, MULTIPLY),  # VMUL, VMLA, VMLAS, … by a register
    (0xEFB10F70, 0xEE300F60, MULTIPLY),  # VQDMULL by a register
    (0xEF800F50, 0xEE800E00, MULTIPLY),  # VMLADAV, VMLALDAV, …
    (0xEFF00F50, 0xEEE00F00, OTHER),  # VMAXV, VMINV, …
    (0xEF810F51, 0xEE800F00, MULTIPLY),  # VMLADAV of bytes, VRMLALDAVH
    (0xEF000E00, 0xEE000E00, OTHER),
    (0xFFB00F5F, 0xEEA00B10, OTHER),  # VDUP
)
_RULES = _LOADS_AND_STORES + _VECTOR_PROCESSING + _DATA_PROCESSING


def mve_class(encoding: int) -> str | None:
    """The class of a 32-bit encoding (first halfword in the upper half), None if it is not MVE's.

    Moves between a core register and one lane, and VCTP, count as not MVE's.
    """
    for mask, value, found in _RULES:
        if encoding & mask == value:
            return found
    return None


def gathered_elements(encoding: int) -> int:
    """How many elements a gather or scatter moves one by one."""
    by_vector = encoding & 0xFF001E00 == 0xFD001E00
    if by_vector:
        return 2 if encoding & 0x100 else 4
    return 16 >> (encoding >> 7 & 3)
