"""Give every activation its scheme: ranges, equal-scale groups, fixed outputs, limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Graph, Node, QuantParams, Tensor, check, unique_name
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import Product
from mcu_quant.quantize.activation_types import INT8, INT16, ActivationType
from mcu_quant.quantize.kinds import ALL_INT8, Kinds, equal_scale_groups
from mcu_quant.quantize.linear_limit import least_linear_output_scale
from mcu_quant.quantize.normalizations import normalization_schemes
from mcu_quant.quantize.operands import activations, role, rule_of
from mcu_quant.quantize.ranges import Ranges
from mcu_quant.quantize.schemes import (
    Constant,
    LinearRounding,
    activation_scheme,
    quantize_linear_constants,
    symmetric_scheme,
)
from mcu_quant.quantize.states import schemes_of_states

Schemes = dict[str, QuantParams]

#: Operators whose constant operand only limits the other one.
_BOUNDS = ("minimum", "maximum")

#: Rounds of widening scales; each one follows a chain through the whole graph.
_MAX_ROUNDS = 20


@dataclass
class LinearConstants:
    """Integer weights and biases, computed once for each node and input scheme.

    kinds: what activations are.
    """

    per_tensor: bool
    calibration: str = "minmax"
    kinds: Kinds = ALL_INT8
    known: dict[tuple[str, QuantParams], tuple[Constant, Constant | None]] = field(default_factory=dict)
    rounded: dict[str, Constant] = field(default_factory=dict)

    def get(self, node: BoundNode, x: QuantParams) -> tuple[Constant, Constant | None]:
        rule = rule_of(node)
        assert rule.weights is not None
        where, kind = (node.name, x), self.kinds.of_node(node.name)
        assert kind is not None, node.name
        if where not in self.known:
            bias = None if rule.bias is None else node.optional_input(rule.bias) or _implied_bias(node)
            self.known[where] = quantize_linear_constants(
                x,
                node.input(rule.weights.index),
                bias,
                rule.weights.channel_axis,
                LinearRounding(self.per_tensor, self.calibration, kind),
                self.rounded.get(node.name),
            )
        return self.known[where]

    def of_product(
        self, node: BoundNode, product: Product, factor: QuantParams
    ) -> tuple[Constant, Constant | None]:
        """The same of one of several products of a node. factor: of what is multiplied."""
        kind = self.kinds.of_node(node.name)
        assert kind is not None, node.name
        axis = product.channel_axis
        return quantize_linear_constants(
            factor,
            node.input(product.weights),
            None if product.bias is None else node.optional_input(product.bias),
            axis or 0,
            LinearRounding(self.per_tensor or axis is None, self.calibration, kind),
        )

    def round_as(self, name: str, weights: np.ndarray, quant: QuantParams) -> None:
        """From now on that node has these int8 weights, wherever their scale is the node's."""
        self.rounded[name] = (weights, quant)
        self.forget(name)

    def forget(self, name: str) -> None:
        """The node changed."""
        self.known = {where: value for where, value in self.known.items() if where[0] != name}


def _implied_bias(node: BoundNode) -> Tensor | None:
    """A bias of 0 for a convolution without one: LiteRT refuses a CONV_2D that has none."""
    if node.node.op != "conv_2d":
        return None
    return Tensor.constant(f"{node.name}/bias", np.zeros(node.output.shape[-1], np.float32))


def is_linear(node: BoundNode) -> bool:
    """Whether the node has constant weights for the quantizer to store."""
    rule = rule_of(node)
    return rule.weights is not None and role(node, rule.weights.index) == "weights"


def assign_schemes(graph: Graph, ranges: Ranges, constants: LinearConstants) -> Schemes:
    """A scheme for every key of the graph's activations (operands.key).

    A group takes its fixed output's scheme if it has one (see separate_fixed_outputs), else the
    union of its members' ranges, widened as far as the operators demand.
    """
    groups, types = equal_scale_groups(graph, constants.kinds), types_of(graph, constants.kinds)
    members = groups.members()
    own = schemes_of_states(graph, ranges, constants.kinds)
    fixed, spans = fixed_schemes(graph, constants.kinds) | own, operand_ranges(graph, ranges)
    least: dict[str, float] = dict.fromkeys(members, 0.0)
    for _ in range(_MAX_ROUNDS):
        schemes: Schemes = {}
        for root, names in members.items():
            pinned = [fixed[name] for name in names if name in fixed]
            low, high = union(spans[n] for n in names)
            chosen = symmetric_scheme if types[root].symmetric else activation_scheme
            scheme = pinned[0] if pinned else chosen(low, high, least[root])
            schemes.update(dict.fromkeys(names, scheme))
        grown = False
        for member, demand in _demands(graph, schemes, constants):
            root = groups.find(member)
            if member not in fixed and schemes[member].scale[0] < demand and least[root] < demand:
                least[root], grown = demand, True
        if not grown:
            return schemes | own | normalization_schemes(graph, spans, schemes, constants.kinds)
    raise UnsupportedModelError(
        [
            Problem(
                "the ranges of the layers must be in proportion to each other",
                graph.name,
                "scales that keep growing",
                "calibration data as in training",
            )
        ]
    )


