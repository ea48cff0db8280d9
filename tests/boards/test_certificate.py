"""The certificate: figures of the image as linked, in a header that a compiler checks."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from mcu_quant.boards import load_board, qemu_boards
from mcu_quant.codegen.certificate import render_certificate
from mcu_quant.codegen.library import library_tables, render_library
from mcu_quant.codegen.project import compile_flags
from mcu_quant.errors import DoesNotFitError, EngineFailedError
from mcu_quant.samples import default_inputs
from mcu_quant.verify.profile import profile_on_qemu, require_bound
from tests.boards.models import PUBLISHED, deploy, published, tiny_model
from tests.boards.test_profile import check_certificate
from tests.codegen.deployments import branch_graph
from tests.codegen.deployments import deploy as deploy_graph

M4 = load_board("mps2_an386")


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", ["mps2_an386", "mps2_an385_m0plus", "mps3_an547"])
def test_a_small_model_of_many_layers(board_name: str, tmp_path: Path) -> None:
    board = load_board(board_name)
    deployment = deploy_graph(branch_graph(), core=board.core)
    facts = profile_on_qemu(deployment, board, default_inputs(deployment.graph, 1))
    check_certificate(facts)
    symbols = {symbol["name"]: symbol for symbol in facts["certificate"]["symbols"]}
    assert facts["certificate"]["stack_bound_bytes"] <= facts["memory"]["stack_bytes"] + 8
    # The linker leaves out tables that nothing reads, where the compiler has seen that.
    tables = {table.symbol: table.bytes for table in library_tables(deployment)}
    linked = {name: s["bytes"] for name, s in symbols.items() if s["kind"] == "const" and name in tables}
    assert linked == {name: tables[name] for name in linked}
    assert {name.split("_")[1] for name in linked} >= {"0", "2", "4", "6"}
    assert symbols["tiny_invoke"]["kind"] == "code"
    files = render_certificate(deployment, facts)
    assert json.loads(files["certificate.json"]) == facts
    if board == M4:
        _check_header({**render_library(deployment), **files}, compile_flags(board, "balanced"), tmp_path)


def _check_header(files: dict[str, str], flags: list[str], folder: Path) -> None:
    """What holds compiles, without a warning; what does not, does not."""
    certificate = json.loads(files["certificate.json"])
    bound = certificate["certificate"]["stack_bound_bytes"]
    arena = certificate["memory"]["arena_bytes"]
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")

    def compiles(stack: int, *more: str) -> bool:
        lines = ('#include "tiny_certificate.h"', f"typedef char a[TINY_STACK_BYTES <= {stack} ? 1 : -1];")
        lines += (f"typedef char b[TINY_ARENA_BYTES == {arena} ? 1 : -1];",)
        lines += ("typedef char c[TINY_LAYER_0_SCRATCH_BYTES <= TINY_SCRATCH_BYTES ? 1 : -1];",)
        (folder / "check.c").write_text("\n".join(lines) + "\n", encoding="utf-8")
        strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
        command = ["arm-none-eabi-gcc", *flags, *strict, *more, "check.c"]
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0

    assert compiles(bound)
    assert not compiles(bound - 1)
    assert not compiles(bound, "-U__GNUC_MINOR__", "-D__GNUC_MINOR__=99")
    assert compiles(bound, "-U__GNUC_MINOR__", "-D__GNUC_MINOR__=99", "-DTINY_CERTIFICATE_ANY_COMPILER")
    header = files["tiny.h"]
    (folder / "tiny.h").write_text(header.replace("#define TINY_BUILD 0x", "#define TINY_BUILD 0x1"))
    assert not compiles(bound)


def test_a_run_beyond_its_bound_is_an_error() -> None:
    deployment = deploy(tiny_model(), M4)
    require_bound(deployment, M4, 100, 100)
    with pytest.raises(EngineFailedError, match="101 bytes measured, bound 100"):
        require_bound(deployment, M4, 101, 100)


#: Takes half an hour.
ALL = PUBLISHED if os.environ.get("MQ_ALL_CERTIFICATES") else ()


@pytest.mark.qemu
@pytest.mark.parametrize("optimize", ["time", "balanced", "size"])
@pytest.mark.parametrize("board_name", qemu_boards())
@pytest.mark.parametrize("name", ALL)
def test_published_models(name: str, board_name: str, optimize: str, shared: Path) -> None:
    board = load_board(board_name)
    deployment = deploy(published(shared, name), board, optimize=optimize)
    try:
        facts = profile_on_qemu(deployment, board, default_inputs(deployment.graph, 1))
    except DoesNotFitError:
        return
    check_certificate(facts)
