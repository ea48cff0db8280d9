"""A model that streams, made of one that takes a window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mcu_quant.deployment import GenerateOptions
from mcu_quant.pipeline.models import TfliteModel, read_model

if TYPE_CHECKING:
    import numpy as np

    from mcu_quant.verify.compare import Comparison

#: What `verify` calls the comparison with the window model.
WINDOWS = "window model"


def streamed(model: TfliteModel, options: GenerateOptions) -> TfliteModel:
    """The model that options.stream asks for: itself, or what streams it.

    Raises InvalidInputError for an axis or hop that the input does not have, UnsupportedModelError with the
    layers that cannot stream.
    """
    if options.stream is None:
        return model
    from mcu_quant.ops.support import require_supported
    from mcu_quant.streaming import stream_graph

    window = require_supported(model.graph)
    return replace(model, graph=stream_graph(window, options.stream, options.frames), window=window)


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
