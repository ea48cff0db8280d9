"""Exact counts: on loops of known length, run twice, layer by layer; and sizes from the linked image."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcu_quant.boards import Timer, load_board, qemu_boards
from mcu_quant.codegen.project import OPTIMIZE_FLAGS
from mcu_quant.errors import EngineFailedError
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.samples import default_inputs
from mcu_quant.verify.profile import _exact, profile_on_qemu
from mcu_quant.verify.profile_report import split_excess
from tests.boards.models import deploy, golden_samples, published, tiny_model
from tests.boards.test_qemu import run_program

M4 = load_board("mps2_an386")

LOOPS = (1, 2, 3, 10, 1000, 1_000_000)
#: Prints the ticks of calls that take 2 * n + 1 instructions, twice each, and of a call that takes one.
LOOP_PROGRAM = """
#include "port.h"
__attribute__((naked, noipa)) static void loop(uint32_t n) {
    __asm__ volatile(".syntax unified\\n1:\\tsubs r0, #1\\n\\tbne 1b\\n\\tbx lr");
}
__attribute__((naked, noipa)) static void nothing(uint32_t n) { __asm__ volatile("bx lr"); }
__attribute__((noipa)) static uint32_t ticks(void (*call)(uint32_t), uint32_t n) {
    const uint32_t start = port_counter();
    call(n);
    return port_counter() - start;
}
static void show(uint32_t value) { port_print_hex(value); port_print(" "); }
int main(void) {
    static const uint32_t counts[] = {COUNTS};
    port_counter_start();
    show(ticks(nothing, 1));
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        show(ticks(loop, counts[i]));
        show(ticks(loop, counts[i]));
    }
    return 0;
}
""".replace("COUNTS", ", ".join(map(str, LOOPS)))


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", qemu_boards())
def test_loops_of_known_length_are_counted_exactly(board_name: str, tmp_path: Path) -> None:
    board = load_board(board_name)
    readings = []
    for shift in (10, 5):
        text = run_program(board, LOOP_PROGRAM, tmp_path, "-icount", f"shift={shift},align=off,sleep=off")
        readings.append([int(word, 16) % 2**board.qemu_timer.bits for word in text.split()])
    exact = [_exact(board.qemu_timer, fine, coarse) for fine, coarse in zip(*readings, strict=True)]
    expected = [2 * n + 1 for n in LOOPS for _ in range(2)]
    assert [count - exact[0] + 1 for count in exact[1:]] == expected


@pytest.mark.parametrize(
    ("hz", "bits", "most"),
    [
        *((hz, 32, 3_000_000_001) for hz in (16_000_000, 20_000_000, 25_000_000, 32_000_000)),
        (1_000_000_000, 32, 134_000_000),
        (3_000_000, 24, 174_000_000),
    ],
)
def test_counts_beyond_one_turn_of_the_counter(hz: int, bits: int, most: int) -> None:
    timer = Timer("none.c", 0, hz, bits)
    for count in (0, 1, 10**6, 10**8, 134_000_000, 170_000_000, 999_999_937, 3_000_000_001):
        fine, coarse = (int(count * hz * 2**shift / 1e9) % 2**bits for shift in (10, 5))
        if count <= most:
            assert _exact(timer, fine, coarse) == count


def test_counts_that_contradict_each_other_are_refused() -> None:
    timer = Timer("none.c", 0, 25_000_000)
    with pytest.raises(EngineFailedError, match="must count the same"):
        _exact(timer, int(1000 * 25.6), int(1020 * 0.8))


KEYS = ["schema", "model", "board", "core", "optimize", "instructions", "modelled_cycles", "memory", "flash"]
KEYS += ["layers", "outputs_crc32", "certificate"]
#: How far the bound of the stack may be above what one run takes: a way that no input goes.
STACK_SLACK = 72
LAYER_KEYS = ["index", "name", "op", "kernel", "macs", "instructions", "modelled_cycles", "input_shape"]
LAYER_KEYS += ["output_shape", "live_bytes", "scratch_bytes"]


def check_report(report: dict[str, Any]) -> None:
    """What holds for every model and board."""
    assert list(report) == KEYS
    memory, flash = report["memory"], report["flash"]
    assert list(memory) == [
        "arena_bytes",
        "fast_arena_bytes",
        "state_bytes",
        "static_bytes",
        "stack_bytes",
        "ram_bytes",
    ]
    assert list(flash) == ["code_bytes", "const_bytes", "model_bytes", "image_bytes"]
    assert memory["static_bytes"] == 0
    assert 16 <= memory["stack_bytes"] <= 512
    assert memory["fast_arena_bytes"] == 0
    assert memory["ram_bytes"] == memory["arena_bytes"] + memory["stack_bytes"]
    assert flash["model_bytes"] == flash["code_bytes"] + flash["const_bytes"] < flash["image_bytes"]
    assert flash["image_bytes"] - flash["model_bytes"] < 4096
    layers = report["layers"]
    assert all(list(layer) == LAYER_KEYS for layer in layers)
    assert sum(layer["instructions"] for layer in layers) == report["instructions"]
    assert all(layer["instructions"] >= 0 for layer in layers)
    assert sum(layer["modelled_cycles"] for layer in layers) == report["modelled_cycles"]
    assert 0.5 < report["modelled_cycles"] / report["instructions"] < 3
    check_certificate(report)


def check_certificate(report: dict[str, Any]) -> None:
    """The certificate's figures against those measured, and against each other."""
    certificate, memory, flash = report["certificate"], report["memory"], report["flash"]
    assert memory["stack_bytes"] <= certificate["stack_bound_bytes"] <= memory["stack_bytes"] + STACK_SLACK
    assert sum(step["bytes"] for step in certificate["stack_path"]) == certificate["stack_bound_bytes"]
    assert certificate["stack_path"][0]["function"] == f"{report['model']}_invoke"
    assert certificate["stack_bound_with_hook_bytes"] > 0
    for kind in ("code", "const"):
        sizes = [symbol["bytes"] for symbol in certificate["symbols"] if symbol["kind"] == kind]
        assert sum(sizes) == flash[f"{kind}_bytes"]
    ends = [symbol["address"] + symbol["bytes"] for symbol in certificate["symbols"]]
    starts = [symbol["address"] for symbol in certificate["symbols"]]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    assert certificate["largest_layer_bytes"] <= memory["arena_bytes"]
    tops = [block["address"] + block["bytes"] for block in certificate["arena"]]
    assert max(tops) == memory["arena_bytes"]
    scratch = {b["first"]: b["bytes"] for b in certificate["arena"] if b["kind"] == "scratch"}
    assert [scratch.get(i, 0) for i in range(len(report["layers"]))] == [
        layer["scratch_bytes"] for layer in report["layers"]
    ]


