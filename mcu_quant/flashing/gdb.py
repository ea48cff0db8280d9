"""Writing an image through a GDB server: QEMU's, OpenOCD's, pyOCD's, J-Link's, a Black Magic Probe's own."""

from __future__ import annotations

import re

from mcu_quant.errors import EngineFailedError
from mcu_quant.flashing.job import Job

#: What `compare-sections` says of each section.
_COMPARED = re.compile(r"^Section (\S+), range \S+ -- \S+: (matched\.|MIS-MATCHED!)$", re.MULTILINE)


def gdb_script(job: Job) -> str:
    """Load, read back, and start at the reset handler with the stack of the vector table.

    No reset: each server calls it by another name, and images in RAM would not outlive it. GDB ends at the
    first command that fails, with another status than 0.
    """
    vectors = f"0x{job.board.vectors:08X}"
    commands = (
        "set confirm off",
        "set tcp connect-timeout 5",
        "set remotetimeout 5",
        f"target extended-remote {job.server}",
        "load",
        "compare-sections",
        f"set $sp = *(unsigned int *){vectors}",
        f"set $pc = *(unsigned int *)({vectors} + 4) & ~1",
        "detach",
    )
    return "\n".join(commands) + "\n"


def gdb_arguments(job: Job) -> list[str]:
    return ["-nx", "-batch", "-x", str(job.script), str(job.image)]


def check_gdb(printed: str, job: Job) -> None:
    """Raise EngineFailedError unless every section was read back, and was as it was loaded."""
    compared = dict(_COMPARED.findall(printed))
    different = [name for name, result in compared.items() if result != "matched."]
    if different or not compared:
        raise EngineFailedError(
            "memory must hold what was loaded",
            layer=f"{job.image} at {job.server}",
            value=f"other bytes in {', '.join(different)}" if different else "nothing was compared",
            hint="erase the chip, and check that the image is for this board",
        )
