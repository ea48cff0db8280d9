"""What generating code needs to know, gathered once: model, core, kernels, memory plan, options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcu_quant.choices import KERNEL_CHOICES, OPTIMIZE_MODES, require_choice
from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph
from mcu_quant.kernels.base import Core, Kernel
from mcu_quant.ops.bands import BandsAttrs
from mcu_quant.sections import UNPLACED, Placement

#: Every activation starts at a multiple of this in the arena, and so does the arena, in bytes.
ARENA_ALIGN = 16
TENSOR_ALIGN = 4
#: The arenas that a block may be in. There is a fast one only where --placement asks for it.
MAIN, FAST = "main", "fast"
#: Where states are, that live from run to run.
STATE = "state"


@dataclass(frozen=True)
class GenerateOptions:
    """The options that generate, run, verify, profile and inspect share.

    ram: the arena's limit in bytes. placement: the linker sections of weights. stream: the axis of the input
    along which the model streams, None if it does not; hop: how many frames of it come at once.
    """

    optimize: str = "balanced"
    kernels: str = "auto"
    keep_constant_channels: bool = False
    keep_input: bool = False
    ram: int | None = None
    placement: Placement = UNPLACED
    stream: int | None = None
    hop: int | None = None

    def __post_init__(self) -> None:
        require_choice("optimize mode", self.optimize, OPTIMIZE_MODES)
        require_choice("choice of kernels", self.kernels, KERNEL_CHOICES)
        if self.ram is not None and not (type(self.ram) is int and self.ram > 0):
            raise InvalidInputError("ram must be a positive number of bytes", value=repr(self.ram))
        for name, number in (("stream", self.stream), ("hop", self.hop)):
            if number is not None and type(number) is not int:
                raise InvalidInputError(f"{name} must be a whole number", value=repr(number))
        if self.hop is not None and self.stream is None:
            hint = "--stream AXIS, the axis of time of the model's input"
            raise InvalidInputError("--hop is for models that stream", value=self.hop, hint=hint)

    @property
    def frames(self) -> int:
        """The hop: 1 unless given."""
        return 1 if self.hop is None else self.hop

    def canonical(self) -> str:
        """The options as the command line would spell them, in fixed order: part of generated code."""
        words = [f"--optimize {self.optimize}", f"--kernels {self.kernels}"]
        words += ["--keep-constant-channels"] if self.keep_constant_channels else []
        words += ["--keep-input"] if self.keep_input else []
        words += [] if self.ram is None else [f"--ram {self.ram}"]
        words += [] if self.stream is None else [f"--stream {self.stream} --hop {self.frames}"]
        words += [] if self.placement == UNPLACED else [f"--placement {self.placement.canonical()}"]
        return " ".join(words)


@dataclass(frozen=True)
class ArenaBlock:
    """What has a place in the arena from step `first` to step `last`, both included.

    Step -1 is before the run (the caller writes inputs), step i is node i, step len(nodes) is after it
    (the caller reads outputs). name: of the first tensor that it stores, or of the node whose scratch it
    is. kind: "input", "output", "tensor" or "scratch". address, bytes: from the arena's start. arena: which
    of them it is, MAIN or FAST.
    """

    name: str
    kind: str
    address: int
    bytes: int
    first: int
    last: int
    arena: str = MAIN

    @property
    def end(self) -> int:
        return self.address + self.bytes

    def meets(self, other: ArenaBlock) -> bool:
        """Whether some step needs both."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class MemoryPlan:
    """Where everything is in the arena, in bytes from its start.

    addresses: every activation (tensors that are the same bytes share one). scratch: (address,
    bytes) per node, (0, 0) where none. live_bytes: bytes live while each node runs, scratch included.
    lower_bound: what no plan is below, for these kernels' overlap and even without their scratch: the
    largest set of bytes that live at once. disjoint_bytes: the same without any overlap.
    blocks: everything that has a place, with the steps that it is needed for.
    fast_arena_bytes: of the fast arena, 0 if there is one arena. fast: the tensors in it. fast_scratch: the
    nodes whose scratch is. lower_bound and live_bytes are of both.
    state_bytes: of the state block, 0 for models without states. states: the tensors that are in it;
    `addresses` has theirs, from its start.
    """

    arena_bytes: int
    addresses: Mapping[str, int]
    scratch: tuple[tuple[int, int], ...]
    live_bytes: tuple[int, ...]
    lower_bound: int
    disjoint_bytes: int = 0
    blocks: tuple[ArenaBlock, ...] = ()
    fast_arena_bytes: int = 0
    fast: frozenset[str] = frozenset()
    fast_scratch: frozenset[int] = frozenset()
    state_bytes: int = 0
    states: frozenset[str] = frozenset()

    @property
    def is_split(self) -> bool:
        return self.fast_arena_bytes > 0

    def arena_of(self, tensor: str) -> str:
        if tensor in self.states:
            return STATE
        return FAST if tensor in self.fast else MAIN

    def scratch_arena(self, node: int) -> str:
        return FAST if node in self.fast_scratch else MAIN

    def used_bytes(self, step: int) -> int:
        """Bytes of the arenas that a step needs; those that two blocks share count once."""
        count, ends = 0, {MAIN: 0, FAST: 0}
        for block in sorted(self.blocks, key=lambda block: block.address):
            if block.first <= step <= block.last:
                end = ends[block.arena]
                count += max(0, block.end - max(block.address, end))
                ends[block.arena] = max(end, block.end)
        return count

    @property
    def scratch_bytes(self) -> int:
        """Of the layer that needs most."""
        return max((size for _, size in self.scratch), default=0)

    @property
    def largest_layer(self) -> int:
        """The layer that uses most of the arena, the first of several; 0 for a model without layers."""
        return max(range(len(self.live_bytes)), key=self.used_bytes, default=0)


@dataclass(frozen=True)
class Deployment:
    """One model made ready for one core. kernels and plan.scratch run parallel to graph.nodes.

    name: the C prefix. fingerprint: SHA-256 (hex) of the .tflite file. source: the file's graph, where
    `graph` is an exact rewrite of it; what says which outputs are right. slowdown: cycles, as
    the kernels estimate them, over those without a limit of RAM.
    """

    name: str
    graph: Graph
    core: Core
    kernels: tuple[Kernel, ...]
    plan: MemoryPlan
    options: GenerateOptions = field(default_factory=GenerateOptions)
    fingerprint: str = ""
    source: Graph | None = None
    slowdown: float = 1.0

    def fitting(self) -> dict[str, Any]:
        """What a limit of RAM changed: the slowdown, and the layers that run in bands of rows."""
        banded = [node for node in self.graph.nodes if isinstance(node.attrs, BandsAttrs)]
        bands = [
            {
                "name": node.name,
                "layers": [inner.name for inner in node.attrs.graph.nodes],
                "bands": node.attrs.bands,
                "rows": node.attrs.rows,
            }
            for node in banded
        ]
        return {"slowdown": round(self.slowdown, 4), "bands": bands}

    @property
    def reference(self) -> Graph:
        return self.source or self.graph
