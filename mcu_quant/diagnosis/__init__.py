"""What quantization did to each layer of a model, which layers are to blame, and what helps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mcu_quant import pipeline
from mcu_quant.diagnosis.alignment import Alignment
from mcu_quant.diagnosis.layers import LayerFacts, layer_facts
from mcu_quant.diagnosis.rules import Context, Finding, find
from mcu_quant.diagnosis.search import Progress, Search
from mcu_quant.diagnosis.sensitivity import SAMPLES, sensitivities
from mcu_quant.diagnosis.statistics import Observed, observe
from mcu_quant.evaluation.datasets import Dataset
from mcu_quant.evaluation.metrics import MetricFactory
from mcu_quant.ir import Graph
from mcu_quant.outputs import write_file

__all__ = ["Diagnosis", "Finding", "LayerFacts", "Progress", "Search", "diagnose"]


@dataclass(frozen=True)
class Diagnosis:
    """layers: in the order of execution, inputs first. findings: faults by weight, then notes.

    measured_on: "test" or "calibration", the data that all figures are of. search: of --auto.
    """

    model: str
    options: pipeline.QuantizeOptions
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


def diagnose(
    graph: Graph,
    quantized: pipeline.TfliteModel,
    options: pipeline.QuantizeOptions,
    calibration: Dataset,
    test: Dataset | None,
    metric: MetricFactory | None,
    progress: Progress = lambda what, done, total: None,
) -> Diagnosis:
    """graph: the float model that `quantized` was rounded from (evaluation.reference).

    Figures are of test data where there is some, else of the calibration data.
    """
    alignment = Alignment(graph, quantized.graph)
    data = calibration if test is None else test
    observed = observe(alignment, data, metric, lambda done: progress("comparing layers", done, data.count))
    thin = data.thinned(SAMPLES)
    alone = sensitivities(
        alignment, thin, lambda done: progress("quantizing one layer at a time", done, thin.count)
    )
    layers = layer_facts(alignment, observed.statistics, alone)
    context = Context(options, test is not None, observed.fidelity)
    return Diagnosis(
        quantized.name,
        options,
        "calibration" if test is None else "test",
        calibration.count,
        thin.count,
        observed,
        tuple(layers),
        tuple(find(layers, context)),
    )
