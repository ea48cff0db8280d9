"""mcu-quant build: compile and link a generated firmware project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import memory_lines, note, print_json, print_table

if TYPE_CHECKING:
    from mcu_quant.building import Image


@click.command("build")
@click.argument("project", type=options.PATH)
@options.JSON
def command(project: Path, as_json: bool) -> None:
    """Build the firmware PROJECT that `generate --board` wrote."""
    from mcu_quant.building import build_project

    images = build_project(project)
    if as_json:
        print_json({"project": str(project), "images": [_facts(image) for image in images]})
        return
    rows = [(str(i.path), i.code_bytes, i.const_bytes, i.zero_bytes) for i in images]
    print_table("", ("image", "code bytes", "constant bytes", "zeroed bytes"), rows)
    for image in images:
        note(f"{image.path}:")
        for line in memory_lines([room.as_json() for room in image.rooms]):
            note(line)


def _facts(image: Image) -> dict[str, Any]:
    sizes = {key: getattr(image, key) for key in ("code_bytes", "const_bytes", "zero_bytes")}
    return {"path": str(image.path), **sizes, "memory": [room.as_json() for room in image.rooms]}
