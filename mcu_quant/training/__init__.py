"""Quantization-aware training for Keras 3. Only this stage imports Keras in the caller's process.

Importing it registers the layers, so that keras.saving.load_model reads models that were saved.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras

from mcu_quant.errors import InvalidInputError
from mcu_quant.importers.keras_model import load_keras_model
from mcu_quant.ir import Graph
from mcu_quant.passes import prepare_for_training
from mcu_quant.quantize import calibrate, check_quantizable
from mcu_quant.quantize.masks import masks, with_bounded_masks
from mcu_quant.training.fake_quantize import FakeQuantize
from mcu_quant.training.linear import FakeQuantizedLinear
from mcu_quant.training.model import TrainingOptions, build_model
from mcu_quant.training.operator import GraphOperator
from mcu_quant.training.statistics import set_frozen

__all__ = [
    "FakeQuantize",
    "FakeQuantizedLinear",
    "GraphOperator",
    "TrainingOptions",
    "calibrate_model",
    "freeze_statistics",
    "load_model",
    "training_model",
]


def training_model(
    graph: Graph, options: TrainingOptions, samples: Iterable[Any] | None = None
) -> keras.Model:
    """A Keras model of the float graph, as imported, that trains with quantization. Not compiled.

    samples: as for calibrate; needed where attention is masked. Raises UnsupportedModelError naming every
    layer without a trainable form, InvalidInputError for a model that has been prepared before.
    """
    if graph.trained is not None:
        raise InvalidInputError(
            "a model is prepared for training once", layer=graph.name, hint="train it as it is: model.fit(…)"
        )
    if keras.backend.backend() != "tensorflow":
        raise InvalidInputError(
            "Keras must run on TensorFlow: scales are computed in float64, as the quantizer does",
            value=f"backend {keras.backend.backend()}",
            hint="KERAS_BACKEND=tensorflow in the environment",
        )
    prepared, normalizations = prepare_for_training(graph)
    check_quantizable(prepared)
    if samples is None and (mask := next(masks(prepared), None)) is not None:
        raise InvalidInputError(
            "how far masked scores are below the others must be learned from data",
            layer=mask.node.name,
            hint="prepare_qat(model, representative_dataset)",
        )
    prepared = prepared if samples is None else with_bounded_masks(prepared, samples)
    return build_model(prepared, normalizations, options)


def calibrate_model(model: keras.Model, samples: Iterable[Any]) -> None:
    """Start from the ranges that the samples span, in place of the first batch's. Errors as of calibrate."""
    ranges = calibrate(load_keras_model(model), samples)
    for layer in model.layers:
        if isinstance(layer, FakeQuantize) and layer.fixed is None:
            layer.ranges.assign([ranges[name] for name in layer.tensors])
            layer.batches.assign([1] * len(layer.tensors))


def freeze_statistics(model: keras.Model, frozen: bool = True) -> None:
    """Keep batch-norm statistics and activation ranges as they are (frozen=False: let them move again).

    It is part of what model.save keeps. Raises InvalidInputError for a model without such layers.
    """
    if not isinstance(model, keras.Model) or not set_frozen(model, frozen):
        raise InvalidInputError(
            "the model must be one that prepare_qat gave", layer=str(getattr(model, "name", model))
        )


def load_model(path: str | Path, **options: Any) -> keras.Model:
    """keras.saving.load_model, which knows the layers of a prepared model once this module is imported."""
    return keras.saving.load_model(path, **options)
