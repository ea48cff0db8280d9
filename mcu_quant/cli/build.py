"""mcu-quant build: compile and link a generated firmware project."""

from __future__ import annotations

from pathlib import Path

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import print_json, print_table


@click.command("build")
@click.argument("project", type=options.PATH)
@options.JSON
def command(project: Path, as_json: bool) -> None:
    """Build the firmware PROJECT that `generate --board` wrote."""
    from mcu_quant.building import build_project

    images = build_project(project)
    if as_json:
        keys = ("code_bytes", "const_bytes", "zero_bytes")
        print_json(
            {
                "project": str(project),
                "images": [{"path": str(i.path)} | {key: getattr(i, key) for key in keys} for i in images],
            }
        )
        return
    rows = [(str(i.path), i.code_bytes, i.const_bytes, i.zero_bytes) for i in images]
    print_table("", ("image", "code bytes", "constant bytes", "zeroed bytes"), rows)
