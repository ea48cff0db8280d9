"""Every kernel compiles without a warning by every compiler, at every level, in C99."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.kernel_harness import compile_kernels

#: `make check` leaves these out.
pytestmark = pytest.mark.slow

COMPILERS = {
    "gcc": (),
    "clang": (),
    "arm-none-eabi-gcc": ("-mcpu=cortex-m0plus", "-mthumb"),
}


@pytest.mark.parametrize("level", ["-O0", "-Og", "-Os", "-O2", "-O3"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_kernels_compile(compiler: str, level: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    compile_kernels(compiler, [level, *COMPILERS[compiler]], tmp_path / "kernels.o", "-c")
