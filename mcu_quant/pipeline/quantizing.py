"""prepare and quantize: a float Graph to a .tflite file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mcu_quant.c_names import c_name
from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph
from mcu_quant.pipeline.models import TfliteModel, read_model
from mcu_quant.quantize_options import QuantizeOptions

#: Told how many samples are done, and how many there are (None if that is not known).
Progress = Callable[[int, int | None], None]


def quantize(
    graph: Graph, samples: Iterable[Any], options: QuantizeOptions, *, progress: Progress | None = None
) -> TfliteModel:
    """Quantize a float graph. samples: one item after another, each with an array per input.

    They are not looked at by techniques that keep activations in float32, nor if the graph was trained with
    quantization.
    """
    from mcu_quant.exporters.tflite import write_tflite

    return read_model(write_tflite(_quantized(graph, samples, options, progress)), c_name(graph.name))


def _quantized(
    graph: Graph, samples: Iterable[Any], options: QuantizeOptions, progress: Progress | None
) -> Graph:
    from mcu_quant.passes import prepare
    from mcu_quant.quantize import quantize_float, quantize_integer, quantize_mixed, quantize_trained

    if graph.trained is not None and options.is_mixed:
        raise InvalidInputError(
            "a model that was trained with quantization becomes int8 in all layers",
            layer=graph.name,
            value="a recipe" if options.recipe is not None else "allow_float",
            hint="the float model that prepare_qat was given",
        )
    if options.is_mixed:
        return quantize_mixed(prepare(graph), samples, options, progress)
    if options.is_float:
        return quantize_float(graph if graph.trained is not None else prepare(graph), options)
    if graph.trained is not None:
        return quantize_trained(graph, options)
    return quantize_integer(prepare(graph), samples, options, progress)
