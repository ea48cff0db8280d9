"""prepare and quantize: a float Graph to a .tflite file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mcu_quant.c_names import c_name
from mcu_quant.choices import DYNAMIC_RANGES
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
    from mcu_quant.passes import prepare
    from mcu_quant.quantize import quantize_float, quantize_int8, quantize_trained

    if options.is_float:
        quantized = quantize_float(
            graph if graph.trained is not None else prepare(graph),
            options.technique,
            per_tensor=options.per_tensor,
            dynamic_range=options.dynamic_range or DYNAMIC_RANGES[0],
        )
        return read_model(write_tflite(quantized), c_name(graph.name))
    if graph.trained is not None:
        quantized = quantize_trained(
            graph,
            technique=options.technique,
            calibration=options.calibration,
            weights_calibration=options.weights_calibration,
            per_tensor=options.per_tensor,
            input_type=options.input_type,
            output_type=options.output_type,
            repairs=options.repairs,
        )
        return read_model(write_tflite(quantized), c_name(graph.name))
    quantized = quantize_int8(
        prepare(graph),
        samples,
        calibration=options.calibration,
        per_tensor=options.per_tensor,
        input_type=options.input_type,
        output_type=options.output_type,
        weights_calibration=options.weights_calibration,
        repairs=options.repairs,
        progress=progress,
        activations="int16" if options.technique == "int16x8" else "int8",
    )
    return read_model(write_tflite(quantized), c_name(graph.name))
