"""diagnose and compare: what quantization does to a model, and what each technique costs and keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcu_quant import pipeline
from mcu_quant.api.models import FloatModel, QuantizedModel, float_model, load
from mcu_quant.api.quantizing import calibration_dataset, given_recipe, quantize, words
from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import InvalidInputError
from mcu_quant.quantize_options import QuantizeOptions

if TYPE_CHECKING:
    from mcu_quant.comparison import Comparison
    from mcu_quant.diagnosis import Diagnosis
    from mcu_quant.evaluation.datasets import Dataset
    from mcu_quant.evaluation.metrics import MetricFactory, UserMetric

#: progress(what is being done, samples done, samples in all).
PhaseProgress = Callable[[str, int, int], None]


def diagnose(
    model: Any,
    representative_dataset: Any,
    *,
    test: Any = None,
    metric: str | UserMetric | None = None,
    auto: bool = False,
    budget: int = 12,
    board: str | None = None,
    progress: PhaseProgress = lambda what, done, total: None,
    **options: Any,
) -> Diagnosis:
    """Quantize a float model and say what that did to each layer: `diagnose`.

    test: what figures are taken of, in place of the calibration samples: a .npz file, a dict with x and y,
    or samples. metric: "top1", "auc", "mse" or a function of (outputs, labels), larger is better.
    auto: try up to `budget` remedies on calibration data, measured on the board if one is given.
    representative_dataset: None where nothing is calibrated (a float technique, a model that was trained with
    quantization) and test is given. options: quantize's (technique, calibration, repairs, …). Returns what
    as_json(), save_html() and its fields show.
    """
    from mcu_quant import diagnosis
    from mcu_quant.evaluation.datasets import dataset_of
    from mcu_quant.evaluation.metrics import metric_for
    from mcu_quant.evaluation.reference import reference_graph

    loaded = float_model(model)
    if board is not None and not auto:
        raise InvalidInputError("a board is what auto measures on", value=board, hint="auto=True too")
    if "repairs" in options:
        options["repairs"] = words(options["repairs"])
    options["recipe"] = given_recipe(options.get("recipe"))
    chosen, reference = QuantizeOptions(**options), reference_graph(loaded.graph)
    if representative_dataset is None:
        representative_dataset = _without_calibration(loaded, chosen, None if auto else test)
    calibration = dataset_of(representative_dataset, reference, "representative_dataset")
    tested = None if test is None else dataset_of(test, reference, "test")
    request = diagnosis.Request(
        graph=loaded.graph,
        name=loaded.name,
        options=chosen,
        calibration=calibration,
        test=tested,
        metric=metric_for(metric, calibration if tested is None else tested),
        budget=budget if auto else 0,
        judging=metric_for(metric, calibration) if calibration.labels_shape is not None else None,
        board=None if board is None else pipeline.emulated_board(board),
    )
    return diagnosis.diagnose(request, progress)


def _without_calibration(loaded: FloatModel, options: QuantizeOptions, test: Any) -> Any:
    """The samples to run where there are none to calibrate with: test, if nothing is calibrated."""
    if loaded.graph.trained is None and not options.is_float:
        return calibration_dataset(None, loaded)
    if test is None:
        raise InvalidInputError(
            "layers are compared on samples, and remedies are tried on calibration samples only",
            layer=loaded.name,
            hint="representative_dataset=x; or test, without auto",
        )
    return test


def compare(
    model: Any,
    representative_dataset: Any = None,
    *,
    test: Any = None,
    board: str | None = None,
    techniques: Sequence[str] | None = None,
    metric: str | UserMetric | None = None,
    also: Mapping[str, QuantizedModel | FloatModel | str | Path] | None = None,
    max_loss: float = 1.0,
    input_type: str | None = None,
    output_type: str | None = None,
    generating: GenerateOptions | None = None,
    progress: PhaseProgress = lambda what, done, total: None,
) -> Comparison:
    """Quantize a float model by each technique and say what each costs and keeps: `compare`.

    representative_dataset: None if there is none, and then only techniques that need none are tried.
    test, metric: as for diagnose. techniques: TECHNIQUE[+per-tensor][+CALIBRATION][+REPAIR…] each; all by
    default. also: finished models, and models that were trained with quantization, by the name of their
    row. max_loss: what accuracy may be lost, percent.
    input_type, output_type: by default what each technique's activations are.
    """
    from mcu_quant import comparison
    from mcu_quant.evaluation.candidates import parse, side_by_side
    from mcu_quant.evaluation.datasets import dataset_of
    from mcu_quant.evaluation.reference import reference_graph

    if not max_loss >= 0:
        raise InvalidInputError(
            "what may be lost must be a percentage, at least 0", value=max_loss, hint="max_loss=1.0"
        )
    if board is None and generating not in (None, GenerateOptions()):
        raise InvalidInputError(
            "options of the generated code change what is measured on a board, and none is given",
            hint="--board too, or leave them out",
        )
    loaded = float_model(model)
    candidates = side_by_side() if techniques is None else [parse(name) for name in words(techniques)]
    finished = {name: _finished(name, source) for name, source in (also or {}).items()}
    _require_distinct([candidate.name for candidate in candidates] + list(finished))
    chosen = None if board is None else pipeline.emulated_board(board)
    reference, data = reference_graph(loaded.graph), representative_dataset
    calibration = None if data is None else dataset_of(data, reference, "representative_dataset")
    tested = None if test is None else dataset_of(test, reference, "test")
    measured = calibration if tested is None else tested
    request = comparison.Request(
        graph=loaded.graph,
        candidates=candidates,
        options=QuantizeOptions(input_type=input_type, output_type=output_type),
        calibration=calibration,
        test=tested,
        metric=_metric(metric, measured),
        board=chosen,
        generating=generating or GenerateOptions(),
        finished=finished,
        max_loss=max_loss,
    )
    return comparison.compare(request, progress)


def _metric(metric: str | UserMetric | None, measured: Dataset | None) -> MetricFactory | None:
    from mcu_quant.evaluation.metrics import metric_for

    if measured is not None:
        return metric_for(metric, measured)
    if metric is not None:
        raise InvalidInputError("a metric needs samples with labels", value=metric, hint="test data with y")
    return None


def _finished(name: str, source: QuantizedModel | FloatModel | str | Path) -> pipeline.TfliteModel:
    loaded = source if isinstance(source, (FloatModel, QuantizedModel)) else load(source)
    if isinstance(loaded, QuantizedModel):
        return loaded.model
    if loaded.graph.trained is not None:
        return quantize(loaded).model
    raise InvalidInputError(
        "what is compared as it is must be a .tflite file, or a model that was trained with quantization",
        layer=name,
    )


def _require_distinct(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInputError("each row of a comparison must have its own name", value=", ".join(twice))
