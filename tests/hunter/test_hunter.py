"""A short hunt, what was caught before, and proof that the hunter can catch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis.internal.conjecture import providers

from mcu_quant import fixed_point
from mcu_quant.deployment import Deployment
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers import tflite as importer
from mcu_quant.importers import tflite_variables as variables
from mcu_quant.ir import BoundNode, Graph, QuantParams, Tensor
from mcu_quant.kernels.base import Constant, Kernel, KernelCall
from mcu_quant.kernels.portable import lookup_s8, windows
from mcu_quant.ops import OPERATORS, linear, svdf
from mcu_quant.ops.forms import form_of
from mcu_quant.passes import prepare
from mcu_quant.quantize import assign
from tests.conftest import require_tools
from tests.hunter import check_keras, regressions
from tests.hunter import hunt as hunting
from tests.hunter.check import Engines, Mismatch, Tally, Target, check_case, host_name
from tests.hunter.check_keras import quantized_case
from tests.hunter.draws import drawn
from tests.hunter.elementwise import BY_THE_WAY
from tests.hunter.graphs import EMITTERS, Case, quantized_cases
from tests.hunter.hunt import BATCH, HOST_CORES, QEMU_CORES, Plan, describe, hunt, plans_for
from tests.hunter.keras_specs import ModelSpec
from tests.hunter.litert_alone import MAKERS
from tests.hunter.own_operators import EMITTERS_OF_OURS, RECURRENT, anew_cases, stateful_cases
from tests.hunter.states import STATE_EMITTERS
from tests.hunter.streams import StreamCase

CASES = 60
Break = Callable[[pytest.MonkeyPatch], None]


def test_a_short_hunt_finds_nothing(tmp_path: Path) -> None:
    report = hunt(Plan(CASES, host_cores=(), regressions=tmp_path))
    assert not report.failed(), describe(report, 0)


@pytest.mark.slow
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55", "cortex-m0plus"])
def test_a_short_hunt_with_compiled_c_finds_nothing(core: str, tmp_path: Path) -> None:
    report = hunt(Plan(CASES // 3, seed=1, host_cores=(core,), regressions=tmp_path))
    assert not report.failed(), describe(report, 0)


@pytest.mark.slow
def test_a_short_hunt_with_limits_of_ram_finds_nothing(tmp_path: Path) -> None:
    plan = Plan(CASES, seed=3, host_cores=("cortex-m4",), ram_share=1.0, regressions=tmp_path)
    report = hunt(plan)
    assert not report.failed(), describe(report, 0)
    memory = report.tally.memory
    assert memory["with --ram"] >= 0.8 * CASES
    assert memory["with --ram, and smaller for it"] >= 0.3 * CASES
    assert memory["with --ram, and layers in bands"] >= 0.1 * CASES


def arena_that_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan's last block ends 16 bytes behind the arena."""
    right = hunting.deployed

    def wrong(*arguments: Any, **options: Any) -> Deployment:
        deployment = right(*arguments, **options)
        size = max(deployment.plan.arena_bytes - 16, 1)
        return replace(deployment, plan=replace(deployment.plan, arena_bytes=size))

    monkeypatch.setattr(hunting, "deployed", wrong)
    monkeypatch.setattr("tests.hunter.check.deployed", wrong)


