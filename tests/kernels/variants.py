"""The same library by other compilers and flags: the bytes must be the reference's, however it is built.

    python -m tests.kernels.variants

A model has several small layers for every kernel of a family, generated as for users; only the
compiler's options differ. Without a caller's own, gcc links; clang finds gcc's headers of the C library.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from mcu_quant.boards import Board, load_board
from mcu_quant.codegen.project import C_FLAGS, LINK_FLAGS, pack_samples, render_sources, unpack_samples
from mcu_quant.deployment import Deployment
from mcu_quant.verify.qemu import emulate
from tests.kernels.on_board import BoardCase, deploy
from tests.kernels.random_cases import FAST_KERNELS, random_cases
from tests.ops.driver import Case, reference

#: Every machine that has a core of the family.
MACHINES = {
    "armv7m": ("mps2_an385",),
    "thumb1": ("mps2_an385_m0plus", "microbit"),
    "dsp": ("mps2_an386", "mps2_an500", "mps2_an505"),
    "mve": ("mps3_an547",),
}
MODES = ("time", "balanced", "size")
VARIANTS: tuple[tuple[str, str], ...] = (
    ("arm-none-eabi-gcc", "-O0"),
    ("arm-none-eabi-gcc", "-Og"),
    ("arm-none-eabi-gcc", "-Os"),
    ("arm-none-eabi-gcc", "-O2"),
    ("arm-none-eabi-gcc", "-O3"),
    ("arm-none-eabi-gcc", "-O2 -fno-omit-frame-pointer"),
    ("arm-none-eabi-gcc", "-O2 -flto"),
    ("arm-none-eabi-gcc", "-O2 -funsigned-char"),
    ("clang", "-O0"),
    ("clang", "-O2"),
    ("clang", "-Os -fno-omit-frame-pointer"),
)
#: The enums of the procedure call standard's ABI for bare metal are as short as they can be.
_CLANG = ("--target=arm-none-eabi", "-fshort-enums")
_SEED = 31
#: Of one layer, by machine: three layers, which a mode of the family has at most, fit the small one.
_MOST_BYTES = {"microbit": 4_400}


@dataclass(frozen=True)
class Model:
    """Layers side by side, and what the reference gives: [N, *shape] for each."""

    board: Board
    deployment: Deployment
    inputs: list[np.ndarray]
    expected: list[np.ndarray]


@cache
def model_of(family: str, mode: str, machine: str, per_kernel: int = 2) -> Model | None:
    """None if the family has no kernel for that mode."""
    kernels = [kernel for kernel in FAST_KERNELS if kernel.family == family and mode in kernel.modes]
    cases: list[Case] = []
    layers: list[BoardCase] = []
    for kernel in kernels:
        for case in random_cases(kernel, _SEED, per_kernel, most_bytes=_MOST_BYTES.get(machine, 6_000)):
            if case.data is not None:  # of its own number of samples
                continue
            cases.append(case)
            layers.append((case.graph(), kernel, case.samples_of_inputs()))
    if not layers:
        return None
    board = load_board(machine)
    inputs = [array for _, _, arrays in layers for array in arrays]
    expected = [reference(case)[0] for case in cases]
    return Model(board, deploy(board, layers, mode), inputs, expected)


def _model(family: str, mode: str, machine: str) -> Model | None:
    return model_of(family, mode, machine, per_kernel=1 if machine in _MOST_BYTES else 2)


def check(model: Model, compiler: str, flags: str) -> str | None:
    """What is wrong of that build: layers that differ. None if nothing is."""
    with tempfile.TemporaryDirectory(prefix="mcu_quant_variant_") as name:
        folder = Path(name)
        image = build(model, compiler, flags.split(), folder)
        run = folder / "run"
        run.mkdir()
        (run / "cases_inputs.bin").write_bytes(pack_samples(model.inputs))
        outputs = run / "cases_outputs.bin"
        outputs.touch()
        emulate(model.board, image, run, timeout=60, progress=outputs)
        actual = unpack_samples(outputs.read_bytes(), model.deployment.graph.output_tensors())
    kernels = model.deployment.kernels
    wrong = [
        kernel.name
        for kernel, a, e in zip(kernels, actual, model.expected, strict=True)
        if not np.array_equal(a, e)
    ]
    return f"differs: {', '.join(wrong)}" if wrong else None


def build(model: Model, compiler: str, flags: Sequence[str], folder: Path) -> Path:
    """The model by that compiler and with those flags, all else by gcc."""
    board = model.board
    files = render_sources(board, [model.deployment], ("validate.c",))
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    objects = []
    commands = []
    for name in (name for name in files if name.endswith((".c", ".S"))):
        objects.append(name.replace("/", "_") + ".o")
        is_model = name.startswith("model/")
        how = _command(compiler, flags, board) if is_model else _command("arm-none-eabi-gcc", ["-O2"], board)
        commands.append([*how, "-Imodel", "-Iboard", "-c", name, "-o", objects[-1]])
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda command: _run(command, folder), commands))
    # clang says which stacks are not executable, and the linker then misses the same of the C library.
    link_flags = (
        ["-Wl,-z,noexecstack"] if compiler == "clang" else [flag for flag in flags if flag == "-flto"]
    )
    link = ["arm-none-eabi-gcc", *board.cpu_flags, *link_flags, *LINK_FLAGS, "-T", "board/linker.ld"]
    _run([*link, *objects, "-o", "validate.elf"], folder)
    return folder / "validate.elf"


def _command(compiler: str, flags: Sequence[str], board: Board) -> list[str]:
    target = [*_CLANG, *_headers(board.cpu_flags)] if compiler == "clang" else []
    return [compiler, *target, *C_FLAGS, *board.cpu_flags, *flags]


@cache
def _headers(cpu_flags: tuple[str, ...]) -> tuple[str, ...]:
    """Where gcc looks for headers, for another compiler to look after its own."""
    command = ["arm-none-eabi-gcc", *cpu_flags, "-xc", "-E", "-Wp,-v", "/dev/null"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    folders = said.split("search starts here:")[-1].split("End of search list")[0].split()
    resolved = [str(Path(folder).resolve()) for folder in folders]
    return tuple(word for folder in resolved if "/gcc/" not in folder for word in ("-idirafter", folder))


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr[:3000]}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--families", nargs="*", default=list(MACHINES))
    options = parser.parse_args(arguments)
    problems = builds = 0
    for family in options.families:
        for machine in MACHINES[family]:
            models = [model for mode in MODES if (model := _model(family, mode, machine)) is not None]
            for compiler, flags in VARIANTS:
                for model in models:
                    problem = check(model, compiler, flags)
                    builds += 1
                    if problem is not None:
                        problems += 1
                        mode = model.deployment.options.optimize
                        print(f"{machine}, {mode}, {compiler} {flags}: {problem}", flush=True)
            print(f"{family} on {machine}: {len(VARIANTS) * len(models)} builds", flush=True)
    print(f"{builds} builds, {problems} with other bytes")
    return int(problems > 0)


if __name__ == "__main__":
    sys.exit(main())
