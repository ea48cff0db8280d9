"""What a C kernel has to say. The C itself is templates/kernels/<family>/<name>.h.

Every kernel is `static` C99 in a header that compiles unrendered. Its function is
    mq_<name>(const mq_<name>_params_t *params, <arguments in the order of KernelCall.arguments>)
and walks its output's rows upward; activations are never `restrict`, so that planned overlap works.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcu_quant.ir import BoundNode, Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.copy import COPY


@dataclass(frozen=True)
class Core:
    """A CPU that code is generated for. families: kernel families it runs, best first."""

    name: str
    families: tuple[str, ...]
    gcc_flags: tuple[str, ...]


CORES: Mapping[str, Core] = {
    core.name: core
    for core in (
        Core("generic", ("portable",), ()),
        Core("cortex-m0", ("thumb1", "portable"), ("-mcpu=cortex-m0", "-mthumb")),
        Core("cortex-m0plus", ("thumb1", "portable"), ("-mcpu=cortex-m0plus", "-mthumb")),
        Core("cortex-m3", ("armv7m", "portable"), ("-mcpu=cortex-m3", "-mthumb")),
        Core(
            "cortex-m4",
            ("dsp", "armv7m", "portable"),
            ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
        ),
        Core(
            "cortex-m7",
            ("dsp", "armv7m", "portable"),
            ("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
        ),
        Core(
            "cortex-m33",
            ("dsp", "armv7m", "portable"),
            ("-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
        ),
        Core("cortex-m55", ("mve", "dsp", "portable"), ("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard")),
    )
}


@dataclass(frozen=True)
class Activation:
    """An argument that points at a tensor in the arena (or at a constant tensor of the graph)."""

    tensor: str


@dataclass(frozen=True, eq=False)
class Constant:
    """An argument that points at a table in flash. label: "weights", "bias", "multiplier", …

    data: int8, uint8, int16, uint16, int32 or float32; the C type follows from the dtype.
    """

    label: str
    data: np.ndarray


@dataclass(frozen=True)
class Scratch:
    """An argument that points at the kernel's scratch in the arena (int8_t *)."""


@dataclass(frozen=True)
class Assembly:
    """An argument that points at a function in assembly, rendered for one shape; hosts get its C twin.

    stem: what the symbol ends with. body: Thumb instructions from the first to the return, labels
    numeric (`1:`, `1b`). guard: the preprocessor condition of the cores that have the instructions.
    function_type: its C type, `mq_…_function_t`, a typedef of the kernel's header; twin: the function
    in C of that type there, `mq_…_twin`.
    """

    stem: str
    body: str
    guard: str
    function_type: str
    twin: str


Argument = Activation | Constant | Scratch | Assembly


@dataclass(frozen=True)
class KernelCall:
    """One call. params: the fields of mq_<name>_params_t, in its order; tuples are C arrays."""

    params: Mapping[str, int | float | tuple[int, ...]]
    arguments: tuple[Argument, ...]


class Kernel(ABC):
    """One kernel's story. Subclasses are stateless; one instance is in kernels.KERNELS."""

    #: Unique among kernels.
    name: str
    #: The C function is mq_<function>, its file templates/kernels/<family>/<function>.h. The kernel's name,
    #: unless several kernels share one: they differ in what Python decides, such as the assembly.
    function: str
    family: ClassVar[str] = "portable"
    #: The IR operators it computes.
    ops: ClassVar[tuple[str, ...]]
    #: The arithmetics that it has, of ops.forms.FORMS.
    forms: ClassVar[tuple[str, ...]] = ("int8",)
    #: The --optimize modes that it is for.
    modes: tuple[str, ...] = ("time", "balanced", "size")
    #: It computes nothing: the output is the input's bytes (a reshape).
    is_alias: ClassVar[bool] = False
    #: Whether the output may begin behind its input's start, where `overlap` says so; else below 0 means 0.
    begins_inside: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        if "function" not in vars(cls) and "name" in vars(cls):
            cls.function = cls.name

    def refusal(self, node: BoundNode) -> str | None:
        """Why the kernel cannot compute this node, or None if it can."""
        return None

    @abstractmethod
    def call(self, node: BoundNode) -> KernelCall:
        """Parameters, packed constants and arguments."""

    def calls(self, node: BoundNode) -> tuple[KernelCall, ...]:
        """All calls of the node: one, none where nothing has to run, several where `parts` are."""
        return () if self.is_alias else (self.call(node),)

    def scratch_bytes(self, node: BoundNode) -> int:
        return 0

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """For each input, the least address(input) - address(output), in bytes, at which no unread
        input is overwritten; None if the two must be disjoint. The default is the safe answer."""
        return (None,) * len(node.inputs)

    def scratch_overlap(self, node: BoundNode) -> int | None:
        """The least address(input 0) - address(scratch), in bytes, at which the scratch takes no unread input
        and nothing that is needed later; None if the two must be disjoint."""
        return None

    @property
    def parts(self) -> tuple[Kernel, ...]:
        """The kernels whose C is called: this one, unless it is made of others."""
        return (self,)

    def in_place(self, node: BoundNode) -> bool:
        """Whether the output may begin exactly where input 0 does, although not anywhere near it.

        So it is with kernels that go through channels, or lines, apart, not through rows.
        """
        return False

    def cycles(self, node: BoundNode, core: Core) -> float:
        """Modelled cycles of one inference, by which the kernel is chosen. The default: a plain loop."""
        return 12.0 * OPERATORS[node.node.op].macs(node) + 30.0 * node.output.elements

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        """`cycles` where the C is compiled for that mode: it differs for kernels that are for several."""
        return self.cycles(node, core)


def tensor_arguments(node: BoundNode, inputs: int) -> tuple[Activation, ...]:
    """The first so many inputs, then the output: what a kernel without tables of its own is called with."""
    return (*(Activation(node.input(index).name) for index in range(inputs)), Activation(node.output.name))


def storage_of(graph: Graph, kernels: Sequence[Kernel]) -> dict[str, str]:
    """For every tensor, the one whose place it has: itself, what an alias kernel was given, or a state.

    kernels: one per node. A tensor may turn out to be a constant's bytes. A state after the run is where it
    was before, also one that is copied there at last (optimize/states.py).
    """
    storage = {name: name for name in graph.tensors}
    stored = {state.after: state.before for state in graph.states}
    for node, kernel in zip(graph.bound_nodes(), kernels, strict=True):
        if kernel.is_alias:
            storage[node.output.name] = storage[node.input(0).name]
        for position, output in OPERATORS[node.node.op].state_inputs.items():
            if (state := node.optional_input(position)) is not None:
                storage[node.outputs[output].name] = storage[state.name]
        if node.node.op == COPY.name and node.output.name in stored:
            storage[node.output.name] = stored[node.output.name]
    return storage
