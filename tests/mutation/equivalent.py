"""Changes that nothing needs to notice, and why. They are asked only about mutants that nothing noticed."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Equivalent:
    """block, change: patterns that match whole; reason: why no input can tell."""

    block: str
    change: str
    reason: str


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


def reason_of(block: str, change: str) -> str | None:
    for known in EQUIVALENT:
        if re.fullmatch(known.block, block) and re.fullmatch(known.change, change):
            return known.reason
    return None
