"""Models with states in C: the state block, its reset, and the same bytes over many runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcu_quant.boards import load_board
from mcu_quant.codegen.library import render_library
from mcu_quant.deployment import Deployment
from mcu_quant.ir import Graph, Node, QuantParams, State, Tensor, check
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.verify.host import HostEngine
from mcu_quant.verify.profile import profile_on_qemu
from mcu_quant.verify.qemu import QemuEngine
from tests.codegen.deployments import ARM, HOSTS, WARNINGS, compile_c, deploy, write_library
from tests.conftest import require_tools
from tests.optimize.test_states import CASES, graph_of

STEPS = 200


def smoothing() -> Graph:
    """mean = x / 2 + mean / 2, rounded; the last x is kept, too, and a row that begins as 1 2 3 4 5 6."""
    half, quant = QuantParams.per_tensor(0.5), QuantParams.per_tensor(1.0, -3)
    tensors = {name: Tensor(name, (1, 4, 6), "int8", quant) for name in ("x", "mean", "last", "row", "new")}
    tensors |= {name: Tensor(name, (1, 4, 6), "int8", half) for name in ("sum",)}
    nodes = (
        Node("sum", "add", ArithmeticAttrs(), ("x", "mean"), ("sum",)),
        Node("new", "add", ArithmeticAttrs(), ("sum", "last"), ("new",)),
    )
    row = np.broadcast_to(np.arange(1, 7, dtype=np.int8), (1, 4, 6)).copy()
    states = (
        State("mean", "new", np.full((1, 4, 6), -3, np.int8)),
        State("last", "x", np.arange(24, dtype=np.int8).reshape(1, 4, 6)),
        State("row", "mean", row),
    )
    return check(Graph("smoothing", nodes, tensors, ("x",), ("new", "row"), states=states))


def inputs(steps: int = STEPS) -> np.ndarray:
    return np.random.default_rng(1).integers(-128, 128, (steps, 1, 4, 6)).astype(np.int8)


def deployed(core: str = "generic", **options: object) -> Deployment:
    return deploy(smoothing(), "smoothing", core, **options)


def assert_equal(outputs: list[np.ndarray], steps: int = STEPS) -> None:
    for actual, expected in zip(outputs, run_graph(smoothing(), [inputs(steps)]), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("sanitize", [False, True])
@pytest.mark.parametrize("optimize", ["time", "balanced", "size"])
def test_the_host_gives_the_same_bytes(optimize: str, sanitize: bool) -> None:
    assert_equal(HostEngine(deployed(optimize=optimize), sanitize=sanitize).run([inputs()]))


def test_every_run_of_an_engine_begins_with_a_reset() -> None:
    engine = HostEngine(deployed())
    engine.run([inputs()])
    assert_equal(engine.run([inputs()]))


@pytest.mark.parametrize("case", CASES)
def test_states_that_become_each_other(case: str) -> None:
    graph = graph_of(*CASES[case])
    x = np.random.default_rng(0).integers(-128, 128, (5, 1, 6)).astype(np.int8)
    for actual, expected in zip(
        HostEngine(deploy(graph, "states")).run([x]), run_graph(graph, [x]), strict=True
    ):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("compiler", [*HOSTS, ARM])
def test_it_compiles_without_warnings(compiler: tuple[str, ...], tmp_path: Path) -> None:
    require_tools(compiler[0])
    sources = write_library(tmp_path, deployed())
    compile_c(tmp_path, [*compiler, *WARNINGS, "-c", *sources])


def test_initial_values_take_no_more_flash_than_a_row() -> None:
    files = render_library(deployed())
    assert "state_2_initial[6]" in files["smoothing_weights.c"]
    assert "memset(at + 0, 253, 24);" in files["smoothing.c"]


@pytest.mark.parametrize("board", ["mps2_an386", "microbit"])
def test_boards_give_the_same_bytes(board: str) -> None:
    require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    target = load_board(board)
    assert_equal(QemuEngine(deployed(target.core), target).run([inputs()]))


def test_profile_counts_the_state() -> None:
    require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    board = load_board("mps2_an386")
    facts = profile_on_qemu(deployed("cortex-m4"), board, [inputs(1)])
    memory = facts["memory"]
    assert memory["state_bytes"] == 72
    assert memory["ram_bytes"] == memory["arena_bytes"] + memory["stack_bytes"] + 72
