"""The graph that every stage reads and no stage changes: frozen tensors, nodes and graphs.

It carries float, integer and mixed graphs alike. Activations have their batch dimension in
`shape` (it is 1: a microcontroller runs one sample). Layouts: activations NHWC; weights OHWI for
conv_2d, 1HWO for depthwise_conv_2d, OI for fully_connected.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

#: float16 is for constants only: it is widened where it is used.
DTYPES = ("float32", "float16", "int8", "uint8", "int16", "int32", "int64", "bool")


@dataclass(frozen=True)
class QuantParams:
    """real = scale * (q - zero_point).

    scale: positive float32 values (held as Python floats, exactly). zero_point: integers.
    Both have one element per tensor (channel_axis None) or one per index of channel_axis.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    channel_axis: int | None = None

    @classmethod
    def per_tensor(cls, scale: float, zero_point: int = 0) -> QuantParams:
        return cls((float(np.float32(scale)),), (int(zero_point),))

    @classmethod
    def per_channel(cls, scales: Iterable[float], channel_axis: int) -> QuantParams:
        """Symmetric: every zero_point is 0."""
        values = tuple(float(np.float32(s)) for s in scales)
        return cls(values, (0,) * len(values), channel_axis)

    def broadcast_scale(self, rank: int) -> np.ndarray:
        """scale as float64, shaped to multiply a tensor of that rank."""
        return self._broadcast(np.asarray(self.scale, np.float64), rank)

    def broadcast_zero_point(self, rank: int) -> np.ndarray:
        """zero_point as int64, shaped to be taken from a tensor of that rank."""
        return self._broadcast(np.asarray(self.zero_point, np.int64), rank)

    def _broadcast(self, values: np.ndarray, rank: int) -> np.ndarray:
        if self.channel_axis is None:
            return values.reshape(())
        return values.reshape([-1 if i == self.channel_axis else 1 for i in range(rank)])


