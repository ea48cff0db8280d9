"""Cross-layer equalization: channels that share one scale are best served if they reach equally far.

Between two linear operators, a channel may be divided by any s > 0 in the first one's weights and bias, and
multiplied by s in the second one's weights: whatever lies between (ReLU, pooling, padding with 0) commutes
with s. The float model computes the same; s = sqrt(r1 / r2) makes what the first gives to the channel (r1)
and what the second takes from it (r2) equally large. Pairs overlap (a depthwise convolution is second to one
and first to another), so they are gone through until nothing moves.
Source: M. Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction (2019),
section 4.1.

r2 is the largest weight that reads the channel. r1 is the largest weight that makes it where weights have one
scale per tensor, as in the paper; where they have one per channel, they need no help, and r1 is the largest
value of the channel in calibration.

ReLU6 does not commute with s. It stays, and s keeps to where that makes no difference on the calibration
data, with room for larger values in other data: a channel that reaches 6 keeps its scale; one that reaches
half as far, or farther, does not grow; a smaller one grows to half as far at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Tensor, check
from mcu_quant.ops.linear import input_channels
from mcu_quant.quantize.assign import is_linear
from mcu_quant.quantize.operands import rule_of

#: Largest magnitude of every channel of an activation, float64 [channels], by tensor name.
Peaks = dict[str, np.ndarray]

_MAX_ROUNDS = 50
_SETTLED = 1e-3
#: Factors of one step, and of float32 weights in all, stay moderate.
_LARGEST_FACTOR = 2.0**12
_CLAMP = 6.0
#: A channel that comes this near to 6 is taken to be clamped.
_NEARLY = 0.999
#: No channel grows beyond this share of the clamp: few samples do not show how far a channel can reach.
_HEADROOM = 0.5


@dataclass(frozen=True)
class Pair:
    """Two linear nodes and the tensors from the first one's output to the second one's input.

    clamped: there is a ReLU6 between them.
    """

    first: str
    second: str
    between: tuple[str, ...]
    clamped: bool


def equalized(graph: Graph, peaks: Peaks, per_tensor: bool) -> Graph:
    """The same float model with equalized channels. peaks: of all tensors in pairs(graph)."""
    found = list(pairs(graph))
    peaks = {name: values.copy() for name, values in peaks.items()}
    fixed = {pair: peaks[pair.between[-1]] >= _NEARLY * _CLAMP for pair in found if pair.clamped}
    weights = _Weights(graph)
    for _ in range(_MAX_ROUNDS):
        moved = 0.0
        for pair in found:
            factors = _factors(pair, weights, peaks, fixed.get(pair), per_tensor)
            weights.rescale(pair, factors)
            for name in pair.between:
                peaks[name] /= factors
            moved = max(moved, float(np.abs(np.log(factors)).max()))
        if moved < _SETTLED:
            break
    return check(weights.graph())


def pairs(graph: Graph) -> Iterator[Pair]:
    """Every pair of linear nodes whose channels can be rescaled, in the order of the graph."""
    readers = graph.consumers()
    for node in graph.bound_nodes():
        if not is_linear(node) or node.attrs.activation not in ("none", "relu", "relu6"):
            continue
        between, clamped, last = [node.output.name], node.attrs.activation == "relu6", node.output
        while len(readers[last.name]) == 1 and last.name not in graph.kept:
            reader = graph.bind(readers[last.name][0])
            if is_linear(reader):
                if reader.node.inputs.count(last.name) == 1 and _channels_match(reader, last, node.output):
                    yield Pair(node.name, reader.name, tuple(between), clamped)
                break
            if not _commutes(reader, node.output.shape[-1]):
                break
            clamped |= "relu6" in (reader.node.op, getattr(reader.attrs, "activation", ""))
            last = reader.output
            between.append(last.name)


class PeakFinder:
    """Observes a float graph run and takes down the peaks that `equalized` needs."""

    def __init__(self, graph: Graph) -> None:
        self._channels = {
            name: graph.tensors[pair.between[0]].shape[-1] for pair in pairs(graph) for name in pair.between
        }
        self.peaks: Peaks = {}

    def observe(self, name: str, values: np.ndarray) -> None:
        """values: [N, *shape] of that tensor. Channels are innermost, also behind a reshape."""
        if name in self._channels:
            seen = np.abs(values.reshape(-1, self._channels[name])).max(axis=0).astype(np.float64)
            self.peaks[name] = np.maximum(self.peaks.get(name, 0.0), seen)


def _channels_match(reader: BoundNode, read: Tensor, made: Tensor) -> bool:
    """Whether what the reader reads still is channels of the first operator's output, in order."""
    channels = made.shape[-1]
    if reader.node.op == "fully_connected":
        return reader.input(1).shape[1] % channels == 0
    return read.shape[-1] == channels