@pytest.mark.parametrize(
    ("instructions", "hooked", "layers"),
    [
        (100, [70, 60], (55, 45)),
        (100, [71, 60], (55, 45)),
        (100, [60, 71], (45, 55)),
        (100, [3, 70, 60], (0, 55, 45)),
        (100, [12, 70, 60, 2], (0, 55, 45, 0)),
        (0, [5, 0, 9], (0, 0, 0)),
        (100, [40, 55], (43, 57)),
        (100, [130], (100,)),
    ],
)
def test_layers_add_up_exactly(instructions: int, hooked: list[int], layers: tuple[int, ...]) -> None:
    assert split_excess(instructions, hooked) == layers


def test_any_layers_add_up_and_none_is_negative() -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        hooked = generator.integers(0, 50, generator.integers(1, 9)).tolist()
        instructions = int(generator.integers(0, sum(hooked) + 10))
        layers = split_excess(instructions, hooked)
        assert sum(layers) == instructions and min(layers) >= 0


@pytest.mark.qemu
@pytest.mark.parametrize("optimize", OPTIMIZE_FLAGS)
@pytest.mark.parametrize("board_name", qemu_boards())
def test_a_tiny_models_profile(board_name: str, optimize: str) -> None:
    board = load_board(board_name)
    model = tiny_model()
    deployment = deploy(model, board, optimize=optimize)
    inputs = default_inputs(model.graph, 2)
    report = profile_on_qemu(deployment, board, inputs)
    check_report(report)
    assert (report["model"], report["board"], report["core"]) == ("tiny", board_name, board.core)
    assert report["memory"]["arena_bytes"] == deployment.plan.arena_bytes
    assert [layer["macs"] for layer in report["layers"]] == [84, 35]
    expected = run_graph(model.graph, [x[:1] for x in inputs])
    assert report["outputs_crc32"] == zlib.crc32(expected[0].tobytes())
    weights = sum(t.bytes for t in model.graph.tensors.values() if t.is_constant)
    # Kernels may pack weights wider, and those of mode "time" may bring tables of their own.
    assert weights < report["flash"]["const_bytes"] < 3 * weights + (4096 if optimize == "time" else 200)
    assert 200 < report["instructions"] < 10_000


@pytest.mark.qemu
def test_two_profiles_are_the_same() -> None:
    model = tiny_model()
    inputs = default_inputs(model.graph, 2)
    assert profile_on_qemu(deploy(model, M4), M4, inputs) == profile_on_qemu(deploy(model, M4), M4, inputs)


@pytest.mark.qemu
def test_a_larger_layer_takes_more_instructions_by_the_known_step() -> None:
    """Each MAC of this kernel is the same few instructions, so counts grow linearly with the input."""
    counts = []
    for inputs in (100, 200, 300):
        model = tiny_model(inputs=inputs)
        counts.append(profile_on_qemu(deploy(model, M4), M4, default_inputs(model.graph, 1))["instructions"])
    steps = np.diff(counts)
    assert steps[0] == steps[1] > 700


@pytest.mark.qemu
def test_a_published_models_profile(shared: Path) -> None:
    model = published(shared, "hello_world_int8")
    inputs, outputs = golden_samples(shared, "hello_world_int8", model.graph)
    report = profile_on_qemu(deploy(model, M4), M4, inputs)
    check_report(report)
    assert report["outputs_crc32"] == zlib.crc32(outputs[0][:1].tobytes())
    assert re.fullmatch(r"[a-z0-9_]+", report["layers"][0]["kernel"])