@dataclass(frozen=True, eq=False)
class ValueRange:
    """What a quantized tensor can hold, whatever the input: low[c] <= q <= high[c].

    low, high: int64 [channels], the tensor's last axis. Sound, not tight (optimize/ranges.py).
    """

    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Tensor:
    """A value of the graph. data is set for constants only and is read-only.

    Constant or not, `shape` is the full shape. quant is None for float tensors and for integer
    tensors that are plain numbers. value_range: set by the optimizer, None if nothing is known.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    quant: QuantParams | None = None
    data: np.ndarray | None = None
    value_range: ValueRange | None = None

    def __post_init__(self) -> None:
        if self.data is not None:
            frozen = np.asarray(self.data, order="C")  # ascontiguousarray would give a scalar an axis
            if frozen.flags.writeable:
                frozen = frozen.copy() if frozen is self.data else frozen
                frozen.flags.writeable = False
            object.__setattr__(self, "data", frozen)

    @classmethod
    def constant(cls, name: str, data: np.ndarray, quant: QuantParams | None = None) -> Tensor:
        return cls(name, tuple(data.shape), data.dtype.name, quant, data)

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.elements * np.dtype(self.dtype).itemsize

    @property
    def scale(self) -> float:
        """The per-tensor scale; an error of ours if there is none."""
        assert self.quant is not None and len(self.quant.scale) == 1, self.name
        return self.quant.scale[0]

    @property
    def zero_point(self) -> int:
        assert self.quant is not None and len(self.quant.zero_point) == 1, self.name
        return self.quant.zero_point[0]


@dataclass(frozen=True)
class Node:
    """One operator applied. name: the layer's name as the user knows it, unique in the graph.

    op: the operator's name (a key of ops.OPERATORS). attrs: the operator's frozen attributes.
    inputs and outputs: tensor names; an absent optional input (a bias) is None.
    """

    name: str
    op: str
    attrs: Any
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]

    def renamed(self, names: Mapping[str, str]) -> Node:
        """The same node of tensors under other names; what is not in names keeps its own."""
        inputs = tuple(None if name is None else names.get(name, name) for name in self.inputs)
        return replace(self, inputs=inputs, outputs=tuple(names.get(name, name) for name in self.outputs))


@dataclass(frozen=True)
class BoundNode:
    """A node together with its tensors: what operators and kernels look at."""

    node: Node
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def attrs(self) -> Any:
        return self.node.attrs

    def input(self, index: int) -> Tensor:
        """An input that must be there."""
        tensor = self.inputs[index]
        assert tensor is not None, f"{self.name}: input {index} is absent"
        return tensor

    def optional_input(self, index: int) -> Tensor | None:
        return self.inputs[index] if index < len(self.inputs) else None

    @property
    def output(self) -> Tensor:
        """The first output: what the operator is for. Others are states after the run (Graph.states)."""
        return self.outputs[0]


@dataclass(frozen=True)
class TrainedQuantization:
    """What quantization-aware training has settled, of a float graph as it is to be quantized.

    ranges: (range_min, range_max), real numbers, by tensor name; the quantizer gives tensors that share
    a scale with one of these the same. unseen: tensors whose range never saw data. per_tensor: how the
    weights were rounded.
    """

    ranges: Mapping[str, tuple[float, float]]
    unseen: tuple[str, ...] = ()
    per_tensor: bool = False


@dataclass(frozen=True, eq=False)
class State:
    """A value that lives from one run to the next.

    before, after: the tensors that hold it when a run begins and when it ends, of one shape, dtype and quant,
    so that a graph with states is a function all the same. initial: before the first run, as that dtype.
    """

    before: str
    after: str
    initial: np.ndarray


@dataclass(frozen=True)
class Streaming:
    """How a graph streams: each run takes the next `hop` frames along an axis of its one input, and gives
    what the window model gives of the `frames` frames that end with them.

    rows: for each output that still varies in time, (axis, first, end), which of the window model's rows it
    is; else None. whole: the layers that compute all rows of a window in each run.
    """

    axis: int
    hop: int
    frames: int
    rows: tuple[tuple[int, int, int] | None, ...]
    whole: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graph:
    """nodes are in execution order. tensors: by name, constants included.

    states: what is kept from run to run. trained: None unless the model was trained with quantization; such a
    graph needs no passes. streaming: None unless it is a window model that was made to stream.
    """

    name: str
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    trained: TrainedQuantization | None = None
    states: tuple[State, ...] = ()
    streaming: Streaming | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """What exists before the first node runs, constants apart: the inputs, and states before the run."""
        return (*self.inputs, *(state.before for state in self.states))

    @property
    def kept(self) -> tuple[str, ...]:
        """What is needed after the last node: the outputs, and states after the run."""
        return (*self.outputs, *(state.after for state in self.states))

    def bind(self, node: Node) -> BoundNode:
        return BoundNode(
            node,
            tuple(None if name is None else self.tensors[name] for name in node.inputs),
            tuple(self.tensors[name] for name in node.outputs),
        )

    def bound_nodes(self) -> Iterator[BoundNode]:
        return (self.bind(node) for node in self.nodes)

    def input_tensors(self) -> tuple[Tensor, ...]:
        return tuple(self.tensors[name] for name in self.inputs)

    def output_tensors(self) -> tuple[Tensor, ...]:
        return tuple(self.tensors[name] for name in self.outputs)

    def consumers(self) -> dict[str, list[Node]]:
        """The nodes that read each tensor, in order; outputs of the graph are not listed."""
        readers: dict[str, list[Node]] = {name: [] for name in self.tensors}
        for node in self.nodes:
            for name in node.inputs:
                if name is not None:
                    readers[name].append(node)
        return readers

    def producers(self) -> dict[str, Node]:
        return {name: node for node in self.nodes for name in node.outputs}

    def with_(self, **changes: Any) -> Graph:
        """A copy with those fields replaced and tensors that nothing uses dropped."""
        return _drop_unused_tensors(replace(self, **changes))


def _drop_unused_tensors(graph: Graph) -> Graph:
    used = {*graph.sources, *graph.kept}
    for node in graph.nodes:
        used.update(name for name in node.inputs if name is not None)
        used.update(node.outputs)
    tensors = {name: tensor for name, tensor in graph.tensors.items() if name in used}
    return replace(graph, tensors=tensors)


def unique_name(name: str, *taken: Container[str]) -> str:
    """name, or name_1, name_2, … if it is in one of those."""
    candidate, count = name, 0
    while any(candidate in names for names in taken):
        count += 1
        candidate = f"{name}_{count}"
    return candidate


def state_name(node: str, index: int) -> str:
    """The name of a node's output at that position, after the node's: those behind the first are states."""
    return f"{node}/state_{index}" if index else node


def check(graph: Graph) -> Graph:
    """Assert the invariants that every stage relies on, and return the graph.

    Run after every pass: a failure is a bug of ours, so it is an AssertionError.
    """
    names = [node.name for node in graph.nodes]
    assert len(names) == len(set(names)), f"node names repeat: {sorted(names)}"
    known = {*graph.sources}
    assert len(known) == len(graph.sources), "an input or state is there twice"
    for name, tensor in graph.tensors.items():
        _check_tensor(name, tensor)
        if tensor.is_constant:
            known.add(name)
    for node in graph.nodes:
        for read in node.inputs:
            assert read is None or read in known, f"{node.name} reads {read} before it is written"
        for name in node.outputs:
            assert name not in known, f"{node.name} writes {name} a second time"
            known.add(name)
    for name in graph.kept:
        assert name in known, f"output or state {name} is never written"
    for state in graph.states:
        _check_state(graph, state)
    return graph


def _check_state(graph: Graph, state: State) -> None:
    before, after = graph.tensors[state.before], graph.tensors[state.after]
    assert not before.is_constant, f"{before.name} is a constant"
    assert (before.shape, before.dtype, before.quant) == (after.shape, after.dtype, after.quant), after.name
    assert (state.initial.shape, state.initial.dtype.name) == (before.shape, before.dtype), before.name


def _check_tensor(name: str, tensor: Tensor) -> None:
    assert tensor.name == name, f"{tensor.name} is filed under {name}"
    assert tensor.dtype in DTYPES, f"{name}: dtype {tensor.dtype}"
    assert tensor.is_constant or tensor.dtype != "float16", f"{name}: float16 that is computed"
    assert all(isinstance(size, int) and size > 0 for size in tensor.shape), f"{name}: {tensor.shape}"
    if tensor.data is not None:
        assert tensor.data.shape == tensor.shape, f"{name}: {tensor.data.shape} != {tensor.shape}"
        assert tensor.data.dtype.name == tensor.dtype, f"{name}: {tensor.data.dtype}"
    quant = tensor.quant
    if quant is not None:
        axis = quant.channel_axis
        count = 1 if axis is None else tensor.shape[axis]
        assert len(quant.scale) == len(quant.zero_point) == count, f"{name}: {quant}"
        assert all(math.isfinite(s) and s > 0 for s in quant.scale), f"{name}: {quant}"
