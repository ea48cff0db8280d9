"""Output channels of one value, where they must stay: all weights 0, so that they need no input channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.linear import LinearOperator, accumulator_range, bias_dtype
from mcu_quant.ops.ranges import range_of
from mcu_quant.optimize.rewrite import ConstantWriter


def clear_constant_filters(graph: Graph) -> Graph:
    """The graph, with ranges annotated, with such filters cleared; the bias alone gives their value."""
    constants = ConstantWriter(graph)
    nodes = tuple(_cleared(node, constants) for node in graph.bound_nodes())
    if not constants.written:
        return graph
    return graph.with_(nodes=nodes, tensors={**graph.tensors, **constants.written})


def _cleared(node: BoundNode, constants: ConstantWriter) -> Node:
    if not isinstance(OPERATORS[node.node.op], LinearOperator) or node.output.value_range is None:
        return node.node
    known = range_of(node.output)
    weights, bias = node.input(1), node.optional_input(2)
    assert weights.data is not None
    channels_last = np.moveaxis(weights.data, -1 if node.node.op == "depthwise_conv_2d" else 0, -1)
    used = channels_last.reshape(-1, channels_last.shape[-1]).any(axis=0)
    cleared = (known.low == known.high) & used
    if not cleared.any():
        return node.node
    # Whatever the accumulator is within its range, the output is the same.
    low, _ = accumulator_range(node)
    old = np.zeros(len(low), np.int64) if bias is None or bias.data is None else bias.data.astype(np.int64)
    limits = np.iinfo(bias_dtype(node))
    data = np.where(cleared, np.clip(low, limits.min, limits.max), old).astype(limits.dtype)
    filters = np.where(cleared, np.int8(0), channels_last)
    filters = np.moveaxis(filters, -1, -1 if node.node.op == "depthwise_conv_2d" else 0)
    names = (
        constants.write(weights.name, filters, weights.quant),
        constants.write(f"{node.name}/bias", data, None)
        if bias is None
        else constants.write(bias.name, data, bias.quant),
    )
    return replace(node.node, inputs=(node.node.inputs[0], *names))