def output_too_near_to_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A distance that takes two pixels that are still read."""
    right = windows.row_overlap

    def wrong(node: BoundNode, axes: Any) -> int:
        return right(node, axes) - 2 * node.input(0).shape[3]

    monkeypatch.setattr(windows, "row_overlap", wrong)


@pytest.mark.slow
@pytest.mark.parametrize("plant", [arena_that_is_too_small, output_too_near_to_its_input])
def test_a_plan_that_is_wrong_is_caught(
    plant: Break, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as broken:
        plant(broken)
        plan = Plan(CASES, seed=4, host_cores=("generic",), ram_share=1.0, regressions=tmp_path)
        report = hunt(plan)
    assert report.mismatches, describe(report, 0)


@pytest.mark.slow
@pytest.mark.qemu
def test_a_short_hunt_on_qemu_finds_nothing(tmp_path: Path) -> None:
    qemu = Plan(CASES // 4, seed=2, host_cores=(), qemu_cores=("cortex-m55",), ram_share=0.5)
    report = hunt(replace(qemu, regressions=tmp_path))
    assert not report.failed(), describe(report, 0)


@pytest.mark.parametrize("path", regressions.saved(), ids=lambda path: path.name)
def test_what_was_caught_before_stays_right(path: Path) -> None:
    found, engines, tally = regressions.load(path), regressions.engines(path), Tally()
    if engines.qemu is not None:
        require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    case = quantized_case(found, tally, with_keras=False) if isinstance(found, ModelSpec) else found
    assert case is not None
    check_case(case, engines, tally)
    assert not tally.skipped


def test_draws_depend_on_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def imported_constants() -> None:
        raise AssertionError("hypothesis drew from the constants of imported modules")

    monkeypatch.setattr(providers, "_get_local_constants", imported_constants)
    one, other, third = (
        [write_tflite(case.graph) for case in drawn(quantized_cases(), 20, seed)] for seed in (0, 0, 1)
    )
    assert one == other != third


def test_every_operator_is_hunted() -> None:
    """Of files; pow alone is left to its own cases (its tolerance is wide where results are large)."""
    operators = {
        name for name, operator in OPERATORS.items() if operator.tflite_builtins or operator.tflite_custom
    }
    assert operators - {"pow"} <= {*EMITTERS, *STATE_EMITTERS, *BY_THE_WAY, *MAKERS, *EMITTERS_OF_OURS}


@pytest.mark.slow
def test_recurrent_layers_are_hunted_in_every_form_with_and_without_states() -> None:
    found: set[tuple[str, str, bool]] = set()
    for case in [*drawn(anew_cases(), 100, 0), *drawn(stateful_cases(), 150, 0)]:
        for node in case.graph.bound_nodes():
            for position in OPERATORS[node.node.op].state_inputs:
                found.add((node.node.op, form_of(node), node.optional_input(position) is not None))
    expected = itertools.product(RECURRENT, ("int8", "int16", "float"), (True, False))
    assert {*expected, ("svdf", "int8", True), ("svdf", "float", True)} <= found


def off_by_one_multiplier(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least wrong that a constant can be, larger than rounding hides: one part in 2**15."""
    right = fixed_point.quantize_multiplier

    def wrong(real: float) -> tuple[int, int]:
        multiplier, shift = right(real)
        return multiplier + (multiplier >> 15), shift

    monkeypatch.setattr(linear, "quantize_multiplier", wrong)


def ignored_activation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "activation_range", lambda activation, output: (-128, 127))


def reader_that_loses_a_zero_point(monkeypatch: pytest.MonkeyPatch) -> None:
    right = importer.read_tflite

    def wrong(data: bytes, name: str) -> Graph:
        graph = right(data, name)
        last = graph.tensors[graph.outputs[-1]]
        if last.quant is None:
            return graph
        quant = type(last.quant)(last.quant.scale, (0,), last.quant.channel_axis)
        changed = type(last)(last.name, last.shape, last.dtype, quant, last.data)
        return graph.with_(tensors={**graph.tensors, last.name: changed})

    monkeypatch.setattr("tests.hunter.check.read_tflite", wrong)


