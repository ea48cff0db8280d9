"""How every template is rendered: strict about names, and with blocks that leave no empty lines."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mcu_quant.resources import directory


@cache
def environment(kind: str, *, before: Path | None = None, escape: bool = False) -> Environment:
    """One for the process: it keeps the compiled templates.

    kind: the directory in templates/; names that begin with such a directory are good, too. before: a
    directory whose files take the place of those there. escape: the output is XML. Filter `hex`: an address
    as C has it.
    """
    places = [str(directory("templates") / kind), str(directory("templates"))]
    made = Environment(
        loader=FileSystemLoader([*([str(before)] if before else []), *places]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=escape,
    )
    made.filters["hex"] = lambda value: f"0x{value:08X}"
    return made
