"""The functions in assembly that a model's kernels are given, each text once, in <name>_kernels.S."""

from __future__ import annotations

from dataclasses import dataclass

from mcu_quant.codegen.names import UniqueNames, identifier
from mcu_quant.kernels.base import Assembly


@dataclass(frozen=True)
class AssemblyFunction:
    symbol: str
    source: Assembly

    @property
    def lines(self) -> list[str]:
        """The body, instructions indented, labels at the margin."""
        stripped = (line.strip() for line in self.source.body.strip().splitlines())
        return [line if line.endswith(":") or line.startswith("#") else f"    {line}" for line in stripped]


class Assemblies:
    """Collects functions in order of first use."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._names = UniqueNames()
        self._functions: dict[Assembly, AssemblyFunction] = {}

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._functions.values())

    def add(self, source: Assembly) -> str:
        """The symbol of the function with that text."""
        if source not in self._functions:
            symbol = self._names.take(f"{self._prefix}_{identifier(source.stem)}")
            self._functions[source] = AssemblyFunction(symbol, source)
        return self._functions[source].symbol
