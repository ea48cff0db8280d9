"""mcu-quant boards: the boards that there are."""

from __future__ import annotations

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import print_json, print_table


@click.command("boards")
@options.JSON
def command(as_json: bool) -> None:
    """List the boards that firmware can be generated for."""
    from mcu_quant import pipeline

    facts = pipeline.board_facts()
    if as_json:
        print_json({"boards": facts})
        return
    columns = ("name", "core", "qemu", "flash_bytes", "ram_bytes")
    print_table("", columns, ([board[key] for key in columns] for board in facts))
