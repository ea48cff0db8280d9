"""The firmware project: what `make` makes of it, in the hands of its user."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from mcu_quant import pipeline
from mcu_quant.boards import Board, list_boards, load_board
from mcu_quant.codegen.project import OPTIMIZE_FLAGS, pack_samples, render_project, unpack_samples
from mcu_quant.ir import Tensor
from mcu_quant.pipeline import TfliteModel
from mcu_quant.verify.image import build_images
from tests.boards.models import deploy, tiny_model
from tests.conftest import require_tools

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
    board = {"startup.c", "port.c", "port.h", "timer.c", "board.h", "linker.ld"}
    expected = {"Makefile", "README.md", "main.c", "validate.c"} | {f"board/{name}" for name in board}
    assert {name for name in files if not name.startswith("model/")} == expected
    assert {"model/tiny.h", "model/tiny.c", "model/tiny_weights.c", "model/mq_common.h"} <= set(files)
    assert files == render_project(M4, [deploy(tiny_model(), M4)])


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", list_boards())
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
