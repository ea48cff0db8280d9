"""Leave out channels that hold one value for every input and every position, or that nothing reads.

An interval of one value (Tensor.value_range) proves a channel constant. A channel that does not depend
on the input but differs by position, because of padding, has a wider interval and so counts as varying.

A channel goes if its producer can do without it and so can all who read it: a convolution or a
fully_connected layer whose bias can hold what the channel contributed, or an operator that treats
channels one by one (Operator.channel_sources) and whose own channel goes, too. All others keep theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Graph, Node, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.forms import FLOAT_FORMS, form_of
from mcu_quant.ops.linear import bias_dtype, filters_of, tap_cases
from mcu_quant.ops.ranges import range_of
from mcu_quant.optimize.rewrite import ConstantWriter, chosen_quant

#: Fast kernels read activations by words; a few more channels cost less than pixels that end within one.
CHANNELS_IN_WORD = 4

#: Of a tensor: which channels stay, bool [channels].
Kept = NDArray[np.bool_]


def remove_constant_channels(graph: Graph) -> Graph:
    """The graph, with ranges annotated, without what can go; the same graph if nothing can."""
    kept = kept_channels(graph)
    if all(channels.all() for channels in kept.values()):
        return graph
    return _Removal(graph, kept).graph()


def kept_channels(graph: Graph) -> dict[str, Kept]:
    """The channels that stay, of every activation that has any: those that must, in whole words."""
    written = {name for node in graph.nodes for name in node.outputs} - {*graph.kept}
    kept = {
        name: np.full(tensor.shape[-1], name not in written)
        for name, tensor in graph.tensors.items()
        if not tensor.is_constant and tensor.shape
    }
    while _spread(graph, kept) or _fill_words(kept):
        pass
    return kept


def _spread(graph: Graph, kept: dict[str, Kept]) -> bool:
    """Mark what must stay because of what stays already; whether that was anything."""
    before = _count(kept.values())
    for node in reversed(list(graph.bound_nodes())):
        _spread_over(node, kept)
    return _count(kept.values()) > before


def _spread_over(node: BoundNode, kept: dict[str, Kept]) -> None:
    if form_of(node) not in FLOAT_FORMS and has_filters(node):
        kept[node.input(0).name] |= ~spare_inputs(node, kept[node.output.name])
        return
    sources = None if form_of(node) in FLOAT_FORMS else _sources(node)
    if sources is not None:
        x, y = kept[node.input(0).name], kept[node.output.name]
        x[sources[y]] = True
        y |= x[sources]
        return
    for tensor in (*node.inputs, *node.outputs):
        if tensor is not None and tensor.name in kept:
            kept[tensor.name][:] = True


def _fill_words(kept: dict[str, Kept]) -> bool:
    """Keep more of a tensor whose channels would not fill words, or that would be empty; whether one was."""
    for channels in kept.values():
        count = int(channels.sum())
        wanted = min(max(-(-count // CHANNELS_IN_WORD), 1) * CHANNELS_IN_WORD, len(channels))
        if count < wanted:
            channels[np.flatnonzero(~channels)[: wanted - count]] = True
            return True
    return False


def _count(kept: Iterable[Kept]) -> int:
    return sum(int(channels.sum()) for channels in kept)


def has_filters(node: BoundNode) -> bool:
    """Whether each output channel is a sum over all input channels: any of either can be left out."""
    if node.node.op not in ("conv_2d", "transpose_conv", "fully_connected") or node.input(0).is_constant:
        return False
    x, weights = node.input(0).shape, node.input(1).shape
    return weights[1] % x[-1] == 0 if node.node.op == "fully_connected" else weights[-1] == x[-1]


def _sources(node: BoundNode) -> IntArray | None:
    """Operator.channel_sources, where every source has a channel."""
    if not node.output.shape or node.inputs[0] is None or node.input(0).is_constant:
        return None
    sources = OPERATORS[node.node.op].channel_sources(node)
    every = sources is not None and len(np.unique(sources)) == node.input(0).shape[-1]
    return sources if every else None


@dataclass(frozen=True)
class _Contributions:
    """What each input channel adds to an accumulator of a node with filters.

    same: it is one number for all inputs and positions, bool [outputs, depth]. amount: that number,
    where it is, int64 [outputs, depth]. depth: the filters', which is one per column for
    fully_connected. channels: the input channel of each depth.
    """

    same: NDArray[np.bool_]
    amount: IntArray
    channels: IntArray


def _contributions(node: BoundNode) -> _Contributions:
    x = node.input(0)
    known = range_of(x)
    filters, depths = filters_of(node)
    channels = depths[0] % x.shape[-1]
    same = (filters == 0).all(axis=(1, 2))
    amount = np.zeros(same.shape, np.int64)
    constant = np.flatnonzero((known.low == known.high)[channels])
    if len(constant):
        rows, columns = tap_cases(node)
        chosen = filters[..., constant]
        cases = [np.einsum("oklc,k,l->oc", chosen, row, column) for row in rows for column in columns]
        steady = np.logical_and.reduce([case == cases[0] for case in cases])
        value = (known.low - x.zero_point)[channels[constant]]
        same[:, constant] |= steady | (value == 0)
        amount[:, constant] = np.where(same[:, constant], cases[0] * value, 0)
    return _Contributions(same, amount, channels)


def spare_inputs(node: BoundNode, kept_outputs: Kept) -> NDArray[np.bool_]:
    """The input channels whose contribution to every output that stays is one number: bool [channels]."""
    contributions = _contributions(node)
    spare = np.ones(node.input(0).shape[-1], bool)
    np.logical_and.at(spare, contributions.channels, contributions.same[kept_outputs].all(axis=0))
    return spare


class _Removal:
    """The rewriting of a graph to the channels that stay."""

    def __init__(self, graph: Graph, kept: dict[str, Kept]) -> None:
        self._graph, self._kept = graph, kept
        self._constants = ConstantWriter(graph)

    def graph(self) -> Graph:
        nodes = tuple(self._node(node) for node in self._graph.bound_nodes())
        tensors = {**self._graph.tensors, **self._constants.written}
        for name, kept in self._kept.items():
            shape = (*tensors[name].shape[:-1], int(kept.sum()))
            tensors[name] = replace(tensors[name], shape=shape, value_range=None)
        return self._graph.with_(nodes=nodes, tensors=tensors)

    def _node(self, node: BoundNode) -> Node:
        names = (*node.node.inputs, *node.node.outputs)
        if all(self._kept[name].all() for name in names if name in self._kept):
            return node.node
        if has_filters(node):
            return self._with_filters(node)
        kept = self._kept[node.output.name]
        attrs = OPERATORS[node.node.op].with_channels(node.attrs, int(kept.sum()))
        constants = [
            None if tensor is None else self._per_channel(tensor, kept) for tensor in node.inputs[1:]
        ]
        return replace(node.node, attrs=attrs, inputs=(node.node.inputs[0], *constants))

    def _with_filters(self, node: BoundNode) -> Node:
        """Filters and depths that stay; the biases take over what is gone."""
        outputs, contributions = self._kept[node.output.name], _contributions(node)
        depths = self._kept[node.input(0).name][contributions.channels]
        weights, bias = node.input(1), node.optional_input(2)
        assert weights.data is not None
        chosen = self._constants.write(
            weights.name, weights.data[outputs][..., depths], chosen_quant(weights.quant, outputs)
        )
        folded = contributions.amount[outputs][:, ~depths].sum(axis=1)
        inputs = [node.node.inputs[0], chosen]
        if bias is not None or folded.any():
            inputs.append(self._bias(node, bias, outputs, folded))
        return replace(node.node, inputs=tuple(inputs))

    def _bias(self, node: BoundNode, bias: Tensor | None, outputs: Kept, folded: IntArray) -> str:
        name, quant = f"{node.name}/bias", None
        if bias is not None and bias.data is not None:
            name, quant = bias.name, chosen_quant(bias.quant, outputs)
            folded = folded + bias.data[outputs]
        # What an input may add to the accumulator counts in the limit that linear.CONSTRAINTS sets.
        dtype = bias_dtype(node)
        assert np.abs(folded).max() <= np.iinfo(dtype).max, f"{node.name}: a bias of {folded}"
        return self._constants.write(name, folded.astype(dtype), quant)

    def _per_channel(self, tensor: Tensor, kept: Kept) -> str:
        """The weights or the bias of an operator that treats channels one by one: the last axis is theirs."""
        if tensor.data is None or tensor.shape[-1:] != kept.shape:
            return tensor.name
        return self._constants.write(tensor.name, tensor.data[..., kept], chosen_quant(tensor.quant, kept))
