"""One case by every engine: the file, the reference, TFLM, C on the host, C on QEMU."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mcu_quant.boards import load_board
from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.errors import UnsupportedModelError
from mcu_quant.exporters.states import begins_anew
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph
from mcu_quant.kernels.base import CORES
from mcu_quant.memory import overlaps
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.forms import FLOAT_FORMS, form_of
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.support import find_problems
from mcu_quant.ops.tolerance import Tolerance, output_tolerances
from mcu_quant.optimize.slides import find_slides
from mcu_quant.pipeline import TfliteModel, deploy, deploy_smallest
from mcu_quant.streaming.standard import in_standard_operators
from mcu_quant.verify.compare import compare as compare_outputs
from mcu_quant.verify.host import HostEngine
from mcu_quant.verify.qemu import QemuEngine
from tests.graphs import assert_same_graph
from tests.hunter.graphs import Case, run_and_measure
from tests.hunter.streams import StreamCase
from tests.ops.custom_operators import definition
from tests.oracles import OracleCrashed, OracleRefused, litert_ref, tflm

#: The board whose machine stands for a core on QEMU.
BOARDS = {
    "cortex-m4": "mps2_an386",
    "cortex-m55": "mps3_an547",
    "cortex-m0plus": "mps2_an385_m0plus",
    "cortex-m3": "mps2_an385",
    "cortex-m7": "mps2_an500",
    "cortex-m33": "mps2_an505",
}
QEMU_TIMEOUT_SECONDS = 60
#: Parts of the largest float in a graph that an output may be off by.
_CANCELLED = 1e-4


class Mismatch(AssertionError):
    """Two engines disagree, or one of ours fails.

    kind: what disagreed, by which a smaller case is known to fail in the same way.
    case: a Case or a ModelSpec.
    """

    def __init__(self, message: str, kind: str, case: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.case = case


@dataclass(frozen=True)
class Target:
    """A core that C is generated for, and the --optimize mode.

    ram: what --ram leaves of the way from the least arena that is found (0) to that without a limit (1);
    None without --ram.
    """

    core: str = "generic"
    optimize: str = "balanced"
    ram: float | None = None

    def __str__(self) -> str:
        return f"{self.core} {self.optimize}" + ("" if self.ram is None else f" {self.ram}")

    @classmethod
    def parse(cls, text: str) -> Target:
        core, optimize, *ram = text.split()
        return cls(core, optimize, *map(float, ram))


@dataclass(frozen=True)
class Engines:
    """What a case is run on, besides the reference and TFLM."""

    host: Target | None = Target()
    qemu: Target | None = None


@dataclass
class Tally:
    """What was checked. kernels: cases that used each. memory: plans, and what is special in them.

    skipped: why an engine had no say, and how often.
    """

    cases: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    engines: Counter[str] = field(default_factory=Counter)
    kernels: Counter[str] = field(default_factory=Counter)
    kernels_on_qemu: Counter[str] = field(default_factory=Counter)
    memory: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    def update(self, other: Tally) -> None:
        for name, counter in vars(self).items():
            counter.update(getattr(other, name))


@dataclass(frozen=True)
class Checked:
    """A case that the file, the reference and TFLM agree on. expected: the outputs, [N, *shape].

    largest: |value| of all float32 tensors in between.
    """

    case: Case
    model: TfliteModel
    expected: list[np.ndarray]
    largest: float = 0.0

    def tolerances(self) -> list[Tolerance | None]:
        """Where much is taken from much, as a normalization does, what is left is as inexact as they were."""
        least = _CANCELLED * self.largest
        pairs = zip(output_tolerances(self.case.graph), self.expected, strict=True)
        return [
            replace(t, absolute=max(t.absolute, least)) if t is not None and e.dtype == np.float32 else t
            for t, e in pairs
        ]


def check_case(case: Case, engines: Engines, tally: Tally) -> None:
    """Raise Mismatch where any two disagree; count what was checked."""
    checked = check_file(case, tally)
    if checked is None:
        return
    with blamed(case):
        if engines.host is not None:
            host = HostEngine(deployed(checked, engines.host))
            compare(host_name(engines.host), host.run(case.inputs), checked)
        if engines.qemu is not None:
            board = load_board(BOARDS[engines.qemu.core])
            qemu = QemuEngine(deployed(checked, engines.qemu), board, timeout=QEMU_TIMEOUT_SECONDS)
            compare(qemu_name(engines.qemu), qemu.run(case.inputs), checked)


def check_file(case: Case, tally: Tally) -> Checked | None:
    """The file and what the reference and the oracle make of it; None if the graph breaks a rule."""
    if isinstance(case, StreamCase):
        return _check_stream(case, tally)
    problems = find_problems(case.graph)
    if problems:
        tally.skipped[f"refused: {problems[0].rule}"] += 1
        return None
    with blamed(case):
        file = write_tflite(case.graph)
        read = read_tflite(file, case.graph.name)
        _require_same(read, case)
        expected, largest = run_and_measure(read, case.inputs)
        checked = Checked(case, TfliteModel("hunted", file, read), expected, largest)
        _ask_oracle(checked, tally)
    tally.operators.update(node.op for node in case.graph.nodes)
    return checked


def _check_stream(case: StreamCase, tally: Tally) -> Checked | None:
    """What the reference makes of it, where that is what the window model gives; then TFLM, of the file."""
    problems = find_problems(case.window)
    if problems:
        tally.skipped[f"refused: {problems[0].rule}"] += 1
        return None
    with blamed(case):
        file = _streaming_file(case)
        checked = Checked(case, TfliteModel("hunted", file, case.graph), case.expected())
        compare("the streaming reference", run_graph(case.graph, case.inputs), checked)
        if file:
            _ask_oracle(checked, tally)
            found = find_slides(read_tflite(file, "hunted"))
            compare("the file, read again", run_graph(found, case.inputs), checked)
    tally.operators.update(node.op for node in case.graph.nodes)
    tally.engines["the window model"] += 1
    return checked


def _streaming_file(case: StreamCase) -> bytes:
    """Nothing where no file can say it (streaming/standard.py)."""
    try:
        return write_tflite(in_standard_operators(case.graph))
    except UnsupportedModelError:
        return b""


def _require_same(read: Graph, case: Case) -> None:
    """What was written is read. Files of float layers are other graphs: with zeros for a bias, say."""
    if any(form_of(node) in FLOAT_FORMS for node in read.bound_nodes()):
        pairs = zip(run_graph(read, case.inputs), run_graph(case.graph, case.inputs), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs), "the file means something else"
    else:
        assert_same_graph(read, case.graph, names=False)


def _ask_oracle(checked: Checked, tally: Tally) -> None:
    """TFLM, or LiteRT where all is float; none for integers where an operator is LiteRT's alone, nor where
    some of what a graph keeps begins each run anew, and some does not: they reset all of it or nothing."""
    graph = checked.case.graph
    nodes = list(graph.bound_nodes())
    if any(OPERATORS[node.node.op].tflite_custom for node in nodes):
        _ask_the_page(checked, tally)
        return
    if graph.states and begins_anew(graph):
        tally.engines["none that is not ours"] += 1
        return
    forms = {form_of(node) for node in nodes}
    claims = {OPERATORS[node.node.op].oracles.get(form_of(node)) for node in nodes}
    if forms <= {*FLOAT_FORMS, "plain"} and forms & set(FLOAT_FORMS):
        name = "TFLM" if "TFLM" in claims else "LiteRT"
    elif claims == {"LiteRT"}:
        name = "LiteRT"
    elif "LiteRT" in claims:
        tally.engines["none that is not ours"] += 1
        return
    else:
        name = "TFLM"
    oracle = {"TFLM": tflm, "LiteRT": litert_ref}[name]
    try:
        outputs = oracle(checked.model.data, checked.case.inputs, sequence=bool(graph.states))
        # To an oracle, 0 is -0: TFLM rounds small negative numbers to 0.
        same = [np.where(a == e, e, a) for a, e in zip(outputs, checked.expected, strict=True)]
        compare(name, same, checked)
        tally.engines[name] += 1
    except OracleRefused as refusal:
        tally.skipped[f"{name}: {_reason(refusal)}"] += 1
    except OracleCrashed:
        tally.skipped[f"{name}: crashed"] += 1


def _ask_the_page(checked: Checked, tally: Tally) -> None:
    """Of one of our own operators alone: docs/CUSTOM_OPERATORS.md, written down once more."""
    if len(checked.case.graph.nodes) > 1:
        tally.engines["none that is not ours"] += 1
        return
    sequence = bool(checked.case.graph.states)
    compare(
        "CUSTOM_OPERATORS.md", definition(checked.model.data, checked.case.inputs, sequence=sequence), checked
    )
    tally.engines["CUSTOM_OPERATORS.md"] += 1


def deployed(
    checked: Checked, target: Target, name: str = "hunted", tally: Tally | None = None
) -> Deployment:
    """Raises AssertionError where blocks of the plan overlap that must not."""
    core, options = CORES[target.core], GenerateOptions(optimize=target.optimize)
    deployment = plain = deploy(checked.model, core, options, name)
    if target.ram is not None and plain.plan.arena_bytes:
        most = plain.plan.arena_bytes
        least = min(most, deploy_smallest(checked.model, core, replace(options, ram=1)).plan.arena_bytes)
        limit = max(least + round(target.ram * (most - least)), 1)
        deployment = deploy(checked.model, core, replace(options, ram=limit), name)
        assert deployment.plan.arena_bytes <= limit, "the plan is larger than its limit"
    wrong = overlaps(deployment.graph, deployment.kernels, deployment.plan)
    assert not wrong, wrong
    if tally is not None:
        tally.memory.update(_special(deployment, plain))
    return deployment


def _special(deployment: Deployment, plain: Deployment) -> Iterator[str]:
    """What is worth counting of a plan. plain: without a limit of RAM."""
    plan = deployment.plan
    yield "plans"
    if plan.arena_bytes < plan.disjoint_bytes:
        yield "with a layer's output over its input"
    if plan.arena_bytes == plan.lower_bound:
        yield "that reach the lower bound"
    if deployment is not plain:
        yield "with --ram"
    if plan.arena_bytes < plain.plan.arena_bytes:
        yield "with --ram, and smaller for it"
    if any(node.op == "bands" for node in deployment.graph.nodes):
        yield "with --ram, and layers in bands"


def host_name(target: Target) -> str:
    return f"host C for {target}"


def qemu_name(target: Target) -> str:
    return f"QEMU {BOARDS[target.core]}{str(target).removeprefix(target.core)}"


@contextmanager
def blamed(case: Case) -> Iterator[None]:
    """Any error but a Mismatch is one, of this case."""
    try:
        yield
    except Mismatch:
        raise
    except Exception as error:
        raise Mismatch(f"{failure(error)}\n{describe(case.graph)}", kind_of(error), case) from error


def compare(engine: str, actual: Sequence[np.ndarray], checked: Checked) -> None:
    """Raise Mismatch where outputs are not the reference's: other bytes, or floats beyond their tolerance."""
    case = checked.case
    for index, (a, e) in enumerate(zip(actual, checked.expected, strict=True)):
        if a.dtype != e.dtype or a.size != e.size:
            message = f"{engine}: output {index} is {a.dtype} {a.shape}, the reference's {e.dtype} {e.shape}"
            raise Mismatch(message, engine, case)
    outputs = [a.reshape(e.shape) for a, e in zip(actual, checked.expected, strict=True)]
    found = compare_outputs(engine, checked.expected, outputs, checked.tolerances())
    if not found.passed:
        raise Mismatch(f"{found}\n{describe(case.graph)}", engine, case)


def failure(error: Exception) -> str:
    """What failed, and where in our code."""
    return "".join(traceback.format_exception(error, limit=-3)).strip()


def kind_of(error: Exception) -> str:
    """The error's class and the function that raised it."""
    return f"{type(error).__name__} in {traceback.extract_tb(error.__traceback__)[-1].name}"


def _reason(refusal: OracleRefused) -> str:
    """The oracle's own last line."""
    lines = [line.strip() for line in str(refusal).splitlines() if line.strip()]
    return lines[-1][:120] if lines else "no reason given"


def describe(graph: Graph) -> str:
    """One line per node: what a reader needs to see what is special."""
    lines = []
    for node in graph.bound_nodes():
        tensors = [tensor for tensor in (*node.inputs, *node.outputs) if tensor is not None]
        shapes = ", ".join(
            f"{t.name}{list(t.shape)} {t.dtype}"
            + (f" scale {t.quant.scale[0]:.6g} zero_point {t.quant.zero_point[0]}" if t.quant else "")
            for t in tensors
        )
        lines.append(f"  {node.node.op} {node.attrs}: {shapes}")
    return "\n".join(lines)
