"""Operators that no file has, written as several that it has, where activations are float32."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node, Tensor, check, unique_name
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import Shape
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.normalization import LayerNormalizationAttrs
from mcu_quant.ops.reduction import ReductionAttrs


def lower_compositions(graph: Graph) -> Graph:
    """The graph with each composition as what it is made of; the last part has its name and output."""
    return lowered(graph, [node.name for node in graph.nodes if OPERATORS[node.op].is_composition])[0]


def lowered(graph: Graph, names: Collection[str]) -> tuple[Graph, dict[str, str]]:
    """(the graph with those compositions as what they are made of, each node's composition by the node)."""
    if not names:
        return graph, {}
    draft = _Draft(graph, dict(graph.tensors))
    origins: dict[str, str] = {}
    for node in graph.bound_nodes():
        before = len(draft.nodes)
        if node.name in names:
            _LOWERINGS[node.node.op](draft, node)
            draft.finish(node)
            origins |= {part.name: node.name for part in draft.nodes[before:]}
        else:
            draft.nodes.append(node.node)
    return check(graph.with_(nodes=tuple(draft.nodes), tensors=draft.tensors)), origins


@dataclass
class _Draft:
    graph: Graph
    tensors: dict[str, Tensor]
    nodes: list[Node] = field(default_factory=list)

    def part(self, node: BoundNode, part: str, op: str, inputs: tuple[str, ...], attrs: object = None) -> str:
        """A node of one float32 output, both called like the composition's and /part; returns the output."""
        name = unique_name(f"{node.name}/{part}", {n.name for n in (*self.graph.nodes, *self.nodes)})
        shapes = [self.tensors[x].shape for x in inputs]
        (shape,) = OPERATORS[op].output_shapes(attrs, shapes)
        output = unique_name(f"{node.output.name}/{part}", self.tensors)
        self.tensors[output] = Tensor(output, shape)
        self.nodes.append(Node(name, op, attrs, inputs, (output,)))
        return output

    def constant(self, node: BoundNode, part: str, value: float, shape: Shape) -> str:
        name = unique_name(f"{node.name}/{part}", self.tensors)
        self.tensors[name] = Tensor.constant(name, np.full(shape, value, np.float32))
        return name

    def finish(self, node: BoundNode) -> None:
        """The last part is the composition's result."""
        last = self.nodes.pop()
        del self.tensors[last.outputs[0]]
        self.nodes.append(Node(node.name, last.op, last.attrs, last.inputs, node.node.outputs))


def _layer_normalization(draft: _Draft, node: BoundNode) -> None:
    """mean, sub, mul, mean, add, rsqrt, mul; then mul by gamma and add of beta."""
    attrs: LayerNormalizationAttrs = node.attrs
    mean, arithmetic = ReductionAttrs(attrs.axes, keepdims=True), ArithmeticAttrs()
    x, gamma, beta = (*node.node.inputs, None, None)[:3]
    assert x is not None
    if attrs.centered:
        x = draft.part(node, "centered", "sub", (x, draft.part(node, "mean", "mean", (x,), mean)), arithmetic)
    squares = draft.part(node, "squares", "mul", (x, x), arithmetic)
    variance = draft.part(node, "variance", "mean", (squares,), mean)
    epsilon = draft.constant(node, "epsilon", attrs.epsilon, (1,))
    variance = draft.part(node, "bounded", "add", (variance, epsilon), arithmetic)
    inverse = draft.part(node, "inverse", "rsqrt", (variance,))
    y = draft.part(node, "normalized", "mul", (x, inverse), arithmetic)
    if gamma is not None:
        y = draft.part(node, "scaled", "mul", (y, gamma), arithmetic)
    if beta is not None:
        draft.part(node, "shifted", "add", (y, beta), arithmetic)


def _variance(draft: _Draft, node: BoundNode) -> None:
    """mean, sub, mul, mean."""
    (x,), attrs = node.node.inputs, node.node.attrs
    assert x is not None
    mean = draft.part(node, "mean", "mean", (x,), ReductionAttrs(attrs.axes, keepdims=True))
    centered = draft.part(node, "centered", "sub", (x, mean), ArithmeticAttrs())
    squares = draft.part(node, "squares", "mul", (centered, centered), ArithmeticAttrs())
    draft.part(node, "variance", "mean", (squares,), attrs)


_LOWERINGS: dict[str, Callable[[_Draft, BoundNode], None]] = {
    "layer_normalization": _layer_normalization,
    "variance": _variance,
}
