"""The sliding windows of a stream: what a streaming model must equal, computed the long way."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph


def sliding_windows(graph: Graph, axis: int, hops: np.ndarray) -> np.ndarray:
    """The window model's input at each hop: [hops, *shape of its input].

    hops: [hops, *shape] of what the streaming model gets, a few frames each. Before the first, all is 0.
    """
    (source,) = graph.input_tensors()
    size, hop = source.shape[axis], hops.shape[axis + 1]
    silence = np.full(source.shape, 0 if source.quant is None else source.zero_point, source.dtype)
    stream = np.concatenate([silence, *hops], axis)
    ends = range(size + hop, stream.shape[axis] + 1, hop)
    return np.stack([stream.take(np.arange(end - size, end), axis) for end in ends])


def run_windows(graph: Graph, axis: int, hops: np.ndarray) -> list[np.ndarray]:
    """The window model's outputs at each hop, [hops, *shape] each."""
    return run_graph(graph, [sliding_windows(graph, axis, hops)])
