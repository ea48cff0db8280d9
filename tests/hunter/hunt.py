"""Many cases, and what came of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from tests.hunter import regressions
from tests.hunter.check import QEMU_BOARDS, Engines, Mismatch, Tally, check_case
from tests.hunter.check_keras import check_spec
from tests.hunter.draws import drawn
from tests.hunter.graphs import Case, quantized_cases
from tests.hunter.keras_specs import ModelSpec, model_specs
from tests.hunter.shrink import shrink_case, shrink_spec

#: A hunt in which more cases than this are passed over sees too little, and fails.
MOST_SKIPPED = 0.1


@dataclass(frozen=True)
class Plan:
    """cases: half of them quantized graphs, half Keras models. shares: of all cases, in [0, 1]."""

    cases: int
    seed: int = 0
    host: bool = True
    qemu_share: float = 0.0
    keras_share: float = 0.0
    regressions: Path = regressions.DIRECTORY


@dataclass
class Report:
    tally: Tally = field(default_factory=Tally)
    mismatches: list[str] = field(default_factory=list)

    def update(self, other: Report) -> None:
        self.tally.update(other.tally)
        self.mismatches += other.mismatches

    def failed(self) -> bool:
        return bool(self.mismatches) or self.tally.skipped.total() > MOST_SKIPPED * self.tally.cases.total()


def hunt(plan: Plan) -> Report:
    """Run the plan's cases. The first that fails of either kind is shrunk and saved, and ends its kind."""
    report = Report()
    graphs = plan.cases // 2
    choices = random.Random(plan.seed)
    _hunt_graphs(plan, graphs, choices, report)
    _hunt_keras(plan, plan.cases - graphs, choices, report)
    return report


def _hunt_graphs(plan: Plan, count: int, choices: random.Random, report: Report) -> None:
    for case in drawn(quantized_cases(), count, plan.seed):
        engines = _engines(plan, choices)
        report.tally.cases["quantized graphs"] += 1
        try:
            check_case(case, engines, report.tally)
        except Mismatch as mismatch:
            report.mismatches.append(_kept(mismatch, engines, False, plan.regressions))
            return


def _hunt_keras(plan: Plan, count: int, choices: random.Random, report: Report) -> None:
    for spec in drawn(model_specs(), count, plan.seed):
        engines, with_keras = _engines(plan, choices), choices.random() < plan.keras_share
        report.tally.cases["Keras models"] += 1
        try:
            check_spec(spec, engines, report.tally, with_keras)
        except Mismatch as mismatch:
            report.mismatches.append(_kept(mismatch, engines, with_keras, plan.regressions))
            return


def _engines(plan: Plan, choices: random.Random) -> Engines:
    board = choices.choice(QEMU_BOARDS)
    return Engines(plan.host, board if choices.random() < plan.qemu_share else None)


def _kept(mismatch: Mismatch, engines: Engines, with_keras: bool, directory: Path) -> str:
    """Shrink what failed and save it; returns what to say of it."""
    found = mismatch

    def fails(case: Case | ModelSpec) -> bool:
        nonlocal found
        try:
            if isinstance(case, Case):
                check_case(case, engines, Tally())
            else:
                check_spec(case, engines, Tally(), with_keras)
        except Mismatch as smaller:
            if smaller.kind == mismatch.kind:
                found = smaller
                return True
        return False

    if isinstance(mismatch.case, Case):
        case: Case | ModelSpec = shrink_case(mismatch.case, fails)
    else:
        case = shrink_spec(mismatch.case, fails)
    return f"{found}\nsaved as {regressions.save(case, directory)}"


def describe(report: Report, seconds: float) -> str:
    tally = report.tally
    lines = [f"{tally.cases.total()} cases in {seconds:.0f} s"]
    for title, counter in vars(tally).items():
        if counter:
            lines.append(f"{title}:")
            lines += [
                f"  {count:7} {name}" for name, count in sorted(counter.items(), key=lambda item: -item[1])
            ]
    skipped = tally.skipped.total()
    if skipped > MOST_SKIPPED * tally.cases.total():
        lines.append(f"too many cases were passed over: {skipped}")
    lines += [f"MISMATCH: {mismatch}" for mismatch in report.mismatches]
    lines.append(f"{len(report.mismatches)} mismatches")
    return "\n".join(lines)
