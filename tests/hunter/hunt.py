"""Many cases, and what came of them."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from mcu_quant.boards import load_board
from mcu_quant.choices import OPTIMIZE_MODES
from mcu_quant.deployment import Deployment
from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import CORES
from tests.hunter import regressions
from tests.hunter.batches import Outputs, run_on_host, run_on_qemu
from tests.hunter.check import (
    BOARDS,
    Checked,
    Engines,
    Mismatch,
    Tally,
    Target,
    blamed,
    check_case,
    check_file,
    compare,
    deployed,
    host_name,
    qemu_name,
)
from tests.hunter.check_keras import quantized_case
from tests.hunter.draws import drawn
from tests.hunter.floats import float_case
from tests.hunter.graphs import Case, image_chains, quantized_cases
from tests.hunter.int16 import int16_case
from tests.hunter.keras_specs import ModelSpec, model_specs
from tests.hunter.litert_alone import litert_cases
from tests.hunter.own_operators import anew_cases, stateful_cases
from tests.hunter.shrink import shrink_case, shrink_spec
from tests.hunter.states import state_cases
from tests.hunter.streams import StreamCase, shrink_stream, stream_cases

#: A hunt in which more cases than this are passed over sees too little, and fails.
MOST_SKIPPED = 0.1
HOST_CORES = ("generic", "cortex-m4", "cortex-m55", "cortex-m0plus", "cortex-m3", "cortex-m7", "cortex-m33")
QEMU_CORES = ("cortex-m4", "cortex-m55", "cortex-m0plus", "cortex-m3")
#: Cases that are compiled together.
BATCH = 30
#: What --ram leaves of the way from the least arena to that without a limit; a batch has one.
RAM_SHARES = (0.0, 0.0, 0.25, 0.5, 0.75)
#: Cases of a plan when there are many plans: whole batches of both kinds.
PLAN = 8 * BATCH
#: So many failures of one kind are shrunk and saved.
MOST_OF_A_KIND = 2


@dataclass(frozen=True)
class Plan:
    """cases: half of them quantized graphs, half Keras models; a quarter more graphs of int16, an eighth of
    float, as many that stream, with states and with recurrent layers, and some of what LiteRT has alone.
    only: all of them of that kind of KINDS.

    host_cores and qemu_cores: whose C is run, each batch for one of them in one --optimize mode, in turn.
    turn: how many batches of each kind were before. shares: of all cases, in [0, 1]. ram_share: those with
    the largest activations run a second time, with --ram; as many quantized graphs are chains of images.
    most_failures: so many of quantized graphs, or Keras models, end these.
    """

    cases: int
    seed: int = 0
    host_cores: tuple[str, ...] = HOST_CORES
    qemu_cores: tuple[str, ...] = ()
    turn: int = 0
    qemu_share: float = 1.0
    keras_share: float = 0.0
    ram_share: float = 0.0
    most_failures: int = 1
    regressions: Path = regressions.DIRECTORY
    only: str | None = None


@dataclass
class Report:
    """repeated: failures of a kind of which there are enough among mismatches."""

    tally: Tally = field(default_factory=Tally)
    mismatches: list[str] = field(default_factory=list)
    repeated: Counter[str] = field(default_factory=Counter)

    def update(self, other: Report) -> None:
        self.tally.update(other.tally)
        self.mismatches += other.mismatches
        self.repeated.update(other.repeated)

    def failed(self) -> bool:
        return bool(self.mismatches) or self.tally.skipped.total() > MOST_SKIPPED * self.tally.cases.total()


class _EnoughFailures(Exception):
    pass


def hunt(plan: Plan) -> Report:
    """Run the plan's cases. Those that fail are shrunk and saved."""
    report = Report()
    graphs = plan.cases // 2
    counts = {
        "quantized": graphs,
        "keras": plan.cases - graphs,
        "int16": graphs // 2,
        "float": graphs // 4,
        "streams": graphs // 4,
        "states": graphs // 4,
        "litert": graphs // 16,
        "recurrent": graphs // 4,
    }
    for kind, count in ({plan.only: plan.cases} if plan.only else counts).items():
        source = KINDS[kind]
        try:
            _Hunt(plan, report, random.Random(plan.seed)).run(count, source)
        except _EnoughFailures:
            continue
    return report


