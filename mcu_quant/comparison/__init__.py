"""The techniques side by side: what each costs and what it keeps, and which to take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mcu_quant import pipeline, samples
from mcu_quant.boards import Board
from mcu_quant.comparison.advice import Advice, Situation, advise
from mcu_quant.comparison.rows import Cost, Row
from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import (
    DoesNotFitError,
    InvalidInputError,
    InvalidModelError,
    McuQuantError,
    UnsupportedModelError,
)
from mcu_quant.evaluation.candidates import Candidate
from mcu_quant.evaluation.datasets import Dataset
from mcu_quant.evaluation.fidelity import measure
from mcu_quant.evaluation.metrics import Measured, MetricFactory
from mcu_quant.evaluation.reference import reference_graph
from mcu_quant.ir import Graph
from mcu_quant.quantize_options import QuantizeOptions

__all__ = ["Advice", "Comparison", "Cost", "Request", "Row", "compare"]

#: (what is being done, how many samples of it are done, how many there are; 0 where it has none).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Request:
    """What to compare. graph: the float model as loaded.

    calibration: None if there is none. test: what accuracy and agreement are measured on; calibration's
    samples if None. finished: models that are quantized already, by the name of their row.
    max_loss: what accuracy may be lost, percent (advice.py says of what).
    """

    graph: Graph
    candidates: Sequence[Candidate]
    options: QuantizeOptions
    calibration: Dataset | None
    test: Dataset | None
    metric: MetricFactory | None
    board: Board | None
    generating: GenerateOptions
    finished: Mapping[str, pipeline.TfliteModel]
    max_loss: float

    @property
    def measured_on(self) -> Dataset | None:
        return self.calibration if self.test is None else self.test


@dataclass(frozen=True)
class Comparison:
    """rows: in the order asked for. float_accuracy: the Keras model's; None without labels."""

    model: str
    board: str | None
    core: str | None
    measured_on: str | None
    samples: int
    float_accuracy: Measured | None
    rows: tuple[Row, ...]
    advice: Advice

    def as_json(self) -> dict[str, Any]:
        """The object of `compare --json`, without "schema"."""
        return {
            "model": self.model,
            "board": self.board,
            "core": self.core,
            "samples": {"measured_on": self.measured_on, "measured": self.samples},
            "float": {
                "accuracy": None if self.float_accuracy is None else self.float_accuracy.as_json(),
            },
            "rows": [row.as_json() for row in self.rows],
            "advice": self.advice.as_json(),
        }


def compare(request: Request, progress: Progress = lambda what, done, total: None) -> Comparison:
    """Quantize by every candidate, measure all of them on the same data, and each on the board."""
    if request.calibration is not None:
        _check(request.calibration)
    made = [_made(request, candidate, progress) for candidate in request.candidates]
    made += [
        (Row(name, _technique_of(model.graph), None, file_bytes=len(model.data)), model)
        for name, model in request.finished.items()
    ]
    models = {row.name: model for row, model in made if model is not None}
    before, rows = _with_fidelity(request, [row for row, _ in made], models, progress)
    if request.board is not None:
        rows = [
            row
            if row.name not in models
            else _on_board(row, models[row.name], request, request.board, progress)
            for row in rows
        ]
    data = request.measured_on
    situation = Situation(
        rows=tuple(rows),
        float_accuracy=before,
        calibration_samples=0 if request.calibration is None else request.calibration.count,
        board=None if request.board is None else request.board.name,
        core=None if request.board is None else pipeline.core_named(request.board.core),
        trained=request.graph.trained is not None,
        max_loss=request.max_loss,
    )
    return Comparison(
        model=request.graph.name,
        board=situation.board,
        core=None if request.board is None else request.board.core,
        measured_on=None if data is None else "calibration" if request.test is None else "test",
        samples=0 if data is None else data.count,
        float_accuracy=before,
        rows=tuple(rows),
        advice=advise(situation),
    )


def _made(
    request: Request, candidate: Candidate, progress: Progress
) -> tuple[Row, pipeline.TfliteModel | None]:
    trained = request.graph.trained is not None
    try:
        options = candidate.options(request.options)
    except InvalidInputError as error:
        row = Row(candidate.name, candidate.technique)
        return replace(row, status="unsupported", reason=_reason(error)), None
    row = Row(candidate.name, candidate.technique, asdict(options))
    if candidate.needs_data and request.calibration is None and not trained:
        return replace(row, status="needs_data", reason="there are no calibration samples (--data)"), None
    what = f"quantizing: {candidate.name}"
    total = 0 if request.calibration is None else request.calibration.count
    progress(what, 0, total)
    given: Any = () if request.calibration is None else request.calibration
    try:
        model = pipeline.quantize(
            request.graph, given, options, progress=lambda done, _: progress(what, done, total)
        )
    except (UnsupportedModelError, InvalidInputError, InvalidModelError) as error:
        return replace(row, status="unsupported", reason=_reason(error)), None
    return replace(row, file_bytes=len(model.data)), model


def _check(data: Dataset) -> None:
    """Raise for unusable samples now: what a technique refuses later are options, and that is its row."""
    for _ in data.batches():
        pass


def _with_fidelity(
    request: Request, rows: list[Row], models: Mapping[str, pipeline.TfliteModel], progress: Progress
) -> tuple[Measured | None, list[Row]]:
    data = request.measured_on
    if data is None:
        return None, rows
    before, found = measure(
        reference_graph(request.graph),
        {name: model.graph for name, model in models.items()},
        data,
        request.metric,
        lambda done: progress(f"running {len(models)} models and the float one", done, data.count),
    )
    return before, [replace(row, fidelity=found.get(row.name)) for row in rows]


def _on_board(
    row: Row, model: pipeline.TfliteModel, request: Request, board: Board, progress: Progress
) -> Row:
    """With what the linked image takes; or with the reason why there is none."""
    progress(f"measuring on {board.name}: {row.name}", 0, 0)
    try:
        inputs = samples.default_inputs(model.graph, 1)
        facts = pipeline.profile(model, board, [x[:1] for x in inputs], request.generating)
    except DoesNotFitError as error:
        return replace(row, status="does_not_fit", reason=_reason(error), cost=None)
    except UnsupportedModelError as error:
        return replace(row, status="unsupported", reason=_reason(error), cost=None)
    return replace(
        row,
        cost=Cost(
            flash_bytes=facts["flash"]["model_bytes"],
            const_bytes=facts["flash"]["const_bytes"],
            ram_bytes=facts["memory"]["ram_bytes"],
            arena_bytes=facts["memory"]["arena_bytes"],
            instructions=facts["instructions"],
            modelled_cycles=facts["modelled_cycles"],
        ),
    )


def _technique_of(graph: Graph) -> str:
    """What a finished model was made by, as far as its activations tell."""
    types = {tensor.dtype for tensor in graph.tensors.values() if not tensor.is_constant}
    return "int16x8" if "int16" in types else "int8" if types & {"int8", "uint8"} else "float32"


def _reason(error: McuQuantError) -> str:
    return "; ".join(str(problem) for problem in error.problems)
