"""A model that streams, made of one that takes a window."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from mcu_quant.deployment import GenerateOptions
from mcu_quant.pipeline.models import TfliteModel, read_model

if TYPE_CHECKING:
    import numpy as np

    from mcu_quant.ir import Graph
    from mcu_quant.verify.compare import Comparison


class StreamingWarning(UserWarning):
    """A model that streams, but to no use."""


#: What `verify` calls the comparison with the window model.
WINDOWS = "window model"


def streamed(model: TfliteModel, options: GenerateOptions) -> TfliteModel:
    """The model that options.stream asks for: itself, or what streams it.

    Raises InvalidInputError for an axis or hop that the input does not have, UnsupportedModelError with the
    layers that cannot stream. Warns where a run computes no less than the window model's.
    """
    if options.stream is None:
        return model
    from mcu_quant.ops.support import require_supported
    from mcu_quant.streaming import stream_graph

    window = require_supported(model.graph)
    graph = stream_graph(window, options.stream, options.frames)
    _warn_of_nothing_saved(window, graph)
    return replace(model, graph=graph, window=window)


def _warn_of_nothing_saved(window: Graph, graph: Graph) -> None:
    facts, macs = graph.streaming, _macs(graph)
    if facts is not None and facts.hop < facts.frames and macs >= _macs(window) > 0:
        warnings.warn(
            f"{graph.inputs[0]}: streaming along axis {facts.axis} saves nothing: each run computes all "
            f"{macs:,} MACs of the window. Try: the axis that is time; inspect with --stream names the "
            "layers that need the whole window.",
            StreamingWarning,
            stacklevel=3,
        )


def _macs(graph: Graph) -> int:
    from mcu_quant.ops import OPERATORS

    return sum(OPERATORS[node.node.op].macs(node) for node in graph.bound_nodes())


def streaming_file(model: TfliteModel, options: GenerateOptions) -> TfliteModel:
    """A .tflite file of what options.stream asks for; the model itself where it asks for nothing.

    Its states are variables. Raises as `streamed` does, and for what no file can say.
    """
    if options.stream is None:
        return model
    from mcu_quant.exporters.tflite import write_tflite
    from mcu_quant.streaming.standard import in_standard_operators

    graph = in_standard_operators(streamed(model, options).graph)
    return read_model(write_tflite(graph), model.name)


def compare_with_windows(model: TfliteModel, hops: np.ndarray, expected: list[np.ndarray]) -> Comparison:
    """The reference's outputs of a model that streams against those of the window model on every window."""
    from mcu_quant.ops.tolerance import output_tolerances
    from mcu_quant.streaming.windows import run_windows
    from mcu_quant.verify.compare import compare

    assert model.window is not None and model.graph.streaming is not None
    windows = run_windows(model.window, model.graph.streaming, hops)
    return compare(WINDOWS, windows, expected, output_tolerances(model.graph))
