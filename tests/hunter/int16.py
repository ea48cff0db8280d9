"""A drawn int8 graph as one of int16: the same operators and shapes, finer scales, zero points 0."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node, QuantParams, State, Tensor, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import FIXED_INT16
from mcu_quant.ops.cast import CastAttrs
from mcu_quant.ops.forms import FLOAT_FORMS, form_of
from mcu_quant.ops.support import find_problems
from tests.hunter.build import LEAST_EXPONENT
from tests.hunter.graphs import SAMPLES, Case, draw_rounds
from tests.ops.int16 import FINER

#: What fixed outputs have in int8, and so what only moves their bytes.
_FIXED = {(1 / 256, -128), (1 / 128, 0), (1 / 128, -128)}


def int16_case(case: Case) -> Case | None:
    """None if int16 has no such graph: a comparison, or scales that it does not bear; or other bytes each
    time, as of functions in float32, which are no tables there."""
    found = int16_graph(case.graph)
    if find_problems(found) or not all(map(_is_exact, found.bound_nodes())):
        return None
    seed, rounds = zlib.crc32(repr(found.nodes).encode()), len(case.inputs[0]) // SAMPLES
    return Case(found, draw_rounds(found, range(seed, seed + rounds)))


def _is_exact(node: BoundNode) -> bool:
    return form_of(node) not in FLOAT_FORMS or OPERATORS[node.node.op].float_is_exact


def int16_graph(graph: Graph) -> Graph:
    """Whether or not it keeps the rules."""
    roles = _roles(graph)
    tensors = {
        name: _as_int16(tensor, roles.get(name, "activation")) for name, tensor in graph.tensors.items()
    }
    for node in graph.nodes:
        _scale_bias(node, tensors)
    nodes = tuple(_as_int16_node(node, tensors) for node in graph.nodes)
    states = tuple(_as_int16_state(state, graph.tensors[state.before], tensors) for state in graph.states)
    return check(replace(graph, nodes=nodes, tensors=tensors, states=states))


def _as_int16_state(state: State, narrow: Tensor, tensors: dict[str, Tensor]) -> State:
    """Real 0 stays that."""
    if tensors[state.before].dtype == narrow.dtype:
        return state
    initial = (state.initial.astype(np.int16) - narrow.zero_point) * 128
    return replace(state, initial=initial.astype(np.int16))


def _as_int16_node(node: Node, tensors: dict[str, Tensor]) -> Node:
    """A cast says what it is to."""
    if not isinstance(node.attrs, CastAttrs):
        return node
    return replace(node, attrs=CastAttrs(tensors[node.outputs[0]].dtype))


def _roles(graph: Graph) -> dict[str, str]:
    """Of constants that are no activations."""
    roles: dict[str, str] = {}
    for node in graph.nodes:
        rule = OPERATORS[node.op].quant_rule
        for index, name in enumerate(node.inputs):
            if name is None:
                continue
            narrow = graph.tensors[name].is_constant and index in rule.int8_constants
            if narrow or index in rule.weights_at:
                roles[name] = "weights"
            elif index in rule.biases_at:
                roles[name] = _bias_type(node)
        for position, output in OPERATORS[node.op].state_inputs.items():
            if rule.state is not None or position == rule.cell:  # int16 already
                roles |= {str(name): "weights" for name in (node.outputs[output], node.inputs[position])}
    return roles


def _bias_type(node: Node) -> str:
    """An int32 now and then, but where TFLM takes every bias for an int64."""
    some = zlib.crc32(node.name.encode()) % 4 == 0
    always = node.op in ("depthwise_conv_2d", "transpose_conv") or OPERATORS[node.op].quant_rule.products
    return "int32" if some and not always else "int64"


def _as_int16(tensor: Tensor, role: str) -> Tensor:
    if role == "weights" or tensor.quant is None or tensor.dtype in ("float32", "bool"):
        return tensor
    if role != "activation":
        assert tensor.data is not None
        data = tensor.data.astype(role) * (FINER if role == "int64" else 1)
        return replace(tensor, dtype=role, data=data)
    if tensor.dtype == "uint8":  # there is nothing between uint8 and int16
        quant = QuantParams.per_tensor(tensor.scale, tensor.zero_point - 128)
        return replace(tensor, dtype="int8", quant=quant)
    data = None if tensor.data is None else tensor.data.astype(np.int16) * 257
    return replace(tensor, dtype="int16", quant=_activation_quant(tensor), data=data)


def _activation_quant(tensor: Tensor) -> QuantParams:
    if (tensor.scale, tensor.zero_point) in _FIXED:
        return FIXED_INT16
    return QuantParams.per_tensor(max(tensor.scale / FINER, 2.0**LEAST_EXPONENT))


def _scale_bias(node: Node, tensors: dict[str, Tensor]) -> None:
    """The product of the scales, as TFLM demands."""
    rule = OPERATORS[node.op].quant_rule
    places = [(0, 1, rule.bias), *((p.factor or 0, p.weights, p.bias) for p in rule.products)]
    for factor, index, place in places:
        if place is None or place >= len(node.inputs) or node.inputs[place] is None:
            continue
        x, weights, bias = (tensors[str(node.inputs[i])] for i in (factor, index, place))
        assert weights.quant is not None
        scales = np.maximum(x.scale * np.asarray(weights.quant.scale), np.finfo(np.float32).tiny)
        quant = QuantParams.per_channel(scales, 0) if len(scales) > 1 else QuantParams.per_tensor(scales[0])
        tensors[bias.name] = replace(bias, quant=quant)