def _demands(graph: Graph, schemes: Schemes, constants: LinearConstants) -> Iterable[tuple[str, float]]:
    """(key, smallest scale) as each node needs it, given the scales so far."""
    for node in graph.bound_nodes():
        inputs, outputs = constants.kinds.inputs(node), constants.kinds.outputs(node)
        types = {*inputs.values(), *outputs.values()}
        if not types:
            continue
        kind = INT16 if INT16 in types else INT8
        operator = OPERATORS[node.node.op]
        yield from ((name, operator.least_input_scale(node.attrs, kind.dtype)) for name in inputs)
        scales = [schemes[name] for name, _ in activations(node) if name in inputs]  # of x * x, both
        if is_linear(node):
            x = scales[0]
            needed = least_linear_output_scale(x.scale[0], x.zero_point[0], *constants.get(node, x), kind)
        else:
            needed = operator.least_output_scale(node.attrs, [x.scale[0] for x in scales], kind.dtype)
        yield from ((name, needed) for name in outputs)


def separate_fixed_outputs(
    graph: Graph, ranges: Ranges, kinds: Kinds = ALL_INT8
) -> tuple[Graph, Ranges, Kinds]:
    """Insert quantize nodes where a fixed output meets, through equal-scale operators, what it cannot hold.

    Example: a sigmoid (0..1) and a convolution (-3..5) that are concatenated. ranges of the new
    tensors are those of the tensors that they rescale.
    """
    fixed, spans = fixed_schemes(graph, kinds), operand_ranges(graph, ranges)
    types = types_of(graph, kinds)
    readers = graph.consumers()
    ranges = dict(ranges)
    for root, names in equal_scale_groups(graph, kinds).members().items():
        kind = types[root]
        pinned = [name for name in names if name in fixed]
        if len({fixed[name] for name in pinned}) == 0 or _can_share(names, pinned, fixed, spans, kind):
            continue
        for name in pinned:
            same = [n for n in readers[name] if OPERATORS[n.op].quant_rule.output == "same"]
            graph, rescaled = _rescale_for(graph, name, same)
            ranges[rescaled] = ranges[name]
            kinds = kinds.with_one(graph.producers()[rescaled].name, rescaled, kind)
    return check(graph), ranges, kinds


def _can_share(
    names: list[str], pinned: list[str], fixed: Schemes, spans: Ranges, kind: ActivationType
) -> bool:
    schemes = {fixed[name] for name in pinned}
    if len(schemes) > 1:
        return False
    (scheme,) = schemes
    scale, zero_point = scheme.scale[0], scheme.zero_point[0]
    low, high = union(spans[name] for name in names)
    return (kind.low - 1 - zero_point) * scale <= low and high <= (kind.high + 1 - zero_point) * scale


def _rescale_for(graph: Graph, name: str, readers: list[Node]) -> tuple[Graph, str]:
    """A quantize node behind tensor `name` that those readers read instead."""
    rescaled = unique_name(f"{name}/rescaled", graph.tensors)
    node_name = unique_name(f"{name}/rescale", {node.name for node in graph.nodes})
    producer = graph.producers()[name]
    nodes: list[Node] = []
    for node in graph.nodes:
        if any(node.name == reader.name for reader in readers):
            node = replace(node, inputs=tuple(rescaled if i == name else i for i in node.inputs))
        nodes.append(node)
        if node.name == producer.name:
            nodes.append(quantize_node(node_name, name, rescaled))
    tensors = {**graph.tensors, rescaled: Tensor(rescaled, graph.tensors[name].shape)}
    return graph.with_(nodes=tuple(nodes), tensors=tensors), rescaled


def types_of(graph: Graph, kinds: Kinds) -> dict[str, ActivationType]:
    """The type of every integer activation, by key."""
    inputs = {name: kinds.of_tensor(name) for name in graph.inputs}
    types = {name: kind for name, kind in inputs.items() if kind is not None}
    for node in graph.bound_nodes():
        types |= kinds.inputs(node) | kinds.outputs(node)
    return types


def fixed_schemes(graph: Graph, kinds: Kinds = ALL_INT8) -> Schemes:
    """The outputs whose scheme the specification fixes."""
    schemes: Schemes = {}
    for node in graph.bound_nodes():
        rule = rule_of(node)
        if rule.output == "fixed":
            schemes |= {name: kind.fixed(rule) for name, kind in kinds.outputs(node).items()}
    return schemes


def operand_ranges(graph: Graph, ranges: Ranges) -> Ranges:
    """ranges by key: those of calibration, and of constants their own.

    A constant bound of minimum or maximum does not count: where it lies beyond what the other
    operand holds, the end of that range is as good a bound, and a finer one. A 0 that is compared with gets
    a scale below 1, as comparisons need it; any scale holds it.
    """
    spans = dict(ranges)
    for node in graph.bound_nodes():
        for name, tensor in activations(node):
            if tensor.data is not None:
                low, high = float(tensor.data.min()), float(tensor.data.max())
                if rule_of(node).output == "raw" and low == high == 0.0:
                    high = 1.0
                spans[name] = (0.0, 0.0) if node.node.op in _BOUNDS else (low, high)
    return spans


def union(spans: Iterable[tuple[float, float]]) -> tuple[float, float]:
    lows, highs = zip(*spans, strict=True)
    return min(lows), max(highs)


def quantize_node(name: str, source: str, target: str) -> Node:
    return Node(name, "quantize", None, (source,), (target,))
