"""A kernel's call as C text: its parameter struct, and its arguments with the tables that they need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mcu_quant.codegen import literals
from mcu_quant.codegen.assembly import Assemblies
from mcu_quant.codegen.tables import Tables
from mcu_quant.kernels.base import Activation, Argument, Assembly, Constant, KernelCall


@dataclass(frozen=True)
class CallText:
    """kernel: the C function. params: (field, initializer). arguments: in its order, behind the params."""

    kernel: str
    params: tuple[tuple[str, str], ...]
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class CallWriter:
    """tables, assemblies: where what calls need is collected."""

    tables: Tables
    assemblies: Assemblies

    def write(
        self,
        function: str,
        call: KernelCall,
        stem: str,
        title: str,
        activation: Callable[[str], str],
        scratch: str,
    ) -> CallText:
        """function: of the kernel. stem: of new tables' symbols. title: the layer, in comments.

        activation: the C expression for a tensor. scratch: the one for the kernel's scratch.
        """

        def text(argument: Argument) -> str:
            if isinstance(argument, Assembly):
                return self.assemblies.add(argument)
            if isinstance(argument, Constant):
                return self.tables.add(
                    f"{stem}_{argument.label}", argument.data, f"{title}, {argument.label}"
                )
            return activation(argument.tensor) if isinstance(argument, Activation) else scratch

        params = tuple((field, literals.initializer(value)) for field, value in call.params.items())
        return CallText(f"mq_{function}", params, tuple(map(text, call.arguments)))


def arena_pointer(dtype: str, address: int, step: str = "") -> str:
    """step: more C text that is added to the address."""
    place = f"arena + {address}{step}"
    return place if dtype == "int8" else f"({literals.C_TYPES[dtype]} *)(void *)({place})"
