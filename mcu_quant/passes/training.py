"""Batch normalizations of a model that is to be trained further: which of them can go on learning.

One that follows its linear operator keeps its parameters and statistics (set_apart). All others, whose
statistics are of another tensor than the folded form's, become constants of the neighbour that they are
folded into: their scale and shift go on learning as weights and bias, their statistics stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph
from mcu_quant.ops.batch_normalization import scale_and_shift
from mcu_quant.passes.affine import (
    BATCH_NORMALIZATION,
    can_follow,
    fold_into_previous_once,
    normalization,
)
from mcu_quant.passes.rewrite import View, apply_everywhere


@dataclass(frozen=True, eq=False)
class Normalization:
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta; arrays float32 [channels]."""

    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float


#: By the name of the linear node whose output they normalize.
Normalizations = dict[str, Normalization]


def settle_normalizations(graph: Graph) -> Graph:
    """Batch normalizations that do not follow a linear operator, reshapes aside, become plain affine maps."""
    return apply_everywhere(graph, _settle)


def set_apart(graph: Graph, normalizations: Normalizations) -> Graph:
    """Take batch normalizations from behind linear operators into the table; fold affine maps there."""

    def rule(view: View, node: BoundNode) -> Graph | None:
        return _set_apart(view, node, normalizations)

    return apply_everywhere(graph, rule)


def _is_affine(node: BoundNode) -> bool:
    """Whether it has no statistics: importers and passes write affine maps with epsilon 0."""
    return bool(node.attrs.epsilon == 0.0)


def _settle(view: View, node: BoundNode) -> Graph | None:
    if node.node.op != BATCH_NORMALIZATION or _is_affine(node):
        return None
    producer = view.private_producer(node.node.inputs[0])
    while producer is not None and _keeps_channels(producer):
        producer = view.private_producer(producer.node.inputs[0])
    if can_follow(producer):
        return None
    affine = normalization(view, node.node, node.input(0).name, node.output.name, *scale_and_shift(node))
    return view.replaced({node.name: [affine]})


def _keeps_channels(node: BoundNode) -> bool:
    return node.node.op == "reshape" and node.input(0).shape[-1:] == node.output.shape[-1:]


def _set_apart(view: View, node: BoundNode, normalizations: Normalizations) -> Graph | None:
    producer = view.private_producer(node.node.inputs[0]) if node.node.op == BATCH_NORMALIZATION else None
    if producer is None or not can_follow(producer):
        return None
    known = normalizations.get(producer.name)
    if known is None and _is_affine(node):
        return fold_into_previous_once(view, node)
    if known is not None:
        scale, shift = scale_and_shift(node)
        beta = known.beta * scale + shift
        merged = replace(known, gamma=_float32(known.gamma * scale), beta=_float32(beta))
    else:
        gamma, beta, mean, variance = (_constant(node, index) for index in range(1, 5))
        merged = Normalization(gamma, beta, mean, variance, node.attrs.epsilon)
    normalizations[producer.name] = merged
    return view.replaced({producer.name: [replace(producer.node, outputs=node.node.outputs)], node.name: []})


def _constant(node: BoundNode, index: int) -> np.ndarray:
    data = node.input(index).data
    assert data is not None, node.name
    return data


def _float32(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)
