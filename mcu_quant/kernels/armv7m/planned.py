"""Plans that refusal, call and cycles of a kernel ask for in turn are made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from mcu_quant.ir import BoundNode

T = TypeVar("T")


def planned(plan: Callable[[BoundNode], T]) -> Callable[[BoundNode], T]:
    """Remember the plan of the node asked for last."""
    last: list[tuple[BoundNode, T]] = []

    @wraps(plan)
    def remembered(node: BoundNode) -> T:
        if not last or last[0][0] is not node:
            last[:] = [(node, plan(node))]
        return last[0][1]

    return remembered
