"""Which linker section the constant tables of each layer go to: the file of --placement.

    [weights]
    default = ".rodata"
    "conv_1" = "itcm"
    "depthwise_*" = "psram"

Left of the = are names of layers, or patterns of names as a shell has them (*, ?, [...]); right the section.
Of several lines that match a layer, the first holds.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from mcu_quant.errors import InvalidInputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Where constants go of themselves.
RODATA = ".rodata"
_SECTION = re.compile(r"[A-Za-z_.][A-Za-z0-9_.]{0,63}")
#: Compilers refuse constants in these, or they are not loaded.
_NOT_FOR_CONSTANTS = (".text", ".data", ".bss")
_MOST_SHOWN, _LONGEST_SHOWN = 40, 60


@dataclass(frozen=True)
class Placement:
    """rules: (pattern of layer names, section), the first that matches holds. default: of all others."""

    default: str = RODATA
    rules: tuple[tuple[str, str], ...] = ()

    def section_of(self, layer: str) -> str:
        return next((section for pattern, section in self.rules if _matches(pattern, layer)), self.default)

    @property
    def sections(self) -> tuple[str, ...]:
        """All that are named, RODATA left out, each once."""
        named = (self.default, *(section for _, section in self.rules))
        return tuple(dict.fromkeys(section for section in named if section != RODATA))

    def canonical(self) -> str:
        """As a TOML table on one line."""
        pairs = [f'default = "{self.default}"', *(f'"{p}" = "{section}"' for p, section in self.rules)]
        return "{" + ", ".join(pairs) + "}"


#: All weights where constants go of themselves.
UNPLACED = Placement()


def read_placement(path: Path) -> Placement:
    """Raises InvalidInputError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInputError(
            "the placement must be readable TOML", layer=str(path), value=error
        ) from error
    unknown = [key for key in table if key != "weights"]
    weights = table.get("weights")
    if unknown or not isinstance(weights, dict):
        raise InvalidInputError(
            "a placement has one table, [weights]", layer=str(path), value=", ".join(unknown) or "none"
        )
    return placement_of(weights, str(path))


def placement_of(weights: Mapping[str, object], where: str = "placement") -> Placement:
    """From the table: "default" or a pattern → section. Raises InvalidInputError."""
    for pattern, section in weights.items():
        if not isinstance(section, str) or not _SECTION.fullmatch(section):
            raise InvalidInputError(
                "a section's name is letters, digits, _ and .",
                layer=f"{where}: {pattern}",
                value=repr(section),
            )
        if section.startswith(_NOT_FOR_CONSTANTS):
            raise InvalidInputError(
                "weights are constants and cannot go to sections of code or variables",
                layer=f"{where}: {pattern}",
                value=section,
                hint=f"{RODATA}, or a section of your own",
            )
    rules = tuple((pattern, str(section)) for pattern, section in weights.items() if pattern != "default")
    return Placement(str(weights.get("default", RODATA)), rules)


def check_placement(
    placement: Placement, layers: Sequence[str], sections: Sequence[str] | None, where: str
) -> None:
    """Refuse patterns that match no layer, and sections that are not among those given (None: any will do).

    where: whose sections they are, for the message. Raises InvalidInputError.
    """
    for pattern, _ in placement.rules:
        if not any(_matches(pattern, layer) for layer in layers):
            raise InvalidInputError(
                "a line of the placement must match a layer",
                value=pattern,
                hint=_listed("the layers", layers),
            )
    known = (RODATA, *(sections or ()))
    for section in placement.sections:
        if sections is not None and section not in known:
            raise InvalidInputError(
                f"a section must be one that {where} has", value=section, hint=", ".join(known)
            )


def _listed(what: str, names: Sequence[str]) -> str:
    rest = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    shown = [name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}..." for name in names]
    return f"{what} are {', '.join(shown[:_MOST_SHOWN])}{rest}"


def _matches(pattern: str, layer: str) -> bool:
    return pattern == layer or fnmatchcase(layer, pattern)
