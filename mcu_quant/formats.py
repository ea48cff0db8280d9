"""Formats: what comes with generated C. Adding one touches only templates/formats/<format>/.

format.toml describes the format. library/ has the files that come with the C of models for a core, project/
those of a firmware project for a board; `__package__` in their names is the library's name. A format without
project/ gives a library for a board too, one for the board's core.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcu_quant.errors import InvalidInputError
from mcu_quant.resources import directory

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: What `generate` writes unless it is told otherwise.
USUAL = "make"
#: In the names of template files: the library's name.
PACKAGE = "__package__"
#: Arduino's limit for the name of a library, the shortest of all formats.
_LONGEST_NAME = 63


@dataclass(frozen=True)
class Format:
    """One format. description: what it writes. models: the directory of the generated C in a library.

    next: what to do with a library; next_project: with a project. {output}, {absolute} and {package} stand
    for the directory, its absolute path and the library's name. files: its directory in templates/formats.
    """

    name: str
    description: str
    models: str
    next: str
    next_project: str
    files: Path = field(compare=False)

    @property
    def has_project(self) -> bool:
        """Whether it writes a whole project for a board."""
        return (self.files / "project").is_dir()

    def names_library(self, *, for_board: bool) -> bool:
        """Whether what it writes has a name of its own, beside those of the models."""
        return bool(self.templates("library")) and not (for_board and self.has_project)

    def advice(self, output: Path, package: str, *, for_board: bool) -> str:
        """What to do next with that directory, to be pasted; "" if there is nothing to say."""
        text = self.next_project if for_board and self.has_project else self.next
        return text.format(
            output=shlex.quote(output.as_posix()), absolute=output.absolute().as_posix(), package=package
        )

    def templates(self, kind: str) -> list[str]:
        """The templates of "library" or "project": paths in that directory, sorted; [] without it."""
        paths = (self.files / kind).rglob("*.j2")
        return sorted(path.relative_to(self.files / kind).as_posix() for path in paths)


def list_formats() -> list[str]:
    """The names of all formats, the usual one first."""
    names = {path.parent.name for path in (directory("templates") / "formats").glob("*/format.toml")}
    return [USUAL, *sorted(names - {USUAL})]


def load_format(name: str) -> Format:
    """Raises InvalidInputError for an unknown name."""
    if name not in list_formats():
        raise InvalidInputError(
            "there is no such format", value=name, hint=f"one of {', '.join(list_formats())}"
        )
    files = directory("templates") / "formats" / name
    table = tomllib.loads((files / "format.toml").read_text(encoding="utf-8"))
    texts = (table["description"], table["models"], table["next"], table.get("next_project", table["next"]))
    return Format(name, *texts, files=files)


def library_name(models: Sequence[str]) -> str:
    """What a library of those models is called by default. Raises InvalidInputError if it is too long."""
    name = "_".join(models)
    if len(name) > _LONGEST_NAME:
        raise InvalidInputError(
            f"the name of a library must have at most {_LONGEST_NAME} letters",
            value=name,
            hint="--name SHORTER",
        )
    return name
