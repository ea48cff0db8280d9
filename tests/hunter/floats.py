"""A drawn int8 graph as one of float32: the same operators and shapes, other numbers, weights of any type."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node, State, Tensor, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.forms import PLAIN_TYPES, form_of
from mcu_quant.ops.support import find_problems
from mcu_quant.quantize.floats import quantize_weights
from tests.hunter.graphs import Case, run_and_measure

_CONVERTERS = ("quantize", "dequantize")
#: How weights are stored, by turns.
_STORED = ("float32", "float32", "float16", "int8")
#: What makes much of a small difference: behind what is not exact there is nothing to compare.
_SENSITIVE = (
    *("sin", "cos", "floor", "ceil", "round", "sign", "cast", "arg_max", "arg_min", "floor_div", "floor_mod"),
    *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"),
)
#: Of values of outputs: beyond, float32's differences are no small ones any more.
_LARGEST = 1e6


def float_case(case: Case) -> Case | None:
    """None if float32 has no such graph, or it leaves the numbers that can be compared."""
    rng = np.random.default_rng(zlib.crc32(repr(case.graph.nodes).encode()))
    found = float_graph(case.graph, rng)
    if found is None or find_problems(found) or _is_unstable(found):
        return None
    inputs = tuple(_samples(tensor, rng, given) for tensor, given in _paired(found, case))
    with np.errstate(all="ignore"):
        _, largest = run_and_measure(found, inputs)
    return Case(found, inputs) if largest < _LARGEST else None  # nor NaN


def float_graph(graph: Graph, rng: np.random.Generator) -> Graph | None:
    """Whether or not it keeps the rules. None where nothing is left."""
    same: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        inputs = tuple(None if name is None else same.get(name, name) for name in node.inputs)
        if node.op in _CONVERTERS:
            same[node.outputs[0]] = str(inputs[0])
        else:
            nodes.append(replace(node, inputs=inputs))
    if not nodes:
        return None
    tensors = {name: _as_float(tensor, rng) for name, tensor in graph.tensors.items() if name not in same}
    if not any(OPERATORS[node.op].oracles.get("float") == "TFLM" for node in nodes):
        for node in nodes:
            _store_weights(node, tensors)
    written = {name for node in nodes for name in node.outputs}
    outputs = tuple(dict.fromkeys(same.get(name, name) for name in graph.outputs))
    outputs = tuple(name for name in outputs if name in written)
    states = tuple(_as_float_state(s, tensors[s.before], same, rng) for s in graph.states)
    read = {name for node in nodes for name in node.inputs}.union(state.after for state in states)
    inputs = tuple(name for name in graph.inputs if name in read)
    if not outputs or not inputs:
        return None
    found = replace(graph, nodes=tuple(nodes), tensors=tensors, inputs=inputs, outputs=outputs, states=states)
    return check(found.with_())


def _as_float_state(state: State, before: Tensor, same: Mapping[str, str], rng: np.random.Generator) -> State:
    """0 where all of it is alike, as an operator's own is."""
    alike = (state.initial == state.initial.flat[0]).all()
    initial = np.zeros(before.shape) if alike else rng.normal(size=before.shape)
    return State(before.name, same.get(state.after, state.after), initial.astype(before.dtype))


def _as_float(tensor: Tensor, rng: np.random.Generator) -> Tensor:
    if tensor.quant is None and tensor.dtype in PLAIN_TYPES:
        return tensor
    data = None
    if tensor.data is not None:
        taps = tensor.elements / max(tensor.shape, default=1)
        data = (rng.normal(size=tensor.shape) / np.sqrt(max(taps, 1.0))).astype(np.float32)
    return replace(tensor, dtype="float32", quant=None, data=data)


def _store_weights(node: Node, tensors: dict[str, Tensor]) -> None:
    rule = OPERATORS[node.op].quant_rule
    stored = _STORED[zlib.crc32(node.name.encode()) % len(_STORED)]
    for index in sorted(rule.weights_at):
        weights = tensors[str(node.inputs[index])]
        if weights.data is None or weights.dtype != "float32":
            continue
        if stored == "float16":
            tensors[weights.name] = Tensor.constant(weights.name, weights.data.astype(np.float16))
        elif stored == "int8":
            data, quant = quantize_weights(weights.data, rule.channel_axis(index))
            tensors[weights.name] = Tensor.constant(weights.name, data, quant)


def _is_unstable(graph: Graph) -> bool:
    """Whether something sensitive stands behind what is not exact, in a run or the one before it."""
    reached = {state.before for state in graph.states if state.after != state.before}
    for node in graph.bound_nodes():
        behind = any(name in reached for name in node.node.inputs)
        if behind and node.node.op in _SENSITIVE:
            return True
        if behind or not _is_exact(node):
            reached.update(node.node.outputs)
    return False


def _is_exact(node: BoundNode) -> bool:
    return form_of(node) == "plain" or OPERATORS[node.node.op].float_is_exact


def _paired(graph: Graph, case: Case) -> list[tuple[Tensor, np.ndarray]]:
    given: Mapping[str, np.ndarray] = dict(zip(case.graph.inputs, case.inputs, strict=True))
    return [(tensor, given[tensor.name]) for tensor in graph.input_tensors()]


def _samples(tensor: Tensor, rng: np.random.Generator, given: np.ndarray) -> np.ndarray:
    """Normal numbers of several sizes; conditions and indices as they were drawn."""
    if tensor.dtype != "float32":
        return given
    sizes = rng.choice([0.1, 1.0, 5.0], (len(given), *(1,) * len(tensor.shape)))
    return (rng.normal(size=(len(given), *tensor.shape)) * sizes).astype(np.float32)
