"""Fuse relu and its kin into the operator before them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import CLAMPS
from mcu_quant.ops.mover import Mover
from mcu_quant.passes.rewrite import View, apply_everywhere

#: Operators whose fused activation every runtime honours.
FUSING = (
    "conv_2d",
    "depthwise_conv_2d",
    "transpose_conv",
    "fully_connected",
    "add",
    "sub",
    "mul",
    "max_pool_2d",
    "average_pool_2d",
)

#: Activation operators, by name, and the fused activation that does the same.
_ACTIVATIONS = {"relu": "relu", "relu6": "relu6", "relu_n1_to_1": "relu_n1_to_1"}

#: What one activation after another amounts to.
_COMBINED = {
    ("none", "relu"): "relu",
    ("none", "relu6"): "relu6",
    ("none", "relu_n1_to_1"): "relu_n1_to_1",
    ("relu", "relu"): "relu",
    ("relu", "relu6"): "relu6",
    ("relu6", "relu"): "relu6",
    ("relu6", "relu6"): "relu6",
    ("relu_n1_to_1", "relu_n1_to_1"): "relu_n1_to_1",
}


def fuse_activations(graph: Graph) -> Graph:
    """relu, relu6 and relu_n1_to_1 nodes become the `activation` of the operator that feeds only them."""
    return apply_everywhere(graph, _fuse)


def hoist_activations(graph: Graph) -> Graph:
    """Move an activation from behind a max_pool_2d or reshape to before it, where it can be fused.

    Exact: a maximum and a monotonic function may change places. The pooled tensor then has the
    narrower range of the activation, and one pass over its elements less.
    """
    return apply_everywhere(graph, _hoist)


def lower_clamps(graph: Graph) -> Graph:
    """relu_n1_to_1 and relu_0_to_1 that stand alone, which TFLM lacks, become a minimum and a maximum."""
    return apply_everywhere(graph, _lower)


def _lower(view: View, node: BoundNode) -> Graph | None:
    if node.node.op not in ("relu_n1_to_1", "relu_0_to_1"):
        return None
    x, y = node.input(0), node.output
    low, high = CLAMPS[node.node.op]
    bounds = [view.constant(f"{node.name}/{n}", np.full(1, v)) for n, v in (("low", low), ("high", high))]
    between = view.tensor(f"{node.name}/minimum", x.shape)
    first = Node(view.node_name(f"{node.name}/minimum"), "minimum", None, (x.name, bounds[1]), (between,))
    last = Node(node.name, "maximum", None, (between, bounds[0]), (y.name,))
    return view.replaced({node.name: [first, last]})


def _fused(view: View, tensor: str | None, activation: BoundNode) -> str | None:
    """What `activation` becomes when fused into the node that writes the tensor; None if it cannot be."""
    producer = view.private_producer(tensor)
    if producer is None or producer.node.op not in FUSING or activation.node.op not in _ACTIVATIONS:
        return None
    return _COMBINED.get((producer.attrs.activation, _ACTIVATIONS[activation.node.op]))


def _fuse(view: View, node: BoundNode) -> Graph | None:
    source = node.node.inputs[0]
    fused, producer = _fused(view, source, node), view.producer(source)
    if fused is None or producer is None:
        return None
    merged = replace(
        producer.node, attrs=replace(producer.attrs, activation=fused), outputs=node.node.outputs
    )
    return view.replaced({producer.name: [merged], node.name: []})


def _hoist(view: View, node: BoundNode) -> Graph | None:
    mover = view.private_producer(node.node.inputs[0])
    if mover is None or not (mover.node.op == "max_pool_2d" or isinstance(OPERATORS[mover.node.op], Mover)):
        return None
    if (
        _fused(view, mover.node.inputs[0], node) is None
        or getattr(mover.attrs, "activation", "none") != "none"
    ):
        return None
    before = mover.input(0)
    between = view.tensor(before.name + "/activated", before.shape)
    moved = replace(node.node, inputs=(before.name,), outputs=(between,))
    last = replace(mover.node, inputs=(between, *mover.node.inputs[1:]), outputs=node.node.outputs)
    return view.replaced({mover.name: [moved, last], node.name: []})
