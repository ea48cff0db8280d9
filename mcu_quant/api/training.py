"""Quantization-aware training: a keras.Model that rounds as the chip will."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from mcu_quant import samples
from mcu_quant.api.models import FloatModel, QuantizedModel, load
from mcu_quant.choices import RANGE_KINDS, require_choice
from mcu_quant.errors import InvalidInputError, ToolMissingError


def prepare_qat(
    model: Any,
    representative_dataset: Any = None,
    *,
    per_tensor: bool = False,
    ranges: str = "moving_average",
    freeze_after: int | None = None,
) -> Any:
    """A Keras 3 model, not compiled, that trains with int8 rounding: then quantize(model), without data.

    model: what load() takes, or what it returned. Weights are rounded per channel (per_tensor: per layer) to
    [-127, 127]; batch normalizations are folded and activations fused as they will be on the chip.
    ranges: of the activations, "moving_average" of the batches' or "learned" by gradient. They start from
    representative_dataset (as for quantize), or from the first batch. freeze_after: training batches after
    which ranges and batch-norm statistics stay as they are. Needs the tensorflow extra; the model is saved
    by its save() and read by load_qat. Raises McuQuantError as quantize does, and ToolMissingError.
    """
    require_choice("kind of ranges", ranges, RANGE_KINDS)
    if freeze_after is not None and freeze_after < 1:
        raise InvalidInputError(
            "statistics freeze after at least one batch", value=f"freeze_after={freeze_after}"
        )
    training = _training()
    loaded = model if isinstance(model, (FloatModel, QuantizedModel)) else load(model)
    if isinstance(loaded, QuantizedModel):
        raise InvalidInputError("the model must be a float model", layer=loaded.name, value="a .tflite file")
    options = training.TrainingOptions(per_tensor, ranges == "learned", freeze_after)
    data = None
    if representative_dataset is not None:
        data = samples.calibration_samples(representative_dataset, loaded.graph)
    prepared = training.training_model(loaded.graph, options, data)
    if data is not None:
        training.calibrate_model(prepared, data)
    return prepared


def load_qat(path: str | Path) -> Any:
    """A model of prepare_qat from the .keras file that its save() wrote, with the state of its optimizer.

    Raises McuQuantError as load does, and InvalidInputError for a model that was not prepared.
    """
    loaded = load(path)
    if isinstance(loaded, QuantizedModel) or loaded.graph.trained is None:
        raise InvalidInputError(
            "the file must hold a model that prepare_qat gave",
            layer=str(path),
            hint="mcu_quant.prepare_qat(path), if it is a float model",
        )
    return _training().load_model(path)


def freeze_statistics(model: Any, frozen: bool = True) -> None:
    """Keep the ranges and batch-norm statistics of a model of prepare_qat as they are, in training too.

    frozen=False: let them move again. save() keeps the choice.
    """
    _training().freeze_statistics(model, frozen)


def _training() -> ModuleType:
    try:
        from mcu_quant import training
    except ImportError as error:
        raise ToolMissingError(
            "quantization-aware training needs Keras 3",
            value=error,
            hint="pip install 'mcu-quant[tensorflow]'",
        ) from error
    return training
