"""Weights in several memories of a board: the same bytes, each table where it was sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mcu_quant.boards import Board, MemoryRegion, load_board
from mcu_quant.codegen.library import library_tables
from mcu_quant.codegen.project import render_project
from mcu_quant.errors import DoesNotFitError
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.samples import default_inputs
from mcu_quant.sections import SplitArena, placement_of
from mcu_quant.verify.image import build_images, check_fits, read_sizes
from mcu_quant.verify.qemu import QemuEngine
from mcu_quant.verify.symbols import library_symbols, total
from tests.boards.models import deploy, tiny_model
from tests.codegen.deployments import branch_graph
from tests.codegen.deployments import deploy as deploy_graph

#: Board → hot layers, cold layers, all others.
PLACES = {
    "mps2_an386": {"conv": "bram", "d*": "psram", "default": ".rodata"},
    "mps2_an500": {"conv": "ram", "d*": "psram", "default": ".rodata"},
    "mps3_an547": {"conv": "ram", "d*": "sram", "default": "sram"},
}


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", PLACES)
def test_tables_are_where_they_were_sent_and_give_the_same_bytes(board_name: str, tmp_path: Path) -> None:
    board = load_board(board_name)
    plain = deploy_graph(branch_graph(), core=board.core)
    placed = deploy_graph(branch_graph(), core=board.core, placement=placement_of(PLACES[board_name]))
    inputs = default_inputs(plain.graph, 3)
    (outputs,) = QemuEngine(placed, board, processes=1).run(inputs)
    assert outputs.tobytes() == run_graph(plain.graph, inputs)[0].tobytes()

    (image,) = build_images(board, placed, ("validate",), tmp_path)
    regions = {section.name: section.region for section in board.sections} | {".rodata": board.flash}
    sections = {table.symbol: table.section for table in library_tables(placed)}
    symbols = library_symbols(image)
    seen = set()
    for symbol in symbols:
        if symbol.name in sections:
            region = regions[sections[symbol.name]]
            assert region.address <= symbol.address and symbol.address + symbol.bytes <= region.end, symbol
            seen.add(sections[symbol.name])
    assert seen == set(PLACES[board_name].values())
    sizes = read_sizes(image)
    assert total(symbols, "const") == sizes.const_bytes
    in_ram = sum(symbol.bytes for symbol in symbols if symbol.section == ".mq_ram")
    assert sizes.static_bytes == in_ram
    assert (in_ram > 0) == ("ram" in PLACES[board_name].values())


def test_the_project_makes_a_file_for_each_memory_that_a_programmer_has_to_fill() -> None:
    board = load_board("mps2_an386")
    deployment = deploy_graph(
        branch_graph(), core=board.core, placement=placement_of({"conv": "bram", "deep": "psram"})
    )
    makefile = render_project(board, [deployment])["Makefile"]
    assert "build/firmware_psram.bin" in makefile and "bram.bin" not in makefile.replace("psram.bin", "")
    plain = render_project(board, [deploy(tiny_model(), board)])
    assert "psram" not in plain["Makefile"] + plain["board/linker.ld"]


@pytest.mark.parametrize("section", ["ram", "bram"])
def test_weights_beside_the_arena_leave_kernels_less_room(section: str) -> None:
    """They were not counted: kernels with scratch were chosen, and nothing fitted."""
    board = with_memory(load_board("mps2_an385_m0plus"), section, 1 << 16)
    model = tiny_model(inputs=400, hidden=40)
    placement = replace(
        placement_of({"default": section}), arena=SplitArena(1, fast_section="psram", section=section)
    )
    roomy = deploy(model, board, placement=placement)  # type: ignore[arg-type]
    weights = sum(table.bytes for table in library_tables(roomy))
    needed = weights + roomy.plan.arena_bytes - 200
    tight = with_memory(board, section, needed + (board.stack_bytes if section == "ram" else 0))
    deployment = deploy(model, tight, placement=placement)  # type: ignore[arg-type]
    assert deployment.plan.arena_bytes < roomy.plan.arena_bytes
    check_fits(tight, [deployment])


def with_memory(board: Board, name: str, size: int) -> Board:
    """The board with that many bytes in the section."""
    sections = tuple(
        replace(s, region=replace(s.region, bytes=size)) if s.name == name else s for s in board.sections
    )
    ram = replace(board.ram, bytes=size) if name == "ram" else board.ram
    return replace(board, ram=ram, sections=sections)


def test_a_section_that_is_too_small_is_refused() -> None:
    board = load_board("mps2_an386")
    model = tiny_model(inputs=400, hidden=60)
    fits = deploy(model, board, placement=placement_of({"dense0": "psram"}))  # type: ignore[arg-type]
    check_fits(board, [fits])
    exceeds = deploy(model, board, placement=placement_of({"default": "bram"}))  # type: ignore[arg-type]
    with pytest.raises(DoesNotFitError, match="placed in bram must fit mps2_an386, where it has 16384"):
        check_fits(board, [exceeds])
    small = replace(board, ram=MemoryRegion(board.ram.address, 16384))
    in_ram = deploy(model, board, placement=placement_of({"default": "ram"}))  # type: ignore[arg-type]
    check_fits(small, [fits])
    with pytest.raises(DoesNotFitError, match=r"weights placed in ram \(\d+\) must fit mps2_an386"):
        check_fits(small, [in_ram])
