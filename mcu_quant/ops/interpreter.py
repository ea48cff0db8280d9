"""Run a whole graph in numpy: the float meaning, or the bits (the reference)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mcu_quant.ir import Graph, Tensor
from mcu_quant.ops import OPERATORS

Observer = Callable[[str, np.ndarray], None]


def run_float(
    graph: Graph, inputs: Sequence[np.ndarray], observe: Observer | None = None
) -> list[np.ndarray]:
    """The outputs of a float graph. inputs: float32 [N, *shape] each; outputs likewise.

    observe(tensor name, [N, *shape]) is called for every activation, inputs included.
    """
    return _run(graph, inputs, "run_float", observe)


def run_int8(graph: Graph, inputs: Sequence[np.ndarray], observe: Observer | None = None) -> list[np.ndarray]:
    """The outputs of a quantized graph, byte for byte. inputs: [N, *shape] of the inputs' dtypes."""
    return _run(graph, inputs, "run_int8", observe)


def _run(
    graph: Graph, inputs: Sequence[np.ndarray], method: str, observe: Observer | None
) -> list[np.ndarray]:
    values: dict[str, np.ndarray] = {}
    last_use = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs if name is not None}

    def put(name: str, value: np.ndarray) -> None:
        values[name] = value
        if observe is not None:
            observe(name, value)

    for name, value in zip(graph.inputs, inputs, strict=True):
        tensor = graph.tensors[name]
        assert value.shape[1:] == tensor.shape, f"{name}: {value.shape} is not [N, *{tensor.shape}]"
        put(name, value)
    for index, node in enumerate(graph.nodes):
        bound = graph.bind(node)
        operands = [
            None if tensor is None else tensor.data if tensor.is_constant else values[tensor.name]
            for tensor in bound.inputs
        ]
        results = getattr(OPERATORS[node.op], method)(bound, operands)
        for name, value in zip(node.outputs, results, strict=True):
            put(name, value)
        for read in node.inputs:
            if read in values and last_use[read] == index and read not in graph.outputs:
                del values[read]
    return [_output(graph.tensors[name], values, len(inputs[0])) for name in graph.outputs]


def _output(tensor: Tensor, values: dict[str, np.ndarray], samples: int) -> np.ndarray:
    """A constant may be an output: the same for every sample."""
    if tensor.data is None:
        return values[tensor.name]
    return np.broadcast_to(tensor.data, (samples, *tensor.shape))
