"""One model, one result: whatever the optimizer does, with every compiler."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from mcu_quant.ops.interpreter import run_graph
from mcu_quant.verify.host import HostEngine
from tests.codegen.deployments import branch_graph, deploy, random_inputs
from tests.conftest import require_tools

LEVELS = (
    "-O0",
    "-Og",
    "-Os",
    "-O2",
    "-O3",
    "-O2 -flto",
    "-O2 -fno-omit-frame-pointer",
    "-O2 -funsigned-char",
)


CASES: list[object] = [("balanced", "-O0"), ("time", "-O3"), ("size", "-Os")]
CASES += [pytest.param("balanced", level, marks=pytest.mark.slow) for level in LEVELS[1:]]
CASES += [
    pytest.param(optimize, level, marks=pytest.mark.slow)
    for optimize, level in (("time", "-O0"), ("time", "-Os"), ("size", "-O0"), ("size", "-O3"))
]


@pytest.mark.parametrize("compiler", ("gcc", "clang"))
@pytest.mark.parametrize(("optimize", "level"), CASES)
def test_same_bytes_at_every_level(compiler: str, optimize: str, level: str) -> None:
    require_tools(compiler)
    if (
        "lto" in level
        and compiler == "clang"
        and not shutil.which("ld.lld")
        and not shutil.which("LLVMgold.so")
    ):
        level = level.replace(" -flto", "")
    graph = branch_graph()
    inputs = random_inputs(graph, 50)
    engine = HostEngine(deploy(graph, optimize=optimize), compiler=compiler, flags=level.split())
    for actual, expected in zip(engine.run(inputs), run_graph(graph, inputs), strict=True):
        assert np.array_equal(actual, expected)


@pytest.mark.slow
@pytest.mark.parametrize("keep_input", (False, True))
@pytest.mark.parametrize("compiler", ("gcc", "clang"))
def test_same_bytes_under_sanitizers(compiler: str, keep_input: bool) -> None:
    require_tools(compiler)
    graph = branch_graph()
    inputs = random_inputs(graph, 20)
    engine = HostEngine(deploy(graph, keep_input=keep_input), compiler=compiler, sanitize=True)
    for actual, expected in zip(engine.run(inputs), run_graph(graph, inputs), strict=True):
        assert np.array_equal(actual, expected)
