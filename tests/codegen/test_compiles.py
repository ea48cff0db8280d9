"""Generated C is clean for every compiler, in C and in C++, beside other models."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcu_quant.deployment import OPTIMIZE_MODES
from tests.codegen.deployments import (
    ARM,
    HOSTS,
    WARNINGS,
    branch_graph,
    compile_c,
    dense_graph,
    deploy,
    published,
    run_c,
    write_library,
)
from tests.codegen.test_mixed_graphs import mixed_graph

GRAPHS = {"dense": dense_graph, "branch": branch_graph, "mixed": mixed_graph}
COMPILERS = {command[0]: command for command in (*HOSTS, ARM)}


@pytest.mark.parametrize("optimize", OPTIMIZE_MODES)
@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_without_warnings(compiler: str, graph: str, optimize: str, tmp_path: Path) -> None:
    sources = write_library(tmp_path, deploy(GRAPHS[graph](), optimize=optimize))
    for level in ("-O0", "-O3"):
        compile_c(tmp_path, [*COMPILERS[compiler], *WARNINGS, level, "-c", *sources])


@pytest.mark.parametrize("name", ("ad01_int8", "pretrainedResnet_quant", "micro_speech_quantized"))
def test_published_models_without_warnings(shared: Path, name: str, tmp_path: Path) -> None:
    sources = write_library(tmp_path, deploy(published(name), name="net"))
    for command in COMPILERS.values():
        compile_c(tmp_path, [*command, *WARNINGS, "-O2", "-c", *sources])


@pytest.mark.parametrize("optimize", ("time", "balanced"))
@pytest.mark.parametrize("core", ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m55"))
def test_assembly_for_gnu_and_clang(core: str, optimize: str, tmp_path: Path) -> None:
    """Comments, immediates and directives are those of both assemblers; only Linux is told of the stack."""
    write_library(tmp_path, deploy(branch_graph(), core=core, optimize=optimize))
    targets = {"gcc": ["arm-none-eabi-gcc"], "clang": ["clang", "--target=arm-none-eabi"]}
    targets["linux"] = ["clang", "--target=arm-linux-gnueabihf"]
    cpu = [f"-mcpu={core}", "-mthumb", "-mfloat-abi=hard" if core == "cortex-m55" else "-mfloat-abi=soft"]
    for name, command in targets.items():
        compile_c(tmp_path, [*command, *cpu, "-Werror", "-c", "tiny_kernels.S", "-o", f"{name}.o"])
        with_note = b".note.GNU-stack" in (tmp_path / f"{name}.o").read_bytes()
        assert with_note == (name == "linux")


@pytest.mark.parametrize("flags", (["-std=c++11"], ["-std=c++17"]), ids="".join)
@pytest.mark.parametrize("compiler", ("g++", "clang++"))
def test_public_header_in_cpp(compiler: str, flags: list[str], tmp_path: Path) -> None:
    sources = write_library(tmp_path, deploy(branch_graph()))
    (tmp_path / "main.cpp").write_text(
        '#include "tiny.h"\n#include "mq_common.h"\n'
        "MQ_STATIC_ASSERT(TINY_INPUT_0_BYTES == 48, from_cpp);\n"
        "static unsigned char arena[TINY_ARENA_BYTES] __attribute__((aligned(TINY_ARENA_ALIGN)));\n"
        "int main() {\n"
        "    *tiny_input_0(arena) = tiny_input_0_quantize(1.5f);\n"
        "    tiny_invoke(arena);\n"
        "    return tiny_output_0_dequantize(*tiny_output_0(arena)) > 1e9f;\n"
        "}\n"
    )
    warnings = [flag for flag in WARNINGS if not flag.startswith("-std")]
    compile_c(tmp_path, [compiler, *flags, *warnings, "-c", "main.cpp"])
    cc = {"g++": "gcc", "clang++": "clang"}[compiler]
    compile_c(tmp_path, [cc, "-std=c99", "-c", *sources])
    compile_c(tmp_path, [compiler, *(f"{Path(s).stem}.o" for s in ("main", *sources)), "-o", "program"])


def test_two_models_in_one_program(tmp_path: Path) -> None:
    """Both headers in one file, one arena for both, kernels compiled differently."""
    first = deploy(dense_graph(), name="one", optimize="size")
    second = deploy(branch_graph(), name="two", optimize="time")
    sources = write_library(tmp_path, first, second)
    main = """
