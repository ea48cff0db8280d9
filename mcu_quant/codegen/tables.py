"""The constants of a model as tables in flash, each content once in a section."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from mcu_quant.codegen import literals
from mcu_quant.codegen.names import UniqueNames


@dataclass
class Table:
    """users: "layer, label" of every call that reads it; the first gave the symbol. section: the linker's."""

    symbol: str
    data: np.ndarray
    section: str
    users: list[str] = field(default_factory=list)

    @property
    def c_type(self) -> str:
        return literals.C_TYPES[self.data.dtype.name]

    @property
    def elements(self) -> int:
        return int(self.data.size)

    @property
    def bytes(self) -> int:
        return int(self.data.nbytes)

    @property
    def shape(self) -> str:
        return literals.shape(self.data.shape)

    @property
    def rows(self) -> list[str]:
        return literals.rows(self.data)


class Tables:
    """Collects tables in order of first use."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._names = UniqueNames()
        self._by_content: dict[tuple[str, str, bytes], Table] = {}

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._by_content.values())

    def add(self, name: str, data: np.ndarray, user: str, section: str) -> str:
        """The symbol of the table with that content in that section; prefix_name unless it exists already."""
        key = (section, data.dtype.name, hashlib.sha256(np.ascontiguousarray(data).tobytes()).digest())
        if key not in self._by_content:
            self._by_content[key] = Table(self._names.take(f"{self._prefix}_{name}"), data, section)
        table = self._by_content[key]
        table.users.append(user)
        return table.symbol