@pytest.mark.slow
@pytest.mark.parametrize("plant", [off_by_one_multiplier, ignored_activation, reader_that_loses_a_zero_point])
def test_a_planted_fault_is_caught_shrunk_and_saved(
    plant: Break, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as broken:
        plant(broken)
        report = hunt(Plan(60, host_cores=(), regressions=tmp_path))
        assert report.failed()
        saved = [
            case for path in regressions.saved(tmp_path) if isinstance(case := regressions.load(path), Case)
        ]
        assert saved
        # A window model that streams needs what makes it one.
        sizes = [len(case.graph.nodes) for case in saved if not isinstance(case, StreamCase)]
        assert min(sizes) == 1 and max(sizes) <= 2, sizes
        with pytest.raises(Mismatch):
            check_case(saved[0], Engines(host=None), Tally())
    check_case(saved[0], Engines(host=None), Tally())


@pytest.mark.slow
def test_a_kernel_that_is_wrong_is_caught_for_its_core(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kernel = type(lookup_s8.KERNEL)
    right = kernel.call

    def wrong(self: Kernel, node: BoundNode) -> KernelCall:
        call = right(self, node)
        arguments = (replace(a, data=a.data ^ 1) if isinstance(a, Constant) else a for a in call.arguments)
        return replace(call, arguments=tuple(arguments))

    target = Target("cortex-m4", "time")
    with monkeypatch.context() as broken:
        broken.setattr(kernel, "call", wrong)
        report = hunt(Plan(10, host_cores=(target.core,), regressions=tmp_path))
    assert report.mismatches and report.mismatches[0].startswith(host_name(target))
    for path in regressions.saved(tmp_path):
        case = regressions.load(path)
        assert isinstance(case, Case) and len(case.graph.nodes) <= 4  # what is one table
        assert regressions.engines(path) == Engines(target)
        check_case(case, Engines(target), Tally())


def svdf_that_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest value of every memory counts as the one behind it."""
    right = svdf._moved_on

    def wrong(memory: np.ndarray, newest: np.ndarray) -> np.ndarray:
        moved = right(memory, newest)
        moved[..., 0] = moved[..., min(1, moved.shape[-1] - 1)]
        return moved

    monkeypatch.setattr(svdf, "_moved_on", wrong)


def initial_values_that_get_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of variables: the file says zeros."""
    right = variables._at_reset
    monkeypatch.setattr(variables, "_at_reset", lambda variable, before: 0 * right(variable, before))


@pytest.mark.slow
@pytest.mark.parametrize("plant", [svdf_that_forgets, initial_values_that_get_lost])
def test_a_fault_of_states_is_caught_and_shrunk(
    plant: Break, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as broken:
        plant(broken)
        report = hunt(Plan(180, host_cores=(), regressions=tmp_path, only="states"))
    saved = [case for path in regressions.saved(tmp_path) if isinstance(case := regressions.load(path), Case)]
    assert report.mismatches and saved and min(len(case.graph.nodes) for case in saved) <= 2
    check_case(saved[0], Engines(host=None), Tally())


def test_plans_take_every_target_in_turn() -> None:
    plans = plans_for(3000, Plan(0, host_cores=HOST_CORES, qemu_cores=QEMU_CORES))
    assert sum(plan.cases for plan in plans) == 3000
    assert len({plan.seed for plan in plans}) == len(plans)
    batches = [range(plan.turn, plan.turn + plan.cases // 2 // BATCH) for plan in plans]
    assert [turn for batch in batches for turn in batch] == list(range(3000 // 2 // BATCH))


def clipping_quantizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quantizer that is consistent with itself but wrong: every engine has the same bits."""
    right = assign.activation_scheme

    def wrong(range_min: float, range_max: float, least_scale: float = 0.0) -> QuantParams:
        quant = right(range_min, range_max, least_scale)
        return QuantParams.per_tensor(quant.scale[0] / 4, quant.zero_point[0])

    monkeypatch.setattr(assign, "activation_scheme", wrong)


def wrong_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that changes what the model means."""

    def wrong(graph: Graph) -> Graph:
        biases = {node.inputs[2] for node in graph.nodes if node.op == "conv_2d" and len(node.inputs) > 2}
        tensors = {
            name: Tensor.constant(name, tensor.data + np.float32(0.1))
            if name in biases and tensor.data is not None
            else tensor
            for name, tensor in graph.tensors.items()
        }
        return prepare(graph.with_(tensors=tensors))

    monkeypatch.setattr(check_keras, "prepare", wrong)


@pytest.mark.slow
@pytest.mark.parametrize("plant", [clipping_quantizer, wrong_pass])
def test_a_fault_of_the_quantizer_or_a_pass_is_caught(
    plant: Break, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as broken:
        plant(broken)
        report = hunt(Plan(60, host_cores=(), regressions=tmp_path))
    assert len(report.mismatches) == 1
    (spec,) = (
        case for path in regressions.saved(tmp_path) if isinstance(case := regressions.load(path), ModelSpec)
    )
    assert len(spec.layers) == 1
    assert quantized_case(spec, Tally(), with_keras=False) is not None
