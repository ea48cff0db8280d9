"""The sliding windows of a stream: what a streaming model must equal, computed the long way."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import Graph, Streaming
from mcu_quant.ops.interpreter import run_graph

#: Windows at a time.
_BATCH = 64


def sliding_windows(window: Graph, streaming: Streaming, hops: np.ndarray) -> np.ndarray:
    """The window model's input at each hop: [hops, *shape of its input].

    hops: [hops, *shape] of what the streaming model gets. Before the first, all is 0.
    """
    (source,) = window.input_tensors()
    silence = np.full(source.shape, 0 if source.quant is None else source.zero_point, source.dtype)
    stream = np.concatenate([silence, *hops], streaming.axis)
    first = streaming.hop * np.arange(1, len(hops) + 1)
    frames = np.arange(streaming.frames)
    return np.stack([stream.take(frames + start, streaming.axis) for start in first])


def run_windows(window: Graph, streaming: Streaming, hops: np.ndarray) -> list[np.ndarray]:
    """The streaming model's outputs, [hops, *shape] each, by the window model alone."""
    windows = sliding_windows(window, streaming, hops)
    parts = [run_graph(window, [windows[i : i + _BATCH]]) for i in range(0, len(windows), _BATCH)]
    outputs = [np.concatenate(part) for part in zip(*parts, strict=True)]
    return [
        y if rows is None else y.take(np.arange(rows[1], rows[2]), rows[0] + 1)
        for y, rows in zip(outputs, streaming.rows, strict=True)
    ]
