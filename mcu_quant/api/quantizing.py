"""quantize: a float model and samples to a .tflite file."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mcu_quant import pipeline, samples
from mcu_quant.api.models import FloatModel, QuantizedModel, float_model
from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import InvalidInputError
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.recipe import Recipe, read_recipe, recipe_of


def quantize(
    model: Any,
    representative_dataset: Any = None,
    *,
    technique: str = "int8",
    calibration: str = "minmax",
    per_tensor: bool = False,
    input_type: str | None = None,
    output_type: str | None = None,
    weights_calibration: str = "minmax",
    repairs: Sequence[str] = (),
    dynamic_range: str | None = None,
    recipe: Recipe | Mapping[str, str] | str | Path | None = None,
    allow_float: bool = False,
    stream: int | None = None,
    hop: int | None = None,
    progress: pipeline.Progress | None = None,
) -> QuantizedModel:
    """Quantize a float model to integers; or, with a float technique, only its weights or nothing.

    model: what load() takes, or what it returned. representative_dataset: an array [N, …], a dict of
    arrays by input name, an iterable of samples, a TFLite-style generator function, or the path of a
    .npz file; none for a model that was trained with quantization (prepare_qat), which has its ranges, nor
    for techniques that keep activations in float32, which do not read it.
    technique: "int8"; "int16x8" (int16 activations, int8 weights); "float32", "float16" (weights as halves)
    or "dynamic" (int8 weights). calibration: how ranges of activations are found (see choices.py, or
    "percentile=99.9"); weights_calibration: "minmax" or "mse". repairs: of "equalize", "adaround" and
    "bias"; they run through the dataset several times. input_type, output_type: "int8", "uint8" (int8
    only), "int16" (int16x8 only) or "float32", or in a mix any; by default what activations are.
    dynamic_range: of "dynamic", "hybrid" (default) or "weights".
    recipe: layers' own techniques, {"conv*": "int16x8", "dense": "float32"} or the path of a TOML file that
    says so (recipe.py); technique is that of the other layers. allow_float: layers without an integer form
    are computed in float32, instead of an error. stream, hop: as axis and hop of QuantizedModel.streaming.
    progress: called with the number of samples seen.
    """
    loaded = float_model(model)
    options = QuantizeOptions(
        technique=technique,
        calibration=calibration,
        per_tensor=per_tensor,
        input_type=input_type,
        output_type=output_type,
        weights_calibration=weights_calibration,
        repairs=words(repairs),
        dynamic_range=dynamic_range,
        recipe=given_recipe(recipe),
        allow_float=allow_float,
    )
    dataset = () if options.is_float else calibration_dataset(representative_dataset, loaded)
    chosen = GenerateOptions(stream=stream, hop=hop)
    quantized = pipeline.quantize(loaded.graph, dataset, options, progress=progress)
    return QuantizedModel(pipeline.streaming_file(replace(quantized, name=loaded.name), chosen))


def given_recipe(given: Recipe | Mapping[str, str] | str | Path | None) -> Recipe | None:
    """A recipe in any of the ways that quantize takes it."""
    if given is None or isinstance(given, Recipe):
        return given
    return recipe_of(given) if isinstance(given, Mapping) else read_recipe(Path(given))


def words(names: str | Sequence[str]) -> tuple[str, ...]:
    """Names in a row, or in one text with commas between them as on the command line."""
    return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(names)


def calibration_dataset(given: Any, model: FloatModel) -> Any:
    """The samples to calibrate with; nothing for a model that was trained with quantization."""
    if model.graph.trained is not None:
        if given is not None:
            warnings.warn(
                f"{model.name}: the model was trained with quantization: its own ranges are taken, and the "
                "representative dataset is not looked at.",
                UserWarning,
                stacklevel=3,
            )
        return ()
    if given is None:
        raise InvalidInputError(
            "a float model needs calibration samples to become int8",
            layer=model.name,
            hint="representative_dataset=x, 100 to 500 samples of the data that the model will see",
        )
    return samples.calibration_samples(given, model.graph)
