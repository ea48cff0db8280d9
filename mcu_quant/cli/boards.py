"""mcu-quant boards: the boards that there are, and the start of a new one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import note, print_json, print_table
from mcu_quant.errors import InvalidInputError

_UNITS = {"": 1, "K": 1024, "M": 1024**2}


class _Size(click.ParamType):
    """Bytes: 131072, 0x20000, 128K, 1M."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(0x[0-9a-fA-F]+|[0-9]+)([KM]?)(?:i?B)?", value)
        if not match or (size := int(match[1], 0) * _UNITS[match[2]]) > 2**32:
            self.fail(f"{value!r} is no size: 131072, 0x20000, 128K and 1M are", param, ctx)
        return size


_SIZE = _Size()


@click.command("boards")
@click.option(
    "--new", "new", type=options.PATH, metavar="NAME", help="Start the directory of a new board there."
)
@click.option("--core", help="With --new: the core (cortex-m4, …).")
@click.option("--flash", "flash", type=_SIZE, help="With --new: the size of flash (512K, …).")
@click.option("--ram", "ram", type=_SIZE, help="With --new: the size of RAM.")
@click.option("--flash-address", type=_SIZE, help="With --new: where flash begins; 0 by default.")
@click.option("--ram-address", type=_SIZE, help="With --new: where RAM begins; 0x20000000 by default.")
@options.JSON
def command(
    new: Path | None,
    core: str | None,
    flash: int | None,
    ram: int | None,
    flash_address: int | None,
    ram_address: int | None,
    as_json: bool,
) -> None:
    """List the boards that firmware can be generated for, or start a new one."""
    from mcu_quant import pipeline

    facts_of_new = (core, flash, ram, flash_address, ram_address)
    if new is not None:
        if core is None or flash is None or ram is None:
            raise click.UsageError("--new needs --core, --flash and --ram")
        _start(new, core, (flash_address or 0, flash), (_or(ram_address, 0x20000000), ram), as_json)
        return
    if any(value is not None for value in facts_of_new):
        raise click.UsageError("--core, --flash, --ram and addresses are for --new")
    facts = pipeline.board_facts()
    if as_json:
        print_json({"boards": facts})
        return
    columns = ("name", "core", "chip", "qemu", "flash_bytes", "ram_bytes")
    print_table("", columns, ([board[key] for key in columns] for board in facts))


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _start(path: Path, core: str, flash: tuple[int, int], ram: tuple[int, int], as_json: bool) -> None:
    from mcu_quant import pipeline
    from mcu_quant.outputs import write_directory

    if path.exists():
        raise InvalidInputError(
            "a new board's directory must not exist", layer=str(path), hint="another name"
        )
    files = pipeline.new_board(path.name, core, flash, ram)
    write_directory(path, files, None)
    if as_json:
        print_json({"output": str(path), "files": sorted(files)})
        return
    note(f"{path}: {len(files)} files; its README.md lists what is to be filled in")
