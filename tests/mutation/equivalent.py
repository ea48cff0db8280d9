"""Mutants that are the same program by another text, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Equivalent:
    """block, change: patterns that match whole; reason: why no input can tell."""

    block: str
    change: str
    reason: str


EQUIVALENT: tuple[Equivalent, ...] = ()


def reason_of(block: str, change: str) -> str | None:
    for known in EQUIVALENT:
        if re.fullmatch(known.block, block) and re.fullmatch(known.change, change):
            return known.reason
    return None
