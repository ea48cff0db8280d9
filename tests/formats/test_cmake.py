"""--format cmake, by CMake itself: for the host, for a core, and as a board's project."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mcu_quant import pipeline
from mcu_quant.boards import list_boards, load_board
from mcu_quant.formats import load_format
from mcu_quant.outputs import write_directory
from tests.boards.models import deploy as deploy_on_board
from tests.boards.models import tiny_model
from tests.conftest import Run, one_in_four_is_quick, require_tools
from tests.formats.libraries import CASES, deployments, printed_by, run, shortened, split, write

#: A program of the user's that takes the library in.
CONSUMER = """
cmake_minimum_required(VERSION 3.16)
project(consumer LANGUAGES C)
add_compile_options(-Wall -Wextra -Werror)
add_subdirectory(library)
add_executable(consumer main.c)
target_link_libraries(consumer PRIVATE mcu_quant_{package} m)
"""
TOOLCHAIN = """
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-m4 -mthumb --specs=nosys.specs")
set(CMAKE_ASM_COMPILER arm-none-eabi-gcc)
set(CMAKE_ASM_FLAGS_INIT "-mcpu=cortex-m4 -mthumb")
"""


def build(folder: Path, *options: str) -> str:
    run(["cmake", "-B", "build", *options], folder)
    return run(["cmake", "--build", "build", "--verbose"], folder)


def consumer(folder: Path, case: str) -> Path:
    """The program is that of another format: it is the same for all."""
    models = CASES[case]()
    write(folder / "library", "cmake", models, "kws")
    write(folder / "other", "cmsis-pack", models, "kws")
    shutil.copy(folder / "other/template/main.c", folder / "main.c")
    (folder / "CMakeLists.txt").write_text(CONSUMER.format(package="kws"))
    return folder


@pytest.mark.parametrize("case", CASES)
def test_a_program_for_this_computer_takes_the_library_in(case: str, tmp_path: Path) -> None:
    folder = consumer(tmp_path / "a path with spaces", case)
    build(folder, "-DCMAKE_BUILD_TYPE=Release")
    printed = run([folder / "build/consumer"], folder)
    assert shortened(printed) == [line for model in CASES[case]() for line in printed_by(model)]


@pytest.mark.parametrize("kind", ["Debug", "Release"])
def test_the_library_for_a_core_gets_its_flags(kind: str, tmp_path: Path) -> None:
    require_tools("arm-none-eabi-gcc")
    folder = consumer(tmp_path, "several")
    (folder / "arm.cmake").write_text(TOOLCHAIN)
    log = build(folder, "-DCMAKE_TOOLCHAIN_FILE=arm.cmake", f"-DCMAKE_BUILD_TYPE={kind}")
    (line,) = [line for line in log.splitlines() if " -c " in line and "tiny.c" in line]
    assert "-fno-delete-null-pointer-checks" in line and "-ffp-contract=off" in line
    assert (line.rsplit("-O", 1)[-1].startswith("2")) == (kind == "Release")
    assert "-std=" in line and "99" in line


@pytest.mark.qemu
@pytest.mark.parametrize(
    "board_name", [pytest.param(n, marks=one_in_four_is_quick(i)) for i, n in enumerate(list_boards())]
)
def test_a_project_links_the_same_bytes_as_that_of_make(board_name: str, tmp_path: Path) -> None:
    require_tools("cmake", "make")
    board = load_board(board_name)
    models = [deploy_on_board(tiny_model(name, seed=i), board) for i, name in enumerate(("one", "two"))]
    for form in ("make", "cmake"):
        facts = pipeline.manifest_facts(models, board, load_format(form))
        write_directory(tmp_path / form, pipeline.render(models, board, load_format(form)), facts)
    run(["make"], tmp_path / "make")
    build(tmp_path / "cmake", "-DCMAKE_C_FLAGS=-Werror")
    images = [(tmp_path / form / "build/firmware.bin").read_bytes() for form in ("make", "cmake")]
    assert images[0] == images[1] and len(images[0]) > 500
    assert run(["cmake", "--build", "build", "--target", "sizes"], tmp_path / "cmake").count(".mq_code") == 1


@pytest.mark.qemu
def test_a_project_is_built_by_our_verb_run_and_validated(mcu_quant: Run, tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    models = [deploy_on_board(tiny_model("kws"), board)]
    facts = pipeline.manifest_facts(models, board, load_format("cmake"))
    folder = tmp_path / "it's mine"
    write_directory(folder, pipeline.render(models, board, load_format("cmake")), facts)
    require_tools("cmake")
    built = mcu_quant("build", folder)
    assert built.returncode == 0 and "firmware.elf" in built.stdout, built.stderr
    for target, expected in (("run", "kws on mps2_an386"), ("validate_vectors", "0 bytes differ")):
        done = subprocess.run(
            ["cmake", "--build", "build", "--target", target], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0 and expected in done.stdout + done.stderr, done.stderr
    expected_file = folder / "vectors/kws_expected.bin"
    data = bytearray(expected_file.read_bytes())
    data[3] ^= 1
    expected_file.write_bytes(data)
    wrong = subprocess.run(
        ["cmake", "--build", "build", "--target", "validate_vectors"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert wrong.returncode != 0 and "1 bytes differ" in wrong.stdout + wrong.stderr
    source = folder / "main.c"
    source.write_text(source.read_text() + "#error mine\n")
    broken = mcu_quant("build", folder)
    assert broken.returncode == 2 and "cmake ended with" in broken.stderr


def test_cases_are_of_different_kinds() -> None:
    """Else the programs above would not show what they should."""
    plain, real, stateful = deployments()
    assert plain.plan.state_bytes == 0 < stateful.plan.state_bytes
    assert real.graph.output_tensors()[0].dtype == "float32"
    assert split()[0].plan.is_split
