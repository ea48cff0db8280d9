"""Bring a batch normalization next to a linear operator that can take it in.

It commutes with what only moves elements and keeps channels apart, with averages over space, and, where
no scale is negative, with maxima. Every move is one step nearer to the linear operator, so moving ends.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.batch_normalization import scale_and_shift
from mcu_quant.ops.mover import Mover
from mcu_quant.passes.affine import BATCH_NORMALIZATION, can_follow, can_precede, normalization
from mcu_quant.passes.rewrite import View, apply_everywhere


def hoist_normalizations(graph: Graph) -> Graph:
    """Move batch normalizations up to the linear operator that they follow at a distance."""
    return apply_everywhere(graph, _hoist)


def sink_normalizations(graph: Graph) -> Graph:
    """Move batch normalizations down to the linear operator that they precede at a distance."""
    return apply_everywhere(graph, _sink)


def _commutes(mover: BoundNode | None, scale: np.ndarray) -> bool:
    """Whether the node gives the same whether its input or its output is normalized."""
    if mover is None or getattr(mover.attrs, "activation", "none") != "none":
        return False
    op, channels = mover.node.op, mover.input(0).shape[-1:]
    if op == "reshape":
        return bool(channels) and bool(mover.output.shape) and mover.output.shape[-1] % channels[0] == 0
    if op == "mean":
        return len(mover.input(0).shape) - 1 not in mover.attrs.axes
    if isinstance(OPERATORS[op], Mover):
        sources = OPERATORS[op].channel_sources(mover)
        return sources is not None and np.array_equal(sources, np.arange(*channels))
    return op == "average_pool_2d" or (op == "max_pool_2d" and bool((scale >= 0).all()))


def _hoist(view: View, node: BoundNode) -> Graph | None:
    if node.node.op != BATCH_NORMALIZATION:
        return None
    scale, _ = scale_and_shift(node)
    mover = view.private_producer(node.node.inputs[0])
    if mover is None or not _reaches_producer(view, mover, scale):
        return None
    before = mover.input(0)
    between = view.tensor(f"{before.name}/normalized", before.shape)
    moved = replace(node.node, inputs=(before.name, *node.node.inputs[1:]), outputs=(between,))
    last = replace(mover.node, inputs=(between, *mover.node.inputs[1:]), outputs=node.node.outputs)
    return view.replaced({mover.name: [moved, last], node.name: []})


def _reaches_producer(view: View, mover: BoundNode, scale: np.ndarray) -> bool:
    """Whether only movers with the same channels lie between here and a linear operator before."""
    current: BoundNode | None = mover
    while current is not None and _commutes(current, scale):
        if current.input(0).shape[-1] != len(scale):
            return False
        current = view.private_producer(current.input(0).name)
        if can_follow(current):
            return True
    return False


def _sink(view: View, node: BoundNode) -> Graph | None:
    if node.node.op != BATCH_NORMALIZATION:
        return None
    scale, shift = scale_and_shift(node)
    mover = view.only_reader(node.output.name)
    if mover is None or not _reaches_reader(view, mover, scale, shift):
        return None
    after = mover.output
    between = view.tensor(f"{after.name}/unnormalized", after.shape)
    repeats = after.shape[-1] // len(scale)
    first = replace(mover.node, inputs=(node.input(0).name, *mover.node.inputs[1:]), outputs=(between,))
    moved = normalization(
        view, node.node, between, after.name, np.tile(scale, repeats), np.tile(shift, repeats)
    )
    return view.replaced({node.name: [], mover.name: [first, moved]})


def _reaches_reader(view: View, mover: BoundNode, scale: np.ndarray, shift: np.ndarray) -> bool:
    """Whether only movers lie between here and a linear operator behind that takes the normalization in."""
    current: BoundNode | None = mover
    while current is not None and _commutes(current, scale):
        source = current.output.name
        current = view.only_reader(source)
        if can_precede(current, source, shift):
            return True
    return False
