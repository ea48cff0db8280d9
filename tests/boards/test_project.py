"""The firmware project: what `make` makes of it, in the hands of its user."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

import mcu_quant as mq
from mcu_quant import pipeline
from mcu_quant.boards import Board, list_boards, load_board, qemu_boards
from mcu_quant.codegen.project import (
    OPTIMIZE_FLAGS,
    WARNINGS,
    compile_flags,
    pack_samples,
    render_project,
    unpack_samples,
)
from mcu_quant.errors import DoesNotFitError, InvalidInputError
from mcu_quant.ir import Tensor
from mcu_quant.outputs import write_directory
from mcu_quant.pipeline import TfliteModel
from mcu_quant.verify.image import build_images
from tests.boards.models import deploy, tiny_model
from tests.conftest import Run, require_tools
from tests.hunter.int16 import int16_graph

M4 = load_board("mps2_an386")


def write(folder: Path, files: Mapping[str, str] | Mapping[str, str | bytes]) -> Path:
    for name, contents in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(contents if isinstance(contents, bytes) else contents.encode("utf-8"))
    return folder


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    require_tools("make")
    return subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_project_has_the_files_that_design_promises() -> None:
    files = render_project(M4, [deploy(tiny_model(), M4)])
    board = {"startup.c", "board.c", "port.c", "port.h", "report.c", "timer.c", "uart.c", "uart.h", "board.h"}
    board |= {"board.toml", "linker.ld"}
    board |= {"frames.c", "frames.h"}
    expected = {"Makefile", "README.md", "main.c", "validate.c", "serve.c"} | {
        f"board/{name}" for name in board
    }
    assert {name for name in files if not name.startswith("model/")} == expected
    assert {"model/tiny.h", "model/tiny.c", "model/tiny_weights.c", "model/mq_common.h"} <= set(files)
    assert files == render_project(M4, [deploy(tiny_model(), M4)])


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", qemu_boards())
def test_make_and_make_run_on_every_board_in_a_path_with_spaces(board_name: str, tmp_path: Path) -> None:
    board = load_board(board_name)
    folder = write(tmp_path / "a path with spaces", render_project(board, [deploy(tiny_model(), board)]))
    built = make(folder, "CFLAGS=-Werror")
    assert built.returncode == 0, built.stderr
    assert (folder / "build/firmware.bin").stat().st_size > 500
    ran = make(folder, "run")
    assert ran.returncode == 0, ran.stderr
    assert f"tiny on {board_name}" in ran.stderr
    sizes = make(folder, "size")
    assert ".mq_code" in sizes.stdout and ".mq_const" in sizes.stdout
    assert make(folder, "clean").returncode == 0 and not (folder / "build").exists()


@pytest.mark.qemu
@pytest.mark.parametrize("level", ["-O0", "-Og", "-Os", "-O3"])
def test_every_level_of_optimization_is_free_of_warnings_and_right(level: str, tmp_path: Path) -> None:
    folder = write(tmp_path, with_vectors(M4, [tiny_model()]))
    result = make(folder, "validate", f"OPTIMIZE={level}", "CFLAGS=-Werror")
    assert result.returncode == 0 and "0 bytes differ" in result.stderr, result.stderr


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", ["mps2_an386", "mps2_an385_m0plus"])
def test_vectors_of_int16(board_name: str, tmp_path: Path) -> None:
    board, model = load_board(board_name), tiny_model()
    model = TfliteModel("tiny", b"tiny", int16_graph(model.graph))
    result = make(write(tmp_path, with_vectors(board, [model])), "validate", "CFLAGS=-Werror")
    assert result.returncode == 0 and "0 bytes differ" in result.stderr, result.stderr


def with_vectors(board: Board, models: Sequence[TfliteModel]) -> dict[str, str | bytes]:
    """As `generate --board` writes it."""
    return pipeline.render([deploy(model, board) for model in models], board)


@pytest.mark.qemu
def test_make_validate_finds_a_byte_that_differs(tmp_path: Path) -> None:
    files = with_vectors(M4, [tiny_model()])
    folder = write(tmp_path, {name: data for name, data in files.items() if "vectors" not in name})
    missing = make(folder, "validate")
    assert missing.returncode != 0 and "vectors/ is missing" in missing.stderr
    write(tmp_path, files)
    assert make(folder, "validate").returncode == 0
    expected = folder / "vectors/tiny_expected.bin"
    data = bytearray(expected.read_bytes())
    data[7] ^= 1
    expected.write_bytes(data)
    wrong = make(folder, "validate")
    assert wrong.returncode != 0
    assert "1 bytes differ, the first is byte 7 of the outputs" in wrong.stderr
    inputs = folder / "vectors/tiny_inputs.bin"
    inputs.write_bytes(inputs.read_bytes()[:-1])
    short = make(folder, "validate")
    assert short.returncode != 0 and "ends within a sample" in short.stderr


@pytest.mark.qemu
def test_two_models_in_one_program_share_the_arena(tmp_path: Path) -> None:
    models = [tiny_model("first", inputs=40), tiny_model("second", inputs=9, seed=2)]
    folder = write(tmp_path, with_vectors(M4, models))
    result = make(folder, "validate", "CFLAGS=-Werror")
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("0 bytes differ") == 2


@pytest.mark.qemu
@pytest.mark.parametrize("optimize", OPTIMIZE_FLAGS)
def test_make_links_the_same_bytes_as_our_own_build(optimize: str, tmp_path: Path) -> None:
    deployment = deploy(tiny_model(), M4, optimize=optimize)
    folder = write(tmp_path / "made", render_project(M4, [deployment]))
    assert make(folder).returncode == 0
    (tmp_path / "built").mkdir()
    (image,) = build_images(M4, deployment, ["main"], tmp_path / "built")
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", image, image.with_suffix(".bin")], check=True)
    assert image.with_suffix(".bin").read_bytes() == (folder / "build/firmware.bin").read_bytes()


MICROBIT = load_board("microbit")


def test_a_model_that_exceeds_ram_is_refused_before_it_is_written() -> None:
    with pytest.raises(DoesNotFitError, match=r"^large: arena \(\d+ bytes\) and stack.*16384 bytes of RAM"):
        with_vectors(MICROBIT, [tiny_model("large", inputs=15_000)])


def test_two_models_share_ram_but_not_flash() -> None:
    small, wide = tiny_model("small"), tiny_model("wide", inputs=8_000, hidden=1)
    assert with_vectors(MICROBIT, [wide, tiny_model("wide_too", inputs=8_000, hidden=1)])
    large = tiny_model("large", inputs=15_000)
    with pytest.raises(DoesNotFitError, match=r"^large: arena"):
        with_vectors(MICROBIT, [small, large])
    halves = [tiny_model(name, inputs=5_000, hidden=30, seed=i) for i, name in enumerate(("one", "two"))]
    assert with_vectors(MICROBIT, halves[:1])
    expected = r"^one, two: constants \(\d+ \+ \d+ bytes\) must fit microbit.*262144 bytes of flash"
    with pytest.raises(DoesNotFitError, match=expected) as caught:
        with_vectors(MICROBIT, halves)
    assert caught.value.exit_code == 3


@pytest.mark.slow
def test_a_board_that_is_too_small_gets_no_files(shared: Path, mcu_quant: Run, tmp_path: Path) -> None:
    models = [shared / "models" / f"{name}.tflite" for name in ("hello_world_int8", "vww_96_int8")]
    for chosen in (models[1:], models):
        done = mcu_quant("generate", *chosen, "--board", "microbit", "-o", tmp_path / "out")
        assert done.returncode == 3 and "must fit microbit" in done.stderr, done.stderr
        assert not list(tmp_path.iterdir())
    with pytest.raises(DoesNotFitError):
        mq.generate(models[1], board="microbit", output_dir=tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.qemu
def test_build_says_what_the_linker_says(tmp_path: Path, mcu_quant: Run) -> None:
    """Constants that fit flash only without the code."""
    require_tools("make")
    models = [tiny_model(name, inputs=5_200, hidden=25, seed=i) for i, name in enumerate(("one", "two"))]
    deployments = [deploy(model, MICROBIT) for model in models]
    facts = pipeline.manifest_facts(deployments, MICROBIT)
    write_directory(tmp_path / "out", pipeline.render(deployments, MICROBIT), facts)
    done = mcu_quant("build", tmp_path / "out")
    assert done.returncode == 3, done.stderr
    assert "region `FLASH' overflowed" in done.stderr, "what make writes is shown"
    assert re.search(
        r"error: .*must fit microbit: 262144 bytes of flash \(seen: flash exceeded by \d+ bytes\)",
        done.stderr,
    )
    source = tmp_path / "out" / "main.c"
    source.write_text(source.read_text() + "#error mine\n")
    broken = mcu_quant("build", tmp_path / "out")
    assert broken.returncode == 2 and "#error mine" in broken.stderr and "does not build" in broken.stderr


@pytest.mark.parametrize("names", [("net", "net"), ("net", "Net"), ("a", "a_weights"), ("A_weights", "a")])
@pytest.mark.parametrize("board", [M4, None])
def test_names_that_clash_are_refused(names: tuple[str, str], board: Board | None) -> None:
    deployments = [deploy(tiny_model(name), M4) for name in names]
    with pytest.raises(InvalidInputError, match=rf"{names[0]} and {names[1]} would both.*rename one"):
        pipeline.render(deployments, board)


def test_hardware_of_a_board_that_qemu_has() -> None:
    board = load_board("netduinoplus2")
    emulated = render_project(board, [deploy(tiny_model(), board)])
    files = render_project(board.itself, [deploy(tiny_model(), board)])
    assert set(emulated) - set(files) == {"validate.c"} and "serve.c" in files
    assert "semihosting" in emulated["board/port.c"] and "semihosting" not in files["board/port.c"]
    assert "DWT" in files["board/timer.c"] and "DWT" not in emulated["board/timer.c"]
    assert "qemu" not in files["Makefile"].lower() and "--hardware" in emulated["README.md"]


def test_force_keeps_an_edited_program(shared: Path, mcu_quant: Run, tmp_path: Path) -> None:
    """And the next command is one to paste, whatever the path."""
    project = tmp_path / "it's mine"
    model = shared / "models" / "hello_world_int8.tflite"
    command = ("generate", model, "--board", "microbit", "-o", project)
    done = mcu_quant(*command)
    (hint,) = re.findall("`(.*)`", done.stderr)
    assert shlex.split(hint) == ["mcu-quant", "build", str(project)]
    (project / "main.c").write_text("int main(void) { return 42; }\n")
    refused = mcu_quant(*command, "--force")
    assert refused.returncode == 2 and "main.c" in refused.stderr and "move your changes" in refused.stderr
    assert "42" in (project / "main.c").read_text()


def test_pack_and_unpack_are_inverse() -> None:
    tensors = [Tensor("a", (1, 3), "int8"), Tensor("b", (1, 2, 2), "float32"), Tensor("c", (1, 1), "uint8")]
    generator = np.random.default_rng(0)
    arrays = [generator.integers(0, 100, (5, *t.shape)).astype(t.dtype) for t in tensors]
    data = pack_samples(arrays)
    assert len(data) == 5 * (3 + 16 + 1)
    assert data[:3] == arrays[0][0].tobytes() and data[3:19] == arrays[1][0].tobytes()
    for array, again in zip(arrays, unpack_samples(data, tensors), strict=True):
        assert again.dtype == array.dtype and np.array_equal(again, array)


def test_generated_text_holds_no_path_of_this_machine() -> None:
    text = "\n".join(render_project(M4, [deploy(tiny_model(), M4)]).values())
    assert str(Path(__file__).parents[2]) not in text
    assert os.sep + "home" not in text


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", [name for name in list_boards() if name not in qemu_boards()])
def test_sources_for_hardware_are_free_of_warnings(board_name: str, tmp_path: Path) -> None:
    """And the project has nothing that only QEMU could run."""
    board = load_board(board_name)
    files = render_project(board, [deploy(tiny_model(), board)])
    assert "validate.c" not in files and "qemu" not in files["Makefile"].lower()
    assert board.console.uart in files["README.md"] and "make run" not in files["README.md"]
    folder = write(tmp_path, files)
    ours = [name for name in files if name.startswith("board/") or "/" not in name]
    sources = [name for name in ours if name.endswith((".c", ".S"))]
    flags = [*compile_flags(board, "balanced"), *WARNINGS, "-Werror", "-fsyntax-only", "-Imodel", "-Iboard"]
    done = subprocess.run(
        ["arm-none-eabi-gcc", *flags, *sources], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
