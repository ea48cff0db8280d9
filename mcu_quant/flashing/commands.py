"""The command line of each tool that writes images to boards, and which file it wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mcu_quant.boards import FlashTool
from mcu_quant.errors import InvalidInputError
from mcu_quant.flashing.gdb import check_gdb, gdb_arguments, gdb_script
from mcu_quant.flashing.job import Job


@dataclass(frozen=True)
class Writer:
    """kind: "elf", "bin", "hex" or "uf2". command: the words after the program.

    script: what Job.script holds. check: told what the tool printed; raises if that is no success.
    """

    kind: str
    command: Callable[[FlashTool, Job], list[str]]
    script: Callable[[Job], str] | None = None
    check: Callable[[str, Job], None] = lambda printed, job: None


def _pyocd(tool: FlashTool, job: Job) -> list[str]:
    probe = ["--uid", job.probe] if job.probe else []
    return ["load", "--no-wait", "--target", tool.target, *probe, str(job.image)]


def _openocd(tool: FlashTool, job: Job) -> list[str]:
    # Probes that can do more than SWD begin with JTAG; ST-LINK's script has chosen.
    scripts = ["-f", tool.interface, *transport(tool), "-f", tool.target]
    probe = ["-c", f"adapter serial {job.probe}"] if job.probe else []
    return [*scripts, *probe, "-c", f"program {{{job.image}}} verify reset exit"]


def transport(tool: FlashTool) -> list[str]:
    return [] if "stlink" in tool.interface else ["-c", "transport select swd"]


def _st_flash(tool: FlashTool, job: Job) -> list[str]:
    probe = ["--serial", job.probe] if job.probe else []
    return [*probe, "--reset", "write", str(job.image), f"0x{job.board.flash.address:08X}"]


def _jlink(tool: FlashTool, job: Job) -> list[str]:
    probe = ["-USB", job.probe] if job.probe else []
    connection = ["-device", tool.target, "-if", "SWD", "-speed", "4000", "-autoconnect", "1"]
    return [*probe, *connection, "-NoGui", "1", "-ExitOnError", "1", "-CommandFile", str(job.script)]


def _jlink_script(job: Job) -> str:
    return f'r\nh\nloadfile "{job.image}"\nr\ng\nqc\n'


def _picotool(tool: FlashTool, job: Job) -> list[str]:
    probe = ["--ser", job.probe] if job.probe else []
    return ["load", "-v", "-x", str(job.image), *probe]


def _bossac(tool: FlashTool, job: Job) -> list[str]:
    if job.port is None:
        raise InvalidInputError(
            "bossac must be told the port of the board's boot loader",
            hint="press reset twice and give --port /dev/ttyACM0 (or COM3); or --tool pyocd with a probe",
        )
    return ["-d", f"--port={job.port}", "-U", "-i", "-e", "-w", str(job.image), "-R"]


#: By the names that board.toml has, and "gdb". "uf2" is a copy, without a program.
WRITERS: Mapping[str, Writer] = {
    "pyocd": Writer("elf", _pyocd),
    "openocd": Writer("elf", _openocd),
    "st-flash": Writer("bin", _st_flash),
    "jlink": Writer("hex", _jlink, _jlink_script),
    "picotool": Writer("uf2", _picotool),
    "bossac": Writer("bin", _bossac),
    "gdb": Writer("elf", lambda tool, job: gdb_arguments(job), gdb_script, check_gdb),
}
