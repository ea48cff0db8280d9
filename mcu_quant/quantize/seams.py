"""Where layers of different types meet: each tensor gets one type, and converters stand between them.

A tensor is converted once for each type that is needed of it, right before the first node that reads it so;
what only the user reads is converted at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mcu_quant.ir import Graph, Node, Tensor, check, unique_name
from mcu_quant.quantize.kinds import Kind, Kinds
from mcu_quant.quantize.ranges import Ranges


@dataclass(frozen=True)
class Edges:
    """What the user sees: the types of the graph's inputs, and of its outputs."""

    inputs: Kind
    outputs: Kind


def with_seams(
    graph: Graph, ranges: Ranges, nodes: Mapping[str, Kind], edges: Edges
) -> tuple[Graph, Ranges, Kinds]:
    """The float graph with converters (which are nothing among floats), ranges of all, and what each is.

    nodes: the kind of every node. The graph's inputs and outputs keep their names; the tensor behind one
    that is of another type is called NAME/int8 (or /int16, /float32).
    """
    seams = _Seams(graph, nodes, edges)
    for node in graph.nodes:
        seams.add(node)
    for name in graph.outputs:
        seams.convert(name, edges.outputs)
    outputs = tuple(seams.variants.get((name, edges.outputs), name) for name in graph.outputs)
    states = tuple(replace(s, after=seams.variants[s.after, seams.own[s.after]]) for s in graph.states)
    changed = graph.with_(nodes=tuple(seams.nodes), tensors=seams.tensors, outputs=outputs, states=states)
    done = check(changed)
    spans = {name: ranges[source] for name, source in seams.sources.items() if source in ranges}
    return done, {**ranges, **spans}, Kinds(None, seams.kinds, seams.types)


@dataclass
class _Seams:
    graph: Graph
    given: Mapping[str, Kind]
    edges: Edges
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    #: (tensor of the graph, type) to the tensor that has it so.
    variants: dict[tuple[str, Kind], str] = field(default_factory=dict)
    #: New tensors, by name, to those of the graph that they are.
    sources: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, Kind] = field(default_factory=dict)
    types: dict[str, Kind] = field(default_factory=dict)
    #: The type that a tensor is computed in.
    own: dict[str, Kind] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tensors.update(self.graph.tensors)
        self.kinds.update(self.given)
        for name in self.graph.inputs:
            self._begin(name, self.edges.inputs)

    def add(self, node: Node) -> None:
        """The node, reading and writing tensors of its own type, behind what converts its inputs."""
        kind = self.given[node.name]
        inputs = tuple(None if name is None else self.convert(name, kind) for name in node.inputs)
        outputs = tuple(self._begin(name, kind) for name in node.outputs)
        self.nodes.append(replace(node, inputs=inputs, outputs=outputs))

    def convert(self, name: str, kind: Kind) -> str:
        """The tensor that has `name` in that type; a converter is added unless there is one."""
        if name not in self.own:
            return name  # a constant, or nothing that has a scale
        if (name, kind) not in self.variants:
            source = self.variants[name, self.own[name]]
            target = self._variant(name, kind)
            op = "dequantize" if kind is None else "quantize"
            taken = {node.name for node in (*self.graph.nodes, *self.nodes)}
            converter = unique_name(f"{name}/{op}", taken)
            self.kinds[converter] = kind
            self.nodes.append(Node(converter, op, None, (source,), (target,)))
        return self.variants[name, kind]

    def _begin(self, name: str, kind: Kind) -> str:
        """The tensor as it is computed, or given."""
        if self.graph.tensors[name].dtype != "float32":
            return name
        self.own[name] = kind
        return self._variant(name, kind)

    def _variant(self, name: str, kind: Kind) -> str:
        is_named = kind is (self.edges.outputs if self._is_shown(name) else self.own[name])
        dtype = "float32" if kind is None else kind.dtype
        variant = name if is_named else unique_name(f"{name}/{dtype}", self.tensors)
        self.tensors[variant] = replace(self.graph.tensors[name], name=variant)
        self.variants[name, kind] = variant
        self.types[variant] = kind
        self.sources[variant] = name
        return variant

    def _is_shown(self, name: str) -> bool:
        return name in self.graph.outputs and name not in self.graph.inputs
