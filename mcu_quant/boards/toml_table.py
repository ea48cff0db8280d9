"""A table of TOML that is read key by key, so that what nobody read can be refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcu_quant.errors import InvalidModelError

_NOT_IN_TEXT = '"\\*'


class TomlTable:
    """where: what errors call the table. Every method that reads a key raises InvalidModelError."""

    def __init__(self, where: str, table: Mapping[str, Any]) -> None:
        self._where = where
        self._rest = dict(table)

    def error(
        self, rule: str, value: object, hint: str = "docs/PORTING_A_BOARD.md has every key"
    ) -> InvalidModelError:
        return InvalidModelError(rule, layer=self._where, value=value, hint=hint)

    def table(self, key: str) -> TomlTable:
        return TomlTable(f"{self._where} [{key}]", self._take(key, dict, "a table"))

    def optional_table(self, key: str) -> TomlTable:
        """The table; an empty one if it is not there."""
        return self.table(key) if key in self._rest else TomlTable(f"{self._where} [{key}]", {})

    def tables(self, key: str) -> list[TomlTable]:
        """An array of tables; none if it is not there."""
        found = self._rest.pop(key, [])
        if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
            raise self.error(f"{key} must be an array of tables", repr(found), f"[[{key}]]")
        return [TomlTable(f"{self._where} [[{key}]] {i + 1}", table) for i, table in enumerate(found)]

    def has(self, key: str) -> bool:
        return key in self._rest

    def names(self) -> list[str]:
        """What is still to be read."""
        return list(self._rest)

    def boolean(self, key: str) -> bool:
        if not isinstance(value := self._rest.pop(key, None), bool):
            raise self.error(f"{key} must be true or false", repr(value))
        return value

    def string(self, key: str) -> str:
        return self._text(key, self._take(key, str, "a string"))

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of them; none if it is not there."""
        if key not in self._rest:
            return ()
        return tuple(self._text(key, text) for text in self._take(key, list, "a list of strings"))

    def integer(self, key: str, minimum: int, default: int | None = None) -> int:
        if default is not None and key not in self._rest:
            return default
        value: int = self._take(key, int, "an integer")
        if not minimum <= value <= 2**32:
            raise self.error(f"{key} must be from {minimum} to 2**32", value)
        return value

    def finish(self) -> None:
        if self._rest:
            raise self.error("there is no such key", ", ".join(sorted(self._rest)))

    def _text(self, key: str, value: object) -> str:
        if (
            not isinstance(value, str)
            or not value.isprintable()
            or not value
            or set(value) & set(_NOT_IN_TEXT)
        ):
            raise self.error(
                f"{key} must be printable, without quotes, backslashes and asterisks", repr(value)
            )
        return value

    def _take(self, key: str, kind: type, what: str) -> Any:
        if key not in self._rest:
            raise self.error(f"{key} is missing; it must be {what}", "nothing")
        value = self._rest.pop(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.error(f"{key} must be {what}", repr(value))
        return value
