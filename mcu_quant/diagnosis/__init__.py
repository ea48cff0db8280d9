"""What quantization did to each layer of a model, which layers are to blame, and what helps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mcu_quant import pipeline
from mcu_quant.boards import Board
from mcu_quant.diagnosis.alignment import Alignment
from mcu_quant.diagnosis.layers import LayerFacts, layer_facts
from mcu_quant.diagnosis.rules import Context, Finding, find
from mcu_quant.diagnosis.search import Progress, Search, search_remedies
from mcu_quant.diagnosis.sensitivity import SAMPLES, sensitivities
from mcu_quant.diagnosis.statistics import Observed, observe
from mcu_quant.evaluation.datasets import Dataset
from mcu_quant.evaluation.metrics import MetricFactory
from mcu_quant.evaluation.reference import rounded_graph
from mcu_quant.ir import Graph
from mcu_quant.outputs import write_file
from mcu_quant.quantize_options import QuantizeOptions

__all__ = ["Diagnosis", "Finding", "LayerFacts", "Progress", "Request", "Search", "diagnose"]


@dataclass(frozen=True)
class Diagnosis:
    """layers: in the order of execution, inputs first. findings: faults by weight, then notes.

    measured_on: "test" or "calibration", the data that all figures are of. search: of --auto.
    """

    model: str
    options: QuantizeOptions
    measured_on: str
    calibration_samples: int
    sensitivity_samples: int
    observed: Observed
    layers: tuple[LayerFacts, ...]
    findings: tuple[Finding, ...]
    search: Search | None = None

    @property
    def faults(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "fault")

    def as_json(self) -> dict[str, Any]:
        """The object of `diagnose --json`, without "schema"."""
        before = self.observed.float_accuracy
        return {
            "model": self.model,
            "options": asdict(self.options),
            "samples": {
                "measured_on": self.measured_on,
                "calibration": self.calibration_samples,
                "measured": self.observed.samples,
                "sensitivity": self.sensitivity_samples,
            },
            "output": {
                **self.observed.fidelity.as_json(),
                "float_accuracy": None if before is None else before.as_json(),
            },
            "layers": [{"index": i, **layer.as_json()} for i, layer in enumerate(self.layers)],
            "worst_samples": self.observed.worst,
            "findings": [finding.as_json() for finding in self.findings],
            "search": None if self.search is None else self.search.as_json(),
        }

    def save_html(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the report: one file that needs no other. force: replace what is there."""
        from mcu_quant.diagnosis.page import render

        output = Path(path)
        write_file(output, render(self).encode(), force=force)
        return output


@dataclass(frozen=True)
class Request:
    """What to diagnose. graph: the float model as loaded; name: of the model.

    test: what figures are of; the calibration samples if None. metric: of the labels of that data.
    budget: how many remedies to try, 0 for none, judged by `judging` on calibration data, on the board if
    there is one.
    """

    graph: Graph
    name: str
    options: QuantizeOptions
    calibration: Dataset
    test: Dataset | None = None
    metric: MetricFactory | None = None
    budget: int = 0
    judging: MetricFactory | None = None
    board: Board | None = None


def diagnose(request: Request, progress: Progress = lambda what, done, total: None) -> Diagnosis:
    """Quantize, compare layer by layer, find faults; then try remedies, if asked for."""
    calibration, options = request.calibration, request.options
    model = pipeline.quantize(
        request.graph,
        calibration,
        options,
        progress=lambda done, _: progress("calibrating", done, calibration.count),
    )
    rounded = rounded_graph(request.graph, options, calibration)
    found = _examine(request, Alignment(rounded, model.graph), request.test, request.metric, progress)
    if not request.budget:
        return found
    own = found
    if request.test is not None:  # which must not even decide what is tried first
        own = _examine(request, Alignment(rounded, model.graph), None, None, progress)
    suggested = [name for finding in own.faults for name in finding.candidates]
    tried = search_remedies(
        request.graph,
        options,
        suggested,
        calibration,
        request.judging,
        request.board,
        request.budget,
        progress,
    )
    return replace(found, search=tried)


def _examine(
    request: Request,
    alignment: Alignment,
    test: Dataset | None,
    metric: MetricFactory | None,
    progress: Progress,
) -> Diagnosis:
    source = "calibration" if test is None else "test"
    data = request.calibration if test is None else test
    comparing, alone = (
        f"comparing layers on {source} data",
        f"quantizing one layer at a time on {source} data",
    )
    observed = observe(alignment, data, metric, lambda done: progress(comparing, done, data.count))
    thin = data.thinned(SAMPLES)
    sensitivity = sensitivities(alignment, thin, lambda done: progress(alone, done, thin.count))
    layers = layer_facts(alignment, observed.statistics, sensitivity)
    context = Context(request.options, test is not None, observed.fidelity)
    return Diagnosis(
        request.name,
        request.options,
        source,
        request.calibration.count,
        thin.count,
        observed,
        tuple(layers),
        tuple(find(layers, context)),
    )
