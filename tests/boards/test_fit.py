"""What does not fit is refused before it is flashed, with what takes the room and what to try."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import mcu_quant as mq
from mcu_quant import pipeline
from mcu_quant.boards import Board, MemoryRegion, board_that_fits, list_boards, load_board
from mcu_quant.boards.larger import larger_board
from mcu_quant.errors import DoesNotFitError, ToolMissingError
from mcu_quant.outputs import write_directory
from mcu_quant.sections import read_placement
from mcu_quant.verify.fit import read_rooms
from mcu_quant.verify.image import build_images, link_images
from tests.boards.models import deploy, tiny_model
from tests.conftest import Run, require_tools

M4 = load_board("mps2_an386")


def shrunk(board: Board, *, flash: int | None = None, ram: int | None = None) -> Board:
    """The board with less memory; its section "ram" is that, too."""
    small = MemoryRegion(board.ram.address, ram or board.ram.bytes)
    sections = tuple(replace(s, region=small) if s.name == "ram" else s for s in board.sections)
    flash_region = MemoryRegion(board.flash.address, flash or board.flash.bytes)
    return replace(board, flash=flash_region, ram=small, sections=sections)


@pytest.mark.qemu
def test_rooms_have_every_part_of_the_image(tmp_path: Path) -> None:
    (image,) = build_images(M4, deploy(tiny_model(), M4), ["main"], tmp_path)
    flash, ram = read_rooms(image, M4)
    assert flash.part("model: code") > 100 and flash.part("model: weights and tables") > 100
    assert flash.part("vector table") == 64
    assert ram.part("stack") == M4.stack_bytes
    for room in (flash, ram):
        assert sum(count for _, count in room.parts) == room.needed_bytes < room.bytes


@pytest.mark.qemu
def test_weights_that_are_copied_take_flash_and_their_own_memory(tmp_path: Path) -> None:
    placement = tmp_path / "placement.toml"
    placement.write_text('[weights]\ndefault = "bram"\n')
    deployment = deploy(tiny_model(), M4, placement=read_placement(placement))
    (image,) = build_images(M4, deployment, ["main"], tmp_path)
    flash, _, bram = read_rooms(image, M4)
    assert bram.memory == "bram" and bram.bytes == 0x4000
    assert bram.part("model: bram") == flash.part("model: bram, until it is copied") > 100


@pytest.mark.qemu
def test_an_image_too_large_for_flash(tmp_path: Path) -> None:
    board = shrunk(M4, flash=2048)
    with pytest.raises(DoesNotFitError, match=r"2048 bytes of flash.*flash exceeded by \d+ bytes") as caught:
        build_images(board, deploy(tiny_model(), board), ["main"], tmp_path)
    text, memory = str(caught.value), caught.value.memory
    assert "Try: --optimize size, or a technique with smaller weights" in text and "such as" in text
    assert memory[0]["memory"] == "flash" and memory[0]["bytes"] == 2048
    (excess,) = re.findall(r"exceeded by (\d+)", text)
    assert memory[0]["needed_bytes"] - 2048 == int(excess)
    assert sum(part["bytes"] for part in memory[0]["parts"]) == memory[0]["needed_bytes"]


@pytest.mark.qemu
def test_mode_size_is_not_advised_to_who_has_it(tmp_path: Path) -> None:
    board = shrunk(M4, flash=2048)
    with pytest.raises(DoesNotFitError) as caught:
        build_images(board, deploy(tiny_model(), board, optimize="size"), ["main"], tmp_path)
    assert "--optimize" not in str(caught.value)


#: A program with a buffer of its own beside an arena.
HUNGRY = """
static volatile char buffer[3000];
static volatile char arena[ARENA];
int main(void) {
    buffer[0] = arena[0];
    return buffer[1];
}
"""


@pytest.mark.qemu
def test_variables_of_the_program_count(tmp_path: Path) -> None:
    """The arena alone fits; beside what main.c has, --ram says how large it may be."""
    board = shrunk(M4, ram=4096 + 4096)
    deployment = deploy(tiny_model(inputs=2000), board)
    arena = deployment.plan.arena_bytes
    files = {name: text for name, text in pipeline.render([deployment], board).items() if "/" in name}
    texts = {name: text for name, text in files.items() if isinstance(text, str)}
    texts["main.c"] = HUNGRY.replace("ARENA", str(arena))
    with pytest.raises(DoesNotFitError, match=r"ram exceeded by \d+ bytes.*Try: --ram \d+, or") as caught:
        link_images(board, deployment, texts, ["main"], tmp_path)
    (ram,) = [room for room in caught.value.memory if room["memory"] == "ram"]
    parts = {part["what"]: part["bytes"] for part in ram["parts"]}
    assert parts["buffer"] == 3000 and parts["arena"] == arena and parts["stack"] == 4096
    (limit,) = (int(number) for number in re.findall(r"--ram (\d+)", str(caught.value)))
    assert 3000 + 4096 + limit <= 8192 < 3000 + 4096 + limit + 64


@pytest.mark.qemu
def test_generate_links_and_writes_nothing_that_does_not_fit(
    tmp_path: Path, mcu_quant: Run, shared: Path
) -> None:
    files = Path(shutil.copytree(load_board("microbit").files, tmp_path / "tiny_bit"))
    toml = (files / "board.toml").read_text()
    (files / "board.toml").write_text(toml.replace("bytes = 0x40000 }", "bytes = 0x800 }"))
    model = shared / "models" / "hello_world_int8.tflite"
    command = ("generate", model, "--board", files, "-o", tmp_path / "out")
    done = mcu_quant(*command, "--json")
    assert done.returncode == 3 and not (tmp_path / "out").exists(), done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "DoesNotFitError" and error["memory"][0]["memory"] == "flash"
    assert re.search(r"flash +model: weights and tables +\d", done.stderr)
    assert re.search(r"flash +needed +[\d,]+ of 2,048: [\d,]+ too many", done.stderr)
    with pytest.raises(DoesNotFitError):
        mq.generate(model, board=str(files), output_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_smallest_board_says_by_how_much(tmp_path: Path, mcu_quant: Run, shared: Path) -> None:
    model = shared / "models" / "kws_ref_model.tflite"
    done = mcu_quant("generate", model, "--board", "stm32vldiscovery", "-o", tmp_path / "out")
    assert done.returncode == 3 and not (tmp_path / "out").exists()
    (excess,) = re.findall(r"seen: (\d+) bytes too many", done.stderr)
    assert f"of 8,192: {int(excess):,} too many" in done.stderr and "such as nucleo_f446re" in done.stderr


@pytest.mark.qemu
def test_generate_and_build_say_the_same_of_what_fits(tmp_path: Path, mcu_quant: Run, shared: Path) -> None:
    require_tools("make")
    model = shared / "models" / "hello_world_int8.tflite"
    done = mcu_quant("generate", model, "--board", "nucleo_g0b1re", "-o", tmp_path / "out", "--json")
    memory = json.loads(done.stdout)["memory"]
    assert [room["memory"] for room in memory] == ["flash", "ram"] and done.returncode == 0
    assert all(room["needed_bytes"] < room["bytes"] for room in memory)
    built = mcu_quant("build", tmp_path / "out", "--json")
    images = json.loads(built.stdout)["images"]
    (firmware,) = [image for image in images if image["path"].endswith("firmware.elf")]
    assert firmware["memory"] == memory


@pytest.mark.qemu
@pytest.mark.parametrize("format_name", ["make", "cmake"])
def test_build_explains_what_does_not_fit(format_name: str, tmp_path: Path, mcu_quant: Run) -> None:
    require_tools(format_name)
    deployment = deploy(tiny_model(), M4)
    form = pipeline.format_named(format_name)
    files = pipeline.render([deployment], M4, form)
    linker = str(files["board/linker.ld"]).replace("LENGTH = 4194304", "LENGTH = 2048", 1)
    toml = str(files["board/board.toml"]).replace("bytes = 0x400000", "bytes = 2048", 1)
    files |= {"board/linker.ld": linker, "board/board.toml": toml}
    write_directory(tmp_path / "out", files, pipeline.manifest_facts([deployment], M4, form))
    done = mcu_quant("build", tmp_path / "out")
    assert done.returncode == 3, done.stderr
    assert re.search(r"error: .*must fit mps2_an386: 2048 bytes of flash.*Try: --optimize size", done.stderr)
    assert re.search(r"flash +needed +[\d,]+ of 2,048: [\d,]+ too many", done.stderr)
    assert not (tmp_path / "out" / "build" / "firmware.elf").exists(), "nothing that could be flashed"


def test_without_a_compiler_the_room_is_not_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deployment = deploy(tiny_model(), M4)
    files = pipeline.render([deployment], M4)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError):
        build_images(M4, deployment, ["main"], tmp_path)
    assert pipeline.linked_memory([deployment], M4, files) is None


@pytest.mark.parametrize(
    ("name", "flash", "ram", "expected"),
    [
        ("microbit", 300_000, 30_000, "nucleo_g0b1re"),
        ("nucleo_f446re", 600_000, 100_000, "netduinoplus2"),
        ("netduinoplus2", 1_000_000, 180_000, "frdm_k64f"),
        ("nucleo_f446re", 100_000, 600_000, "nucleo_l4r5zi"),
        ("nucleo_l4r5zi", 100_000, 1_000_000, "mps2_an386"),
        ("mps2_an386", 100_000, 5_000_000, None),
    ],
)
def test_the_next_larger_board(name: str, flash: int, ram: int, expected: str | None) -> None:
    boards = [load_board(listed) for listed in list_boards()]
    found = larger_board(load_board(name), boards, flash, ram)
    assert (None if found is None else found.name) == expected
    assert ("none of these" if expected is None else expected) in board_that_fits(
        load_board(name), flash, ram
    )


def test_the_stack_of_the_other_board_counts() -> None:
    small, other = load_board("nucleo_g0b1re"), load_board("nucleo_f446re")
    room = other.ram_bytes - other.stack_bytes
    assert larger_board(small, [small, other], 0, room) is other
    assert larger_board(small, [small, other], 0, room + 1) is None
