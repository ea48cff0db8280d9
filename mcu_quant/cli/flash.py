"""mcu-quant flash: an image of a project onto its board."""

from __future__ import annotations

from pathlib import Path

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import note, print_json


@click.command("flash")
@click.argument("project", type=options.PATH)
@click.option(
    "--program",
    metavar="NAME",
    default="firmware",
    show_default=True,
    help="firmware (main.c), or serve, which `verify --port` and `profile --port` talk to.",
)
@click.option(
    "--board", metavar="BOARD", help="The path of the project's board, where its name is not enough."
)
@click.option(
    "--tool",
    metavar="TOOL",
    help="One of those that the board names (pyocd, openocd, st-flash, jlink, picotool, uf2, bossac): by "
    "default the first that is installed. gdb: any GDB server.",
)
@click.option("--server", metavar="HOST:PORT", help="Of --tool gdb: where the GDB server listens.")
@click.option("--port", metavar="PORT", help="Of --tool bossac: the serial port of the board's boot loader.")
@click.option("--probe", metavar="SERIAL", help="Which probe, by its serial number, if there are several.")
@click.option(
    "--drive", type=options.PATH, help="Of --tool uf2: where the board's drive is mounted, if not found."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print the command and do not run it; the files that it needs are made in build/.",
)
@options.JSON
def command(
    project: Path,
    program: str,
    board: str | None,
    tool: str | None,
    server: str | None,
    port: str | None,
    probe: str | None,
    drive: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Build the firmware PROJECT that `generate --board` wrote, and write it onto its board."""
    from mcu_quant.flashing.project import FlashOptions, flash_project

    chosen = FlashOptions(program, board, tool, server, port, probe, drive)
    done = flash_project(project, chosen, dry_run=dry_run, note=note)
    if as_json:
        print_json(
            {
                "project": str(project),
                "board": done.board,
                "tool": done.tool,
                "command": list(done.command),
                "image": str(done.image),
                "bytes": done.bytes,
                "dry_run": dry_run,
            }
        )
    elif dry_run:
        print(done.text)
    else:
        note(f"{done.image}: {done.bytes} bytes on {done.board} by {done.tool}")