class _Hunt:
    """One kind of cases. failures: by kind."""

    def __init__(self, plan: Plan, report: Report, choices: random.Random) -> None:
        self.plan, self.report, self.choices = plan, report, choices
        self.failures: Counter[str] = Counter()
        self.host_targets = self._targets(plan.host_cores)
        self.qemu_targets = self._targets(plan.qemu_cores)

    def run(self, count: int, source: Callable[[_Hunt, int], Iterator[Case]]) -> None:
        cases = source(self, count)
        while batch := list(itertools.islice(cases, BATCH)):
            checked = [found for case in batch if (found := self._check_file(case)) is not None]
            if self.plan.host_cores:
                self._check_with_ram(self._check_on_host, checked, next(self.host_targets))
            if self.plan.qemu_cores:
                chosen = checked[: round(self.plan.qemu_share * len(checked))]
                self._check_with_ram(self._check_on_qemu, chosen, next(self.qemu_targets))

    def _check_with_ram(
        self, check: Callable[[Sequence[Checked], Target], None], cases: Sequence[Checked], target: Target
    ) -> None:
        """All cases without a limit of RAM, and some once more with one."""
        check(cases, target)
        largest = sorted(cases, key=_largest_activation, reverse=True)
        if chosen := largest[: round(self.plan.ram_share * len(cases))]:
            check(chosen, replace(target, ram=self.choices.choice(RAM_SHARES)))

    def failed(self, mismatch: Mismatch, engines: Engines, with_keras: bool = False) -> None:
        """Shrink what failed, save it and report it. Raises _EnoughFailures."""
        self.failures[mismatch.kind] += 1
        if self.failures[mismatch.kind] > MOST_OF_A_KIND:
            self.report.repeated[mismatch.kind] += 1
        else:
            self.report.mismatches.append(_kept(mismatch, engines, with_keras, self.plan.regressions))
        if self.failures.total() >= self.plan.most_failures:
            raise _EnoughFailures

    def _targets(self, cores: Sequence[str]) -> Iterator[Target]:
        targets = [Target(core, mode) for mode in OPTIMIZE_MODES for core in cores]
        return itertools.islice(itertools.cycle(targets), self.plan.turn % max(len(targets), 1), None)

    def _check_file(self, case: Case) -> Checked | None:
        try:
            return check_file(case, self.report.tally)
        except Mismatch as mismatch:
            self.failed(mismatch, Engines(host=None))
            return None

    def _check_on_host(self, cases: Sequence[Checked], target: Target) -> None:
        tally = self.report.tally
        engine = _Engine(target, host_name(target), Engines(target), run_on_host, tally.kernels)
        self._check_together(cases, engine)
        tally.engines[f"host C for {target.core}"] += len(cases)

    def _check_on_qemu(self, cases: Sequence[Checked], target: Target) -> None:
        tally, board = self.report.tally, load_board(BOARDS[target.core])
        run = partial(run_on_qemu, board)
        engine = _Engine(target, qemu_name(target), Engines(None, target), run, tally.kernels_on_qemu)
        self._check_together(cases, engine)
        tally.engines[f"QEMU {board.name}"] += len(cases)

    def _check_together(self, cases: Sequence[Checked], engine: _Engine) -> None:
        ready: list[tuple[Checked, Deployment]] = []
        for checked in cases:
            try:
                with blamed(checked.case):
                    name = f"case{len(ready)}"
                    ready.append((checked, deployed(checked, engine.target, name, self.report.tally)))
            except Mismatch as mismatch:
                self.failed(mismatch, engine.alone)
        if not ready:
            return
        try:
            results = engine.run([d for _, d in ready], [checked.case.inputs for checked, _ in ready])
        except Exception as error:  # some case does not compile, or stops the program: which one?
            self._check_one_by_one([checked for checked, _ in ready], engine, error)
            return
        for (checked, deployment), outputs in zip(ready, results, strict=True):
            engine.kernels.update({kernel.name for kernel in deployment.kernels})
            try:
                compare(engine.name, outputs, checked)
            except Mismatch as mismatch:
                self.failed(mismatch, engine.alone)

    def _check_one_by_one(self, cases: Sequence[Checked], engine: _Engine, error: Exception) -> None:
        before = self.failures.total()
        for checked in cases:
            try:
                check_case(checked.case, engine.alone, Tally())
            except Mismatch as mismatch:
                self.failed(mismatch, engine.alone)
        if self.failures.total() == before:
            self.report.mismatches.append(f"{engine.name} fails with {len(cases)} models together: {error}")
            raise _EnoughFailures


@dataclass(frozen=True)
class _Engine:
    """What runs a batch. alone: the same for one case. kernels: cases that used each."""

    target: Target
    name: str
    alone: Engines
    run: Callable[[Sequence[Deployment], Sequence[Sequence[np.ndarray]]], list[Outputs]]
    kernels: Counter[str]


def _largest_activation(checked: Checked) -> int:
    return max(t.bytes for t in checked.case.graph.tensors.values() if not t.is_constant)


def _graphs(hunt: _Hunt, count: int) -> Iterator[Case]:
    chains = round(hunt.plan.ram_share * count)
    cases = drawn(image_chains(), chains, hunt.plan.seed)
    cases += drawn(quantized_cases(), count - chains, hunt.plan.seed)
    random.Random(hunt.plan.seed).shuffle(cases)
    for case in cases:
        hunt.report.tally.cases["quantized graphs"] += 1
        yield case


def _int16_graphs(hunt: _Hunt, count: int) -> Iterator[Case]:
    """Of other draws than the graphs of int8."""
    for drawn_case in drawn(quantized_cases(), count, hunt.plan.seed + 2**20):
        case = int16_case(drawn_case)
        if case is not None:
            hunt.report.tally.cases["int16 graphs"] += 1
            yield case


