"""QEMU as an engine: right on every board, and clear about what goes wrong."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mcu_quant.boards import Board, load_board, qemu_boards
from mcu_quant.codegen.project import render_sources
from mcu_quant.errors import DoesNotFitError, EngineFailedError, ToolMissingError
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.samples import default_inputs
from mcu_quant.verify.compare import compare
from mcu_quant.verify.image import link_images
from mcu_quant.verify.qemu import QemuEngine, emulate
from tests.boards.models import deploy, published, tiny_model

M4 = load_board("mps2_an386")


def run_program(board: Board, source: str, folder: Path, *arguments: str, timeout: float = 20) -> str:
    """What a main.c printed on the board's machine."""
    deployment = deploy(tiny_model(), board)
    files = render_sources(board, [deployment], ()) | {"main.c": source}
    (image,) = link_images(board, deployment, files, ["main"], folder)
    return emulate(board, image, folder, timeout=timeout, arguments=arguments)


@pytest.mark.qemu
@pytest.mark.parametrize("optimize", ["time", "balanced", "size"])
@pytest.mark.parametrize("board_name", qemu_boards())
def test_a_tiny_model_gives_the_bytes_of_the_reference(board_name: str, optimize: str) -> None:
    board = load_board(board_name)
    model = tiny_model()
    inputs = default_inputs(model.graph, 20)
    outputs = QemuEngine(deploy(model, board, optimize=optimize), board).run(inputs)
    result = compare(board_name, run_graph(model.graph, inputs), outputs)
    assert result.identical, result


@pytest.mark.qemu
def test_any_number_of_samples_and_processes_gives_the_same() -> None:
    model = tiny_model()
    inputs = default_inputs(model.graph, 7)
    engine = QemuEngine(deploy(model, M4), M4, processes=3)
    (outputs,) = engine.run(inputs)
    for count in (1, 2, 7):
        (some,) = engine.run([x[:count] for x in inputs])
        assert np.array_equal(some, outputs[:count])
    (none,) = engine.run([x[:0] for x in inputs])
    assert none.shape == (0, 1, 5)


HANG = "int main(void) { for (;;) { } }"
FAULT = 'int main(void) { __asm__ volatile(".short 0xde00"); return 0; }'
UNALIGNED = """
#include <stdint.h>
static uint32_t words[2];
int main(void) {
    uint32_t word;
    __asm__ volatile(".syntax unified\\n\\tldr %0, [%1]" : "=l"(word) : "l"((uint8_t *)words + 1));
    return (int)word;
}
"""
OVERFLOW = """
static int deeper(int n);
static int (*volatile again)(int) = deeper;
static int deeper(int n) { volatile char room[64]; room[n & 63] = 1; return again(n + 1) + room[3]; }
int main(void) { return deeper(0); }
"""


@pytest.mark.qemu
def test_a_hang_is_a_time_out_with_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EngineFailedError, match=r"main on mps2_an386: the image must get on within 1 s"):
        run_program(M4, HANG, tmp_path, timeout=1)


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", qemu_boards())
def test_a_fault_reports_registers_and_ends(board_name: str, tmp_path: Path) -> None:
    with pytest.raises(EngineFailedError, match=r"status 1; it printed: fault: r0=.* pc=[0-9a-f]{8} "):
        run_program(load_board(board_name), FAULT, tmp_path)


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", ["microbit", "mps2_an385_m0plus"])
def test_armv6m_code_may_not_read_words_at_unaligned_addresses(board_name: str, tmp_path: Path) -> None:
    with pytest.raises(EngineFailedError, match="fault: r0="):
        run_program(load_board(board_name), UNALIGNED, tmp_path)


@pytest.mark.qemu
def test_a_stack_overflow_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(EngineFailedError, match="the stack overflowed"):
        run_program(load_board("microbit"), OVERFLOW, tmp_path)


@pytest.mark.qemu
def test_an_exit_status_is_seen(tmp_path: Path) -> None:
    with pytest.raises(EngineFailedError, match=r"status 1; it printed nothing"):
        run_program(M4, "int main(void) { return 256; }", tmp_path)


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", ["microbit", "mps2_an385_m0plus"])
def test_thumb_1_images_have_no_thumb_2_instructions(board_name: str) -> None:
    board = load_board(board_name)
    check_thumb_1(QemuEngine(deploy(tiny_model(), board), board))


@pytest.mark.qemu
def test_a_published_model_for_cortex_m0plus_is_thumb_1(shared: Path) -> None:
    board = load_board("mps2_an385_m0plus")
    check_thumb_1(QemuEngine(deploy(published(shared, "kws_ref_model"), board), board))


def check_thumb_1(engine: QemuEngine) -> None:
    """Armv6-M has 32-bit encodings for these instructions only (Armv6-M reference manual, A5.3)."""
    image = engine.build()
    listing = subprocess.run(
        ["arm-none-eabi-objdump", "-d", image], capture_output=True, text=True, check=True
    ).stdout
    wide = re.findall(r"^ *[0-9a-f]+:\t[0-9a-f]{4} [0-9a-f]{4} *\t(\S+)", listing, re.MULTILINE)
    assert "bl" in wide
    assert set(wide) <= {"bl", "mrs", "msr", "dsb", "isb", "dmb"}
    assert not re.search(r"\t(it[te]*|cbn?z|udiv|sdiv)\t", listing)
    attributes = subprocess.run(
        ["arm-none-eabi-readelf", "-A", image], capture_output=True, text=True, check=True
    ).stdout
    assert "Tag_CPU_arch: v6S-M" in attributes and "Tag_THUMB_ISA_use: Thumb-1" in attributes


def test_a_model_that_exceeds_ram_is_refused_before_anything_is_built() -> None:
    microbit = load_board("microbit")
    model = tiny_model(inputs=15_000)
    with pytest.raises(DoesNotFitError, match=r"arena \(\d+ bytes\).*16384 bytes of RAM.*dense0") as caught:
        QemuEngine(deploy(model, microbit), microbit).build()
    assert caught.value.exit_code == 3


@pytest.mark.qemu
def test_a_model_that_exceeds_flash_is_refused_at_link() -> None:
    microbit = load_board("microbit")
    model = tiny_model(inputs=2_000, hidden=140)
    with pytest.raises(DoesNotFitError, match=r"262144 bytes of flash.*flash exceeded by \d+ bytes.*Try"):
        QemuEngine(deploy(model, microbit), microbit).build()


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError, match=r"arm-none-eabi-gcc must be installed") as caught:
        QemuEngine(deploy(tiny_model(), M4), M4).build()
    assert caught.value.exit_code == 5
    with pytest.raises(ToolMissingError, match="qemu-system-arm must be installed"):
        emulate(M4, tmp_path / "none.elf", tmp_path, timeout=1)
