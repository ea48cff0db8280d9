"""A kernel's call as C text: its parameter struct, and its arguments with the tables that they need."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from mcu_quant.codegen import literals
from mcu_quant.codegen.assembly import Assemblies
from mcu_quant.codegen.names import comment
from mcu_quant.codegen.tables import Tables
from mcu_quant.deployment import FAST, MAIN, STATE
from mcu_quant.kernels.base import Activation, Argument, Assembly, Constant, KernelCall
from mcu_quant.sections import Placement

#: Arena, or state block → the C pointer to its start.
POINTERS = {MAIN: "arena", FAST: "fast_arena", STATE: "state"}
#: Behind a pointer that is passed for scratch of no bytes: from NULL compilers conclude too much, and warn.
NO_SCRATCH = " /* no scratch */"


@dataclass(frozen=True)
class CallText:
    """kernel: the C function. params: (field, initializer). arguments: in its order, behind the params."""

    kernel: str
    params: tuple[tuple[str, str], ...]
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class CallWriter:
    """tables, assemblies: where what calls need is collected. placement: sections of layers' tables."""

    tables: Tables
    assemblies: Assemblies
    placement: Placement

    def write(
        self,
        function: str,
        call: KernelCall,
        stem: str,
        layer: str,
        activation: Callable[[str], str],
        scratch: str,
    ) -> CallText:
        """function: of the kernel. stem: of new tables' symbols. layer: the node's name.

        activation: the C expression for a tensor. scratch: the one for the kernel's scratch.
        """

        def text(argument: Argument) -> str:
            if isinstance(argument, Assembly):
                return self.assemblies.add(argument)
            if isinstance(argument, Constant):
                return self.table(stem, layer, argument.label, argument.data)
            return activation(argument.tensor) if isinstance(argument, Activation) else scratch

        params = tuple((field, literals.initializer(value)) for field, value in call.params.items())
        return CallText(f"mq_{function}", params, tuple(map(text, call.arguments)))

    def table(self, stem: str, layer: str, label: str, data: np.ndarray) -> str:
        """The symbol of a layer's table."""
        section = self.placement.section_of(layer)
        return self.tables.add(f"{stem}_{label}", data, f"{comment(layer)}, {label}", section)


@dataclass(frozen=True)
class Place:
    """An address in an arena, MAIN or FAST, or in the state block, STATE."""

    arena: str
    address: int

    @property
    def base(self) -> str:
        """The C pointer to the arena."""
        return POINTERS[self.arena]

    def text(self, dtype: str = "int8", step: str = "") -> str:
        """A C pointer to it. step: more C text that is added to the address."""
        place = f"{self.base} + {self.address}{step}"
        return place if dtype == "int8" else f"({literals.C_TYPES[dtype]} *)(void *)({place})"

    def __add__(self, count: int) -> Place:
        return Place(self.arena, self.address + count)


def pointers_in(texts: Iterable[str]) -> tuple[str, ...]:
    """The pointers to arenas and states that C expressions use."""
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    return tuple(pointer for pointer in POINTERS.values() if pointer in words)