def _float_graphs(hunt: _Hunt, count: int) -> Iterator[Case]:
    for drawn_case in drawn(quantized_cases(), count, hunt.plan.seed + 2**21):
        case = float_case(drawn_case)
        if case is not None:
            hunt.report.tally.cases["float graphs"] += 1
            yield case


def _litert_graphs(hunt: _Hunt, count: int) -> Iterator[Case]:
    for case in drawn(litert_cases(), count, hunt.plan.seed):
        hunt.report.tally.cases["graphs of what LiteRT has alone"] += 1
        yield case


def _recurrent_graphs(hunt: _Hunt, count: int) -> Iterator[Case]:
    stateful = count // 2
    cases = drawn(anew_cases(), count - stateful, hunt.plan.seed)
    cases += drawn(stateful_cases(), stateful, hunt.plan.seed)
    random.Random(hunt.plan.seed).shuffle(cases)
    for case in cases:
        hunt.report.tally.cases["graphs with recurrent layers"] += 1
        yield case


def _streams(hunt: _Hunt, count: int) -> Iterator[Case]:
    for case in drawn(stream_cases(), count, hunt.plan.seed):
        hunt.report.tally.cases["streaming graphs"] += 1
        yield case


def _states(hunt: _Hunt, count: int) -> Iterator[Case]:
    for case in drawn(state_cases(), count, hunt.plan.seed):
        hunt.report.tally.cases["graphs with states"] += 1
        yield case


def _keras_models(hunt: _Hunt, count: int) -> Iterator[Case]:
    for spec in drawn(model_specs(), count, hunt.plan.seed):
        hunt.report.tally.cases["Keras models"] += 1
        with_keras = hunt.choices.random() < hunt.plan.keras_share
        try:
            case = quantized_case(spec, hunt.report.tally, with_keras)
        except Mismatch as mismatch:
            hunt.failed(mismatch, Engines(host=None), with_keras)
            continue
        if case is not None:
            yield case


KINDS: Mapping[str, Callable[[_Hunt, int], Iterator[Case]]] = {
    "quantized": _graphs,
    "keras": _keras_models,
    "int16": _int16_graphs,
    "float": _float_graphs,
    "streams": _streams,
    "states": _states,
    "litert": _litert_graphs,
    "recurrent": _recurrent_graphs,
}


def _kept(mismatch: Mismatch, engines: Engines, with_keras: bool, directory: Path) -> str:
    """Shrink what failed and save it; returns what to say of it."""
    found: list[Mismatch] = []

    def fails(case: Case | ModelSpec) -> bool:
        try:
            if isinstance(case, Case):
                check_case(case, engines, Tally())
            else:
                quantized_case(case, Tally(), with_keras)
        except Mismatch as smaller:
            if smaller.kind == mismatch.kind:
                found.append(smaller)
                return True
        return False

    if not fails(mismatch.case):
        path = regressions.save(mismatch.case, engines, directory)
        return f"only together with other models: {mismatch}\nsaved as {path}"
    case: Case | ModelSpec
    if isinstance(mismatch.case, StreamCase):
        case = shrink_stream(mismatch.case, fails)
    elif isinstance(mismatch.case, Case):
        case = shrink_case(mismatch.case, fails)
    else:
        case = shrink_spec(mismatch.case, fails)
    return f"{found[-1]}\nsaved as {regressions.save(case, engines, directory)}"


def plans_for(count: int, plan: Plan) -> list[Plan]:
    """That many cases in plans like the one given, with seeds of their own, each target in turn."""
    starts = range(0, count, PLAN)
    return [
        replace(plan, cases=min(PLAN, count - start), seed=plan.seed * 1000 + k, turn=k * PLAN // BATCH // 2)
        for k, start in enumerate(starts)
    ]


def never_used(report: Report, plan: Plan) -> list[str]:
    """Kernels that no case used, of the families that run on the plan's cores."""
    tally = report.tally
    families = {family for core in (*plan.host_cores, *plan.qemu_cores) for family in CORES[core].families}
    names = [kernel.name for kernel in KERNELS if kernel.family in families]
    return [name for name in names if not tally.kernels[name] + tally.kernels_on_qemu[name]]


def describe(report: Report, seconds: float) -> str:
    tally = report.tally
    lines = [f"{tally.cases.total()} cases in {seconds:.0f} s"]
    for title, counter in vars(tally).items():
        if counter:
            lines.append(f"{title.replace('_', ' ')}:")
            lines += [
                f"  {count:7} {name}" for name, count in sorted(counter.items(), key=lambda item: -item[1])
            ]
    skipped = tally.skipped.total()
    if skipped > MOST_SKIPPED * tally.cases.total():
        lines.append(f"too many cases were passed over: {skipped}")
    lines += [f"MISMATCH: {mismatch}" for mismatch in report.mismatches]
    lines += [f"and {count} more: {kind}" for kind, count in report.repeated.items()]
    lines.append(f"{len(report.mismatches) + report.repeated.total()} mismatches")
    return "\n".join(lines)
