"""`diagnose --auto`: remedies tried within a budget, on calibration data only, and those worth their cost.

Three quarters of the calibration samples calibrate, the fourth quarter judges: test data stays unseen. What
the findings suggest is tried first, then every other single change, then the best changes together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcu_quant import pipeline, samples
from mcu_quant.boards import Board
from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import InvalidInputError, McuQuantError, ToolMissingError
from mcu_quant.evaluation.candidates import Candidate, combined, name_of, remedies
from mcu_quant.evaluation.datasets import Dataset
from mcu_quant.evaluation.fidelity import Fidelity, measure
from mcu_quant.evaluation.metrics import MetricFactory
from mcu_quant.evaluation.reference import reference_graph
from mcu_quant.ir import Graph
from mcu_quant.quantize_options import QuantizeOptions

#: One sample in this many judges.
HELD_OUT = 4
#: The core that cycles are estimated for where no board is given.
ESTIMATED_CORE = "cortex-m4"

#: (what is being done, how many samples of it are done, how many there are).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Trial:
    """One way to quantize. cost: instructions on the board, or estimated cycles (Search.cost_name).

    flash_bytes: of the board's image (model_bytes), None without a board.
    """

    name: str
    fidelity: Fidelity
    file_bytes: int
    flash_bytes: int | None
    cost: int | None

    @property
    def score(self) -> tuple[float, ...]:
        """Accuracy if there are labels, then agreement, then less noise: larger is better."""
        accuracy, agreement = self.fidelity.accuracy, self.fidelity.agreement
        judged = accuracy.score if accuracy is not None else agreement.share if agreement is not None else 0.0
        return judged, -self.fidelity.noise_share

    @property
    def bytes(self) -> int:
        return self.file_bytes if self.flash_bytes is None else self.flash_bytes


@dataclass(frozen=True)
class Search:
    """trials: the model's own options first. front: names of those that no other beats in everything.

    skipped: what could not be tried, and why. samples: how many judged.
    """

    trials: tuple[Trial, ...]
    front: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    samples: int
    board: str | None

    @property
    def cost_name(self) -> str:
        return "instructions" if self.board is not None else "estimated_cycles"

    def as_json(self) -> dict[str, Any]:
        return {
            "samples": self.samples,
            "board": self.board,
            "core": None if self.board is not None else ESTIMATED_CORE,
            "trials": [
                {
                    "name": trial.name,
                    **trial.fidelity.as_json(),
                    "file_bytes": trial.file_bytes,
                    "flash_bytes": trial.flash_bytes,
                    self.cost_name: trial.cost,
                }
                for trial in self.trials
            ],
            "front": list(self.front),
            "skipped": [{"name": name, "reason": reason} for name, reason in self.skipped],
        }


@dataclass
class _Bench:
    """Tries candidates one by one, until the budget is used up."""

    graph: Graph
    base: QuantizeOptions
    fit: Dataset
    judge: Dataset
    metric: MetricFactory | None
    board: Board | None
    budget: int
    progress: Progress

    def __post_init__(self) -> None:
        self.reference = reference_graph(self.graph)
        self.trials: dict[str, Trial] = {}
        self.skipped: dict[str, str] = {}

    @property
    def is_spent(self) -> bool:
        return len(self.trials) + len(self.skipped) > self.budget

    def run(self, candidate: Candidate) -> None:
        """Quantize and measure, unless that was done already or the budget is spent."""
        name = candidate.name
        if name in self.trials or name in self.skipped or self.is_spent:
            return
        self.progress(f"trying {name}", 0, 0)
        try:
            self.trials[name] = self._trial(candidate)
        except ToolMissingError:
            raise
        except McuQuantError as error:
            self.skipped[name] = str(error)

    def _trial(self, candidate: Candidate) -> Trial:
        model = pipeline.quantize(self.graph, self.fit, candidate.options(self.base))
        _, found = measure(self.reference, {"": model.graph}, self.judge, self.metric)
        flash, cost = self._costs(model)
        return Trial(candidate.name, found[""], len(model.data), flash, cost)

    def _costs(self, model: pipeline.TfliteModel) -> tuple[int | None, int]:
        if self.board is None:
            core = pipeline.core_named(ESTIMATED_CORE)
            deployment = pipeline.deploy(model, core, GenerateOptions())
            pairs = zip(deployment.kernels, deployment.graph.bound_nodes(), strict=True)
            return None, round(sum(kernel.cycles(node, core) for kernel, node in pairs))
        inputs = [x[:1] for x in samples.default_inputs(model.graph, 1)]
        facts = pipeline.profile(model, self.board, inputs, GenerateOptions())
        return facts["flash"]["model_bytes"], facts["instructions"]


def search_remedies(
    graph: Graph,
    options: QuantizeOptions,
    suggested: Sequence[str],
    calibration: Dataset,
    metric: MetricFactory | None,
    board: Board | None,
    budget: int,
    progress: Progress,
) -> Search:
    """graph: the float model as loaded. suggested: candidates' names, best first.

    metric: needs labels in the calibration data. budget: how many remedies are tried, beside the options
    as they are. Raises InvalidInputError for fewer than two samples of each part.
    """
    if calibration.count < 2 * HELD_OUT:
        raise InvalidInputError(
            f"--auto sets one calibration sample in {HELD_OUT} aside and needs at least {2 * HELD_OUT}",
            layer=calibration.where,
            value=calibration.count,
        )
    judge = calibration.part(_judges)
    fit = calibration.part(lambda positions: ~_judges(positions))
    bench = _Bench(graph, options, fit, judge, metric, board, budget, progress)
    own = Candidate(name_of(options), {})
    bench.run(own)
    if own.name in bench.skipped:
        raise InvalidInputError(
            "the model as it is must run before remedies are tried", value=bench.skipped[own.name]
        )
    singles = _in_order(remedies(options), suggested)
    # A third of the budget is kept for what helps together.
    for candidate in singles[: max(1, budget - budget // 3)]:
        bench.run(candidate)
    for candidate in _together(options, singles, bench.trials, bench.trials[own.name]):
        bench.run(candidate)
    for candidate in singles:
        bench.run(candidate)
    trials = tuple(bench.trials.values())
    return Search(
        trials,
        front(trials),
        tuple(bench.skipped.items()),
        judge.count,
        None if board is None else board.name,
    )


def front(trials: Sequence[Trial]) -> tuple[str, ...]:
    """The names of those that no other is as good as in score, bytes and cost, and better in one of them."""
    return tuple(t.name for t in trials if not any(_beats(other, t) for other in trials))


def _beats(a: Trial, b: Trial) -> bool:
    no_worse = a.score >= b.score and a.bytes <= b.bytes and (a.cost or 0) <= (b.cost or 0)
    return no_worse and (a.score, -a.bytes, -(a.cost or 0)) != (b.score, -b.bytes, -(b.cost or 0))


def _judges(positions: np.ndarray) -> np.ndarray:
    return np.asarray(positions % HELD_OUT == HELD_OUT - 1)


def _in_order(candidates: Sequence[Candidate], suggested: Sequence[str]) -> list[Candidate]:
    rank = {name: index for index, name in enumerate(dict.fromkeys(suggested))}
    return sorted(candidates, key=lambda candidate: rank.get(candidate.name, len(rank)))


def _together(
    options: QuantizeOptions, singles: Sequence[Candidate], trials: dict[str, Trial], own: Trial
) -> Iterator[Candidate]:
    """The changes that helped, best first: the first two together, the first three, and so on."""
    tried = [c for c in singles if c.name in trials and not c.changes_technique]
    helped = [c for c in tried if trials[c.name].score > own.score]
    helped.sort(key=lambda c: trials[c.name].score, reverse=True)
    chosen: list[Candidate] = []
    for candidate in helped:
        fields = {name for part in chosen for name in part.changes if name != "repairs"}
        if fields.isdisjoint(candidate.changes):
            chosen.append(candidate)
            if len(chosen) > 1:
                yield combined(options, chosen)
