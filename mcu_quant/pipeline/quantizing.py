"""prepare and quantize: a float Graph to a .tflite file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mcu_quant.c_names import c_name
from mcu_quant.choices import DYNAMIC_RANGES
from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph
from mcu_quant.pipeline.models import TfliteModel, read_model
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.recipe import NO_RECIPE, check_recipe

#: The type of activations, by technique; the others have float32.
_ACTIVATIONS = {"int8": "int8", "int16x8": "int16"}

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
    from mcu_quant.quantize import quantize_float, quantize_int8, quantize_trained

    if graph.trained is not None and options.is_mixed:
        raise InvalidInputError(
            "a model that was trained with quantization becomes int8 in all layers",
            layer=graph.name,
            value="a recipe" if options.recipe is not None else "allow_float",
            hint="the float model that prepare_qat was given",
        )
    if options.is_mixed:
        return _mixed(prepare(graph), samples, options, progress)
    if options.is_float:
        return quantize_float(
            graph if graph.trained is not None else prepare(graph),
            options.technique,
            per_tensor=options.per_tensor,
            dynamic_range=options.dynamic_range or DYNAMIC_RANGES[0],
        )
    shared: dict[str, Any] = {
        "calibration": options.calibration,
        "weights_calibration": options.weights_calibration,
        "per_tensor": options.per_tensor,
        "input_type": options.input_type,
        "output_type": options.output_type,
        "repairs": options.repairs,
    }
    if graph.trained is not None:
        return quantize_trained(graph, technique=options.technique, **shared)
    return quantize_int8(
        prepare(graph), samples, activations=_ACTIVATIONS[options.technique], progress=progress, **shared
    )


def _mixed(
    graph: Graph, samples: Iterable[Any], options: QuantizeOptions, progress: Progress | None
) -> Graph:
    from mcu_quant.quantize import MixedOptions, quantize_mixed

    recipe, layers = options.recipe or NO_RECIPE, [node.name for node in graph.nodes]
    check_recipe(recipe, layers)
    usual = _ACTIVATIONS.get(recipe.rest(options.technique), "float32")
    return quantize_mixed(
        graph,
        samples,
        {layer: recipe.technique_of(layer, options.technique) for layer in layers},
        MixedOptions(
            input_type=options.input_type or usual,
            output_type=options.output_type or usual,
            calibration=options.calibration,
            per_tensor=options.per_tensor,
            weights_calibration=options.weights_calibration,
            repairs=options.repairs,
            dynamic_range=options.dynamic_range or DYNAMIC_RANGES[0],
            allow_float=options.allow_float,
        ),
        progress,
    )
