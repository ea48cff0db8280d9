"""A kernel's call as C text: its parameter struct, and its arguments with the tables that they need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mcu_quant.codegen import literals
from mcu_quant.codegen.assembly import Assemblies
from mcu_quant.codegen.names import comment
from mcu_quant.codegen.tables import Tables
from mcu_quant.kernels.base import Activation, Argument, Assembly, Constant, KernelCall
from mcu_quant.sections import Placement


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


def arena_pointer(dtype: str, address: int, step: str = "") -> str:
    """step: more C text that is added to the address."""
    place = f"arena + {address}{step}"
    return place if dtype == "int8" else f"({literals.C_TYPES[dtype]} *)(void *)({place})"