#: Between a pair: how each operator treats channels.
_ALWAYS = ("relu", "relu6", "leaky_relu", "max_pool_2d", "average_pool_2d")
_FUSED = ("", "none", "relu", "relu6")


def _commutes(node: BoundNode, channels: int) -> bool:
    """Whether rescaling each channel before the node is the same as after it (but for ReLU6)."""
    if getattr(node.attrs, "activation", "") not in _FUSED:
        return False
    if node.node.op == "mean":
        return len(node.input(0).shape) - 1 not in node.attrs.axes
    if node.node.op == "reshape":  # row-major: channels stay innermost
        return node.output.shape[-1] % channels == 0
    if node.node.op == "pad":
        return len(node.inputs) == 1 and node.attrs.paddings[-1] == (0, 0)
    return node.node.op in _ALWAYS


def _factors(
    pair: Pair, weights: _Weights, peaks: Peaks, fixed: np.ndarray | None, per_tensor: bool
) -> np.ndarray:
    """s by channel."""
    peak = peaks[pair.between[-1]]
    r1, r2 = weights.made(pair.first) if per_tensor else peak, weights.read(pair)
    alive = (r1 > 0) & (r2 > 0) & (peak > 0)
    s = np.ones(len(peak))
    s[alive] = np.sqrt(r1[alive] / r2[alive])
    if fixed is not None:
        s = _below_clamp(s, peak, fixed, alive)
    return np.asarray(np.clip(s, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR))


def _below_clamp(s: np.ndarray, peak: np.ndarray, fixed: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """s in proportion, such that fixed channels have 1 and no other one comes near the clamp."""
    free = alive & ~fixed
    if not free.any():
        return np.ones_like(s)
    anchored = alive & fixed
    least = np.where(free, peak / np.maximum(peak, _HEADROOM * _CLAMP), 0.0)
    unit = np.exp(-np.log(s[anchored]).mean()) if anchored.any() else (least[free] / s[free]).max()
    return np.where(free, np.maximum(s * unit, least), 1.0)


class _Weights:
    """The weights and biases of a graph's linear nodes in float64, while they change."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes = {node.name: node for node in graph.bound_nodes() if is_linear(node)}
        self._weights = {name: _data(node.input(1)) for name, node in self._nodes.items()}
        self._biases = {
            name: _data(bias)
            for name, node in self._nodes.items()
            if (bias := node.optional_input(2)) is not None
        }

    def made(self, name: str) -> np.ndarray:
        """The largest weight that makes each output channel."""
        return self._rows(name, np.abs(self._weights[name])).max(axis=1)

    def read(self, pair: Pair) -> np.ndarray:
        """The largest weight that reads each channel."""
        node = self._nodes[pair.second]
        channels = self._nodes[pair.first].output.shape[-1]
        largest = np.zeros(channels)
        weights = np.abs(self._weights[pair.second])
        np.maximum.at(largest, np.broadcast_to(input_channels(node, channels), weights.shape), weights)
        return largest

    def rescale(self, pair: Pair, factors: np.ndarray) -> None:
        axis = self._axis(pair.first)
        along = [-1 if i == axis else 1 for i in range(self._weights[pair.first].ndim)]
        self._weights[pair.first] /= factors.reshape(along)
        if pair.first in self._biases:
            self._biases[pair.first] /= factors
        self._weights[pair.second] *= factors[input_channels(self._nodes[pair.second], len(factors))]

    def graph(self) -> Graph:
        """The graph with these weights; constants that nodes shared are no longer shared."""
        tensors = dict(self._graph.tensors)
        nodes = {node.name: node for node in self._graph.nodes}
        for name, bound in self._nodes.items():
            inputs = list(bound.node.inputs)
            for index, values in ((1, self._weights[name]), (2, self._biases.get(name))):
                old = bound.optional_input(index)
                if old is None or values is None or np.array_equal(values, _data(old)):
                    continue
                fresh = _constant(f"{old.name}/{name}" if _is_shared(self._graph, old) else old.name, values)
                tensors[fresh.name], inputs[index] = fresh, fresh.name
            nodes[name] = replace(bound.node, inputs=tuple(inputs))
        return self._graph.with_(nodes=tuple(nodes[node.name] for node in self._graph.nodes), tensors=tensors)

    def _axis(self, name: str) -> int:
        rule = rule_of(self._nodes[name]).weights
        assert rule is not None
        return rule.channel_axis

    def _rows(self, name: str, values: np.ndarray) -> np.ndarray:
        return np.moveaxis(values, self._axis(name), 0).reshape(values.shape[self._axis(name)], -1)


def _data(tensor: Tensor) -> np.ndarray:
    assert tensor.data is not None
    return tensor.data.astype(np.float64)


def _constant(name: str, values: np.ndarray) -> Tensor:
    return Tensor.constant(name, values.astype(np.float32))


def _is_shared(graph: Graph, tensor: Tensor) -> bool:
    return sum(node.inputs.count(tensor.name) for node in graph.nodes) > 1