#include <stdio.h>
#include "two.h"
#include "one.h"
static union {
    uint8_t one[ONE_ARENA_BYTES];
    uint8_t two[TWO_ARENA_BYTES];
} arena __attribute__((aligned(16)));
int main(void) {
    one_invoke(arena.one);
    two_invoke(arena.two);
    puts(one_fingerprint);
    return 0;
}
"""
    assert run_c(tmp_path, main, sources).strip() == "0" * 64


def test_files_of_two_generations_do_not_compile_together(tmp_path: Path) -> None:
    write_library(tmp_path, deploy(dense_graph(), keep_input=True))
    stale = (tmp_path / "tiny_weights.h").read_text()
    write_library(tmp_path, deploy(dense_graph()))
    (tmp_path / "tiny_weights.h").write_text(stale)
    for source in ("tiny.c", "tiny_weights.c"):
        with pytest.raises(AssertionError, match="different generations"):
            compile_c(tmp_path, ["gcc", "-c", source])


def test_other_kernels_are_refused(tmp_path: Path) -> None:
    write_library(tmp_path, deploy(dense_graph()))
    common = tmp_path / "mq_common.h"
    common.write_text(common.read_text().replace("MQ_KERNELS_VERSION ", "MQ_KERNELS_VERSION 9"))
    with pytest.raises(AssertionError, match="generated for kernels of version"):
        compile_c(tmp_path, ["gcc", "-c", "tiny.c"])


def test_big_endian_is_refused(tmp_path: Path) -> None:
    write_library(tmp_path, deploy(dense_graph()))
    for source in ("tiny.c", "tiny_weights.c"):
        with pytest.raises(AssertionError, match="little-endian"):
            compile_c(tmp_path, [*ARM, "-mbig-endian", "-c", source])


def test_weights_go_where_the_macro_says(tmp_path: Path) -> None:
    write_library(tmp_path, deploy(dense_graph()))
    section = '-DTINY_WEIGHTS_SECTION=__attribute__((section(".qspi")))'
    compile_c(tmp_path, [*ARM, *WARNINGS, section, "-c", "tiny_weights.c"])
    from elftools.elf.elffile import ELFFile

    with (tmp_path / "tiny_weights.o").open("rb") as stream:
        sizes = {part.name: part["sh_size"] for part in ELFFile(stream).iter_sections()}
    assert sizes[".qspi"] > 100 and not sizes.get(".rodata") and not sizes[".data"] and not sizes[".bss"]


def test_nothing_but_code_and_constants(tmp_path: Path) -> None:
    """No .data, no .bss, and nothing called but memcpy, memset and the compiler's own arithmetic."""
    from elftools.elf.elffile import ELFFile

    sources = write_library(tmp_path, deploy(branch_graph()))
    compile_c(tmp_path, [*ARM, "-O2", "-c", *sources])
    for source in sources:
        with (tmp_path / source).with_suffix(".o").open("rb") as stream:
            elf = ELFFile(stream)
            sizes = {part.name: part["sh_size"] for part in elf.iter_sections()}
            assert not sizes.get(".data") and not sizes.get(".bss")
            symbols = list(elf.get_section_by_name(".symtab").iter_symbols())
        outside = {s.name for s in symbols if s["st_shndx"] == "SHN_UNDEF" and s.name}
        assert {s for s in outside if not s.startswith(("tiny_", "__aeabi_"))} <= {
            "memcpy",
            "memset",
            "memmove",
        }
        assert not {s for s in outside if s.startswith(("__aeabi_f", "__aeabi_d", "__aeabi_i2f"))}
