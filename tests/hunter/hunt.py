"""Many cases, and what came of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from tests.hunter import regressions
from tests.hunter.check import QEMU_BOARDS, Engines, Mismatch, Tally, check_case
from tests.hunter.check_keras import check_spec
from tests.hunter.graphs import quantized_cases
from tests.hunter.keras_specs import model_specs

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
    _hunt_kind(plan, graphs, report, _graph_test(plan, report.tally))
    _hunt_kind(plan, plan.cases - graphs, report, _keras_test(plan, report.tally))
    return report


def _graph_test(plan: Plan, tally: Tally) -> Callable[[], None]:
    @hypothesis.given(quantized_cases(), _boards(plan))
    def test(case, board):  # type: ignore[no-untyped-def]
        tally.cases["quantized graphs"] += 1
        check_case(case, Engines(plan.host, board), tally)

    return test


def _keras_test(plan: Plan, tally: Tally) -> Callable[[], None]:
    @hypothesis.given(model_specs(), _boards(plan), _share(plan.keras_share))
    def test(spec, board, with_keras):  # type: ignore[no-untyped-def]
        tally.cases["Keras models"] += 1
        check_spec(spec, Engines(plan.host, board), tally, with_keras)

    return test


def _hunt_kind(plan: Plan, cases: int, report: Report, test: Callable[[], None]) -> None:
    if cases < 1:
        return
    settings = hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        hypothesis.seed(plan.seed)(settings(test))()
    except Mismatch as mismatch:
        paths = [str(regressions.save(case, plan.regressions)) for case in mismatch.cases]
        report.mismatches.append(f"{mismatch}\nsaved as {', '.join(paths)}")
    except hypothesis.errors.Flaky as error:
        report.mismatches.append(f"a case failed once and not again: {error}")


def _share(share: float) -> st.SearchStrategy[bool]:
    """True that often. False is simpler: a failure shrinks to the cheaper engines if they show it."""
    return st.integers(0, 9999).map(lambda draw: draw >= 10_000 * (1 - share))


def _boards(plan: Plan) -> st.SearchStrategy[str | None]:
    boards = st.sampled_from(QEMU_BOARDS)
    return _share(plan.qemu_share).flatmap(lambda wanted: boards if wanted else st.none())


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
