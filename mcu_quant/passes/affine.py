"""Batch normalization is y = scale * x + shift per channel: merge, fold into a neighbour, or lower.

All folding is done in double and rounded to float32 once. Where a batch normalization does not
touch a linear operator but commutes with what lies between, normalization_moves.py brings it there.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.batch_normalization import BatchNormalizationAttrs, scale_and_shift
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.linear import input_channels, tap_cases
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.passes.rewrite import View, apply_everywhere

BATCH_NORMALIZATION = "batch_normalization"

#: Operators with constant weights: a scale and shift of their output is one of their weights and bias.
LINEAR = ("conv_2d", "depthwise_conv_2d", "transpose_conv", "fully_connected")


def fold_into_previous(graph: Graph) -> Graph:
    """A linear operator, then a batch normalization that alone reads it: scaled weights, shifted bias."""
    return apply_everywhere(graph, fold_into_previous_once)


def fold_into_next(graph: Graph) -> Graph:
    """A batch normalization, then a linear operator that alone reads it, where that is exact.

    It is not where the shift would also have to reach padded borders, which hold 0.
    """
    return apply_everywhere(graph, _fold_into_next)


def merge_normalizations(graph: Graph) -> Graph:
    """Two batch normalizations in a row become one."""
    return apply_everywhere(graph, _merge)


def lower_normalizations(graph: Graph) -> Graph:
    """What is left standing alone becomes a 1x1 depthwise convolution, which has an integer form."""
    return apply_everywhere(graph, _lower)


def can_follow(producer: BoundNode | None) -> bool:
    """Whether a batch normalization of the node's output can be folded into the node."""
    return producer is not None and _is_linear(producer) and producer.attrs.activation == "none"


def can_precede(reader: BoundNode | None, source: str, shift: np.ndarray) -> bool:
    """Whether a batch normalization that writes `source` can be folded into the node that reads it."""
    if reader is None or not _is_linear(reader) or reader.node.inputs[0] != source:
        return False
    return not (shift.any() and _pads(reader))


def normalization(
    view: View, node: Node, source: str, target: str, scale: np.ndarray, shift: np.ndarray
) -> Node:
    """A batch normalization named as `node` with that scale and shift [channels]."""
    values = {"gamma": scale, "beta": shift, "mean": np.zeros_like(scale), "variance": np.ones_like(scale)}
    constants = [view.constant(f"{node.name}/{part}", value) for part, value in values.items()]
    return Node(
        node.name, BATCH_NORMALIZATION, BatchNormalizationAttrs(epsilon=0.0), (source, *constants), (target,)
    )


def _is_linear(node: BoundNode) -> bool:
    if node.node.op not in LINEAR or not node.input(1).is_constant:
        return False
    bias = node.optional_input(2)
    return bias is None or bias.is_constant


def _pads(node: BoundNode) -> bool:
    """Whether some outputs have taps that read nothing: at a border, or between spread inputs."""
    return not all(inside.all() for inside in tap_cases(node))


def _output_axis(node: BoundNode) -> int:
    rule = OPERATORS[node.node.op].quant_rule.weights
    assert rule is not None
    return rule.channel_axis


def _parameters(node: BoundNode) -> tuple[np.ndarray, np.ndarray]:
    """(weights, bias) of a linear node in float64; a missing bias is 0."""
    weights, bias = node.input(1), node.optional_input(2)
    assert weights.data is not None
    if bias is None or bias.data is None:
        return weights.data.astype(np.float64), np.zeros(weights.shape[_output_axis(node)])
    return weights.data.astype(np.float64), bias.data.astype(np.float64)


def _with_parameters(
    view: View, node: BoundNode, weights: np.ndarray, bias: np.ndarray, **changes: Any
) -> Node:
    """The linear node with other weights and bias."""
    old_bias = node.optional_input(2)
    w_name = view.constant(node.input(1).name, weights)
    b_name = view.constant(f"{node.name}/bias" if old_bias is None else old_bias.name, bias)
    return replace(node.node, **{"inputs": (node.node.inputs[0], w_name, b_name), **changes})


def fold_into_previous_once(view: View, node: BoundNode) -> Graph | None:
    """The rule of fold_into_previous."""
    producer = view.private_producer(node.node.inputs[0]) if node.node.op == BATCH_NORMALIZATION else None
    if producer is None or not can_follow(producer):
        return None
    scale, shift = scale_and_shift(node)
    weights, bias = _parameters(producer)
    along = [-1 if axis == _output_axis(producer) else 1 for axis in range(weights.ndim)]
    merged = _with_parameters(
        view, producer, weights * scale.reshape(along), bias * scale + shift, outputs=node.node.outputs
    )
    return view.replaced({producer.name: [merged], node.name: []})


def _fold_into_next(view: View, node: BoundNode) -> Graph | None:
    if node.node.op != BATCH_NORMALIZATION:
        return None
    reader, (scale, shift) = view.only_reader(node.output.name), scale_and_shift(node)
    if reader is None or not can_precede(reader, node.output.name, shift):
        return None
    weights, bias = _parameters(reader)
    channel = input_channels(reader, len(scale))
    others = tuple(axis for axis in range(weights.ndim) if axis != _output_axis(reader))
    bias = bias + (weights * shift[channel]).sum(axis=others)
    merged = _with_parameters(view, reader, weights * scale[channel], bias)
    merged = replace(merged, inputs=(node.node.inputs[0], *merged.inputs[1:]))
    return view.replaced({node.name: [], reader.name: [merged]})


def _merge(view: View, node: BoundNode) -> Graph | None:
    producer = view.private_producer(node.node.inputs[0]) if node.node.op == BATCH_NORMALIZATION else None
    if producer is None or producer.node.op != BATCH_NORMALIZATION:
        return None
    (scale, shift), (outer_scale, outer_shift) = scale_and_shift(producer), scale_and_shift(node)
    merged = normalization(
        view,
        node.node,
        producer.input(0).name,
        node.output.name,
        scale * outer_scale,
        shift * outer_scale + outer_shift,
    )
    return view.replaced({producer.name: [], node.name: [merged]})


def _lower(view: View, node: BoundNode) -> Graph | None:
    if node.node.op != BATCH_NORMALIZATION:
        return None
    scale, shift = scale_and_shift(node)
    x, y = node.input(0), node.output
    weights = view.constant(f"{node.name}/scale", scale.reshape(1, 1, 1, -1))
    bias = view.constant(f"{node.name}/shift", shift)
    attrs = DepthwiseConv2DAttrs(padding="valid")

    def depthwise(source: str, target: str) -> Node:
        return Node(node.name, "depthwise_conv_2d", attrs, (source, weights, bias), (target,))

    if len(x.shape) == 4 and x.shape[0] == 1:
        return view.replaced({node.name: [depthwise(x.name, y.name)]})
    flat = (1, math.prod(x.shape[:-1]), 1, x.shape[-1])
    wide, done = view.tensor(f"{node.name}/expand", flat), view.tensor(f"{node.name}/depthwise", flat)
    return view.replaced(
        {
            node.name: [
                Node(
                    view.node_name(f"{node.name}/expand"),
                    "reshape",
                    ReshapeAttrs(shape=flat),
                    (x.name,),
                    (wide,),
                ),
                depthwise(wide, done),
                Node(
                    view.node_name(f"{node.name}/squeeze"),
                    "reshape",
                    ReshapeAttrs(shape=y.shape),
                    (done,),
                    (y.name,),
                ),
            ]
        }
    )
