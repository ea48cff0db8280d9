"""What functions in thumb-1 have in common: entering, leaving, going back, large immediates."""

from __future__ import annotations

GUARD = "defined(__ARM_ARCH_6M__)"

#: Saves r4-r11 and lr: 36 bytes.
SAVE = (
    "push {r4-r7, lr}",
    "mov r4, r8",
    "mov r5, r9",
    "mov r6, r10",
    "mov r7, r11",
    "push {r4-r7}",
)
RESTORE = (
    "pop {r4-r7}",
    "mov r8, r4",
    "mov r9, r5",
    "mov r10, r6",
    "mov r11, r7",
    "pop {r4-r7, pc}",
)

#: Instructions that a conditional branch reaches backwards, with some to spare (256 bytes).
NEAR = 118


def loop(label: int, condition: str, opposite: str, instructions: int, exit_label: int) -> list[str]:
    """Back to `label` while the condition holds, over a body of that many instructions (to 1,000)."""
    if instructions <= NEAR:
        return [f"b{condition} {label}b"]
    return [f"b{opposite} {exit_label}f", f"b {label}b", f"{exit_label}:"]


def add(register: str, value: int) -> list[str]:
    """Add a constant, 255 at a time."""
    sign, rest, lines = "adds" if value >= 0 else "subs", abs(value), []
    while rest:
        lines.append(f"{sign} {register}, #{min(rest, 255)}")
        rest -= min(rest, 255)
    return lines
