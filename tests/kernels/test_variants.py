"""One build or two of each family that `make prove` has in all variants, and what those are of."""

from __future__ import annotations

import pytest

from tests.conftest import require_tools
from tests.kernels.random_cases import FAST_KERNELS
from tests.kernels.variants import MODES, VARIANTS, check, model_of

SAMPLE = (
    ("mps2_an385", "time", "arm-none-eabi-gcc", "-O0"),
    ("mps2_an385", "balanced", "clang", "-O2"),
    ("mps2_an385_m0plus", "balanced", "arm-none-eabi-gcc", "-O2 -flto"),
    ("mps2_an385_m0plus", "time", "clang", "-O0"),
    ("mps2_an386", "time", "arm-none-eabi-gcc", "-O2 -flto"),
    ("mps2_an386", "size", "clang", "-O2"),
    ("mps3_an547", "time", "arm-none-eabi-gcc", "-O0"),
    ("mps3_an547", "size", "clang", "-O2"),
)
FAMILIES = {"mps2_an385": "armv7m", "mps2_an385_m0plus": "thumb1", "mps2_an386": "dsp", "mps3_an547": "mve"}


@pytest.mark.qemu
@pytest.mark.parametrize(("machine", "mode", "compiler", "flags"), SAMPLE)
def test_same_bytes_however_it_is_built(machine: str, mode: str, compiler: str, flags: str) -> None:
    require_tools(compiler)
    assert (compiler, flags) in VARIANTS
    model = model_of(FAMILIES[machine], mode, machine, per_kernel=1)
    assert model is not None
    assert check(model, compiler, flags) is None


def test_every_kernel_is_in_a_model() -> None:
    assert all(set(kernel.modes) & set(MODES) for kernel in FAST_KERNELS)
    assert {kernel.family for kernel in FAST_KERNELS} == set(FAMILIES.values())
