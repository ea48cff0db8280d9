"""Which memory the constant tables of each layer, and the arena, go to: the file of --placement.

    [weights]
    default = ".rodata"
    "conv_1" = "itcm"
    "depthwise_*" = "psram"

Left of the = are names of layers, or patterns of names as a shell has them (*, ?, [...]); right the section.
Of several lines that match a layer, the first holds.

    [arena]
    fast_bytes = 16384
    fast_section = "bram"

splits the arena: up to fast_bytes of it are in an arena of their own. The sections ("section" is the main
arena's) are those of a board, where a firmware project puts them; "ram" if they are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mcu_quant.errors import InvalidInputError
from mcu_quant.layer_patterns import Rules, first_match, read_toml, require_matches

#: Where constants go of themselves.
RODATA = ".rodata"
#: A board's own RAM.
RAM = "ram"
_SECTION = re.compile(r"[A-Za-z_.][A-Za-z0-9_.]{0,63}")
#: Compilers refuse constants in these, or they are not loaded.
_NOT_FOR_CONSTANTS = (".text", ".data", ".bss")


@dataclass(frozen=True)
class SplitArena:
    """fast_bytes: the most that the fast arena may have. fast_section, section: where both are on a board."""

    fast_bytes: int
    fast_section: str = RAM
    section: str = RAM

    def canonical(self) -> str:
        """As a TOML table on one line."""
        sections = f'fast_section = "{self.fast_section}", section = "{self.section}"'
        return f"{{fast_bytes = {self.fast_bytes}, {sections}}}"


@dataclass(frozen=True)
class Placement:
    """rules: (pattern of layer names, section), the first that matches holds. default: of all others.

    arena: None if it is in one piece.
    """

    default: str = RODATA
    rules: Rules = ()
    arena: SplitArena | None = None

    def section_of(self, layer: str) -> str:
        return first_match(self.rules, layer, self.default)

    @property
    def sections(self) -> tuple[str, ...]:
        """All that are named, RODATA left out, each once."""
        named = (self.default, *(section for _, section in self.rules))
        return tuple(dict.fromkeys(section for section in named if section != RODATA))

    @property
    def fast_bytes(self) -> int | None:
        """The most that the fast arena may have; None if the arena is in one piece."""
        return None if self.arena is None else self.arena.fast_bytes

    @property
    def arena_sections(self) -> tuple[str, str]:
        """Of the main arena, and of the fast one."""
        return (RAM, RAM) if self.arena is None else (self.arena.section, self.arena.fast_section)

    def canonical(self) -> str:
        """As a TOML table on one line: that of the weights, or one of both tables."""
        pairs = [f'default = "{self.default}"', *(f'"{p}" = "{section}"' for p, section in self.rules)]
        weights = "{" + ", ".join(pairs) + "}"
        return weights if self.arena is None else f"{{weights = {weights}, arena = {self.arena.canonical()}}}"


#: All weights where constants go of themselves.
UNPLACED = Placement()


def read_placement(path: Path) -> Placement:
    """Raises InvalidInputError."""
    table = read_toml(path, "placement")
    unknown = [key for key in table if key not in ("weights", "arena")]
    weights, arena = table.get("weights", {}), table.get("arena")
    if unknown or not table or not isinstance(weights, dict) or not isinstance(arena, (dict, type(None))):
        raise InvalidInputError(
            "a placement has the tables [weights], [arena] or both",
            layer=str(path),
            value=", ".join(unknown or table) or "none",
        )
    split = None if arena is None else _split_arena(arena, str(path))
    return replace(placement_of(weights, str(path)), arena=split)


def _split_arena(table: Mapping[str, object], where: str) -> SplitArena:
    fast_bytes = table.get("fast_bytes")
    if type(fast_bytes) is not int or fast_bytes <= 0:
        raise InvalidInputError(
            "fast_bytes must be a positive number of bytes",
            layer=f"{where}: [arena]",
            value=repr(fast_bytes),
            hint="fast_bytes = 16384",
        )
    sections: dict[str, str] = {}
    for key, section in table.items():
        if key in ("fast_section", "section"):
            if not isinstance(section, str) or not _SECTION.fullmatch(section):
                raise InvalidInputError(
                    "a section's name is letters, digits, _ and .",
                    layer=f"{where}: {key}",
                    value=repr(section),
                )
            sections[key] = section
        elif key != "fast_bytes":
            raise InvalidInputError(
                "[arena] has fast_bytes, fast_section and section", layer=where, value=key
            )
    return SplitArena(fast_bytes, **sections)


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
    require_matches("placement", [pattern for pattern, _ in placement.rules], layers)
    known = (RODATA, *(sections or ()))
    for section in placement.sections:
        if sections is not None and section not in known:
            raise InvalidInputError(
                f"a section must be one that {where} has", value=section, hint=", ".join(known)
            )
    for section in () if placement.arena is None else placement.arena_sections:
        if sections is not None and section not in sections:
            raise InvalidInputError(
                f"an arena's section must be one that {where} has", value=section, hint=", ".join(sections)
            )
