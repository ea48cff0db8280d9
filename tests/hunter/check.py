"""One case by every engine: the file, the reference, TFLM, C on the host, C on QEMU."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph
from mcu_quant.kernels.base import CORES
from mcu_quant.ops.interpreter import run_int8
from mcu_quant.ops.support import find_problems
from mcu_quant.pipeline import GenerateOptions, TfliteModel, deploy
from tests.graphs import assert_same_graph
from tests.hunter.graphs import Case
from tests.oracles import OracleCrashed, OracleRefused, tflm

QEMU_BOARDS = ("mps2_an386", "mps2_an385", "mps2_an385_m0plus", "mps3_an547")
QEMU_TIMEOUT_SECONDS = 60


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
class Engines:
    """What a case is run on, besides the reference and TFLM."""

    host: bool = True
    board: str | None = None


@dataclass
class Tally:
    """What was checked. skipped: why an engine had no say, and how often."""

    cases: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    engines: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    def update(self, other: Tally) -> None:
        for name, counter in vars(self).items():
            counter.update(getattr(other, name))


def check_case(case: Case, engines: Engines, tally: Tally) -> None:
    """Raise Mismatch where any two disagree; count what was checked."""
    problems = find_problems(case.graph)
    if problems:
        tally.skipped[f"refused: {problems[0].rule}"] += 1
        return
    try:
        _check(case, engines, tally)
    except Mismatch:
        raise
    except Exception as error:
        raise Mismatch(f"{failure(error)}\n{describe(case.graph)}", kind_of(error), case) from error
    tally.operators.update(node.op for node in case.graph.nodes)


def _check(case: Case, engines: Engines, tally: Tally) -> None:
    file = write_tflite(case.graph)
    read = read_tflite(file, case.graph.name)
    assert_same_graph(read, case.graph, names=False)
    expected = run_int8(read, case.inputs)
    try:
        _compare("TFLM", tflm(file, case.inputs), expected, case)
        tally.engines["TFLM"] += 1
    except OracleRefused as refusal:
        tally.skipped[f"TFLM: {_reason(refusal)}"] += 1
    except OracleCrashed:
        tally.skipped["TFLM: crashed"] += 1
    model = TfliteModel("hunted", file, read)
    if engines.host:
        from mcu_quant.verify.host import HostEngine

        host = HostEngine(deploy(model, CORES["generic"], GenerateOptions()))
        _compare("host C", host.run(case.inputs), expected, case)
        tally.engines["host C"] += 1
    if engines.board is not None:
        _compare(engines.board, _run_on_qemu(model, engines.board, case.inputs), expected, case)
        tally.engines[engines.board] += 1


def _run_on_qemu(model: TfliteModel, board_name: str, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    from mcu_quant.boards import load_board
    from mcu_quant.verify.qemu import QemuEngine

    board = load_board(board_name)
    deployment = deploy(model, CORES[board.core], GenerateOptions())
    return QemuEngine(deployment, board, timeout=QEMU_TIMEOUT_SECONDS).run(inputs)


def _compare(name: str, actual: Sequence[np.ndarray], expected: Sequence[np.ndarray], case: Case) -> None:
    for index, (a, e, output) in enumerate(zip(actual, expected, case.graph.output_tensors(), strict=True)):
        if a.dtype != e.dtype or a.size != e.size:
            message = f"{name}: output {index} is {a.dtype} {a.shape}, the reference's {e.dtype} {e.shape}"
            raise Mismatch(message, name, case)
        wrong = np.flatnonzero(_bits(a) != _bits(e))
        if len(wrong):
            raise Mismatch(
                f"{name} differs from the reference in {len(wrong)} of {_bits(e).size} bytes of output "
                f"{output.name}, first at {wrong[0]}\n{describe(case.graph)}",
                name,
                case,
            )


def failure(error: Exception) -> str:
    """What failed, and where in our code."""
    return "".join(traceback.format_exception(error, limit=-3)).strip()


def kind_of(error: Exception) -> str:
    """The error's class and the function that raised it."""
    return f"{type(error).__name__} in {traceback.extract_tb(error.__traceback__)[-1].name}"


def _bits(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(np.uint8).reshape(-1)


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
