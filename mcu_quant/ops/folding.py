"""Nodes of constants alone: computed once and for all, within bounds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.interpreter import run_node
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.storage import real_values

#: The most elements that a folded node may read and write; more than a microcontroller's constants have.
MAX_ELEMENTS = 2**22


def is_constant(node: BoundNode) -> bool:
    """Whether the node reads something, and nothing but constants."""
    present = [tensor for tensor in node.inputs if tensor is not None]
    return bool(present) and all(tensor.is_constant for tensor in present)


def work(node: BoundNode) -> int:
    """What computing the node costs: elements read and written, and what each output element reads."""
    tensors = [tensor for tensor in (*node.inputs, *node.outputs) if tensor is not None]
    window = math.prod(node.attrs.filter_size) if isinstance(node.attrs, Pool2DAttrs) else 0
    outputs = sum(tensor.elements for tensor in node.outputs)
    return sum(tensor.elements for tensor in tensors) + window * outputs + OPERATORS[node.node.op].macs(node)


def as_sample(node: BoundNode) -> BoundNode:
    """The node with its first input made an activation, without its data, as operators expect it.

    Of float16 it becomes float32, as the outputs do.
    """
    first = next(index for index, tensor in enumerate(node.inputs) if tensor is not None)
    inputs = list(node.inputs)
    inputs[first] = _widened(replace(node.input(first), data=None))
    return replace(node, inputs=tuple(inputs), outputs=tuple(_widened(tensor) for tensor in node.outputs))


def _widened(tensor: Tensor) -> Tensor:
    return replace(tensor, dtype="float32") if tensor.dtype == "float16" else tensor


def constant_outputs(node: BoundNode) -> tuple[Tensor, ...]:
    """The outputs of a node of constants, as constants; their scales stay."""
    values: list[np.ndarray | None] = [None if tensor is None else tensor.data for tensor in node.inputs]
    first = next(index for index, value in enumerate(values) if value is not None)
    x, data = node.input(first), values[first]
    assert data is not None
    values[first] = (real_values(x, data) if x.dtype == "float16" else data)[None]
    results = run_node(as_sample(node), values)
    return tuple(
        replace(tensor, data=np.asarray(result[0], np.dtype(tensor.dtype)).reshape(tensor.shape))
        for tensor, result in zip(node.outputs, results, strict=True)
    )
