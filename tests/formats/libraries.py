"""Libraries of every format, their compilers, and what their example programs must print."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mcu_quant import pipeline
from mcu_quant.deployment import Deployment
from mcu_quant.formats import list_formats, load_format
from mcu_quant.ir import Graph, Node, Tensor, check
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.sections import Placement, SplitArena
from tests.boards.models import tiny_model
from tests.codegen.deployments import deploy
from tests.codegen.test_states import smoothing
from tests.conftest import require_tools

STUBS = Path(__file__).with_name("stubs")
#: Formats whose output has a name of its own.
LIBRARIES = [name for name in list_formats() if load_format(name).templates("library")]
ARM_FLAGS = ("-mcpu=cortex-m4", "-mthumb")
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")


def floats() -> Graph:
    """The quantized model with a float output."""
    graph = tiny_model("real", units=20).graph
    tensors = {**graph.tensors, "z": Tensor("z", graph.tensors["y"].shape, "float32")}
    nodes = (*graph.nodes, Node("real", "dequantize", None, ("y",), ("z",)))
    return check(Graph("real", nodes, tensors, graph.inputs, ("z",)))


def deployments(core: str = "cortex-m4") -> list[Deployment]:
    """A model of each kind that example programs treat in their own way: plain, float outputs, states."""
    graphs = {"tiny": tiny_model("tiny").graph, "real": floats(), "smoothing": smoothing()}
    return [deploy(graph, name, core) for name, graph in graphs.items()]


def split(core: str = "cortex-m4") -> list[Deployment]:
    """A model with two arenas."""
    placement = Placement(arena=SplitArena(16, "ram", "ram"))
    return [deploy(tiny_model("split").graph, "split", core, placement=placement)]


CASES = {"several": deployments, "one": lambda: deployments()[:1], "split": split}


def write(folder: Path, form: str, models: Sequence[Deployment], package: str | None = None) -> Path:
    for name, contents in pipeline.render(models, form=load_format(form), package=package).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return folder


def printed_by(model: Deployment) -> list[str]:
    """The lines of an example program: the reference's outputs for an input of zeros."""
    zeros = [
        np.full((1, *t.shape), t.zero_point if t.quant else 0, t.dtype) for t in model.graph.input_tensors()
    ]
    lines = []
    for index, output in enumerate(run_graph(model.reference, zeros)):
        values = output.reshape(-1)
        kind = "%.2f" if values.dtype == np.float32 else "%d"
        shown = " ".join(kind % value for value in values[:16])
        lines.append(f"{model.name} output {index}: {shown}" + (" ..." if values.size > 16 else ""))
    return lines


def shortened(printed: str) -> list[str]:
    """The lines of a program as `printed_by` has them: without the type, floats with two digits."""
    lines = []
    for line in printed.splitlines():
        head, found, values = line.rpartition(":")
        if found and " output " in head:
            words = [f"{float(w):.2f}" if "float32" in head else w for w in values.split() if w != "..."]
            more = " ..." if values.endswith(" ...") else ""
            lines.append(f"{head.split(',')[0]}: {' '.join(words)}{more}")
    return lines


def run(command: Sequence[str | Path], folder: Path) -> str:
    """Its stdout; its stderr becomes the assertion's text."""
    require_tools(str(command[0]))
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def sources(folder: Path, under: str = "src") -> list[str]:
    return sorted(
        p.relative_to(folder).as_posix() for p in (folder / under).iterdir() if p.suffix in (".c", ".S")
    )


def run_on_host(
    folder: Path, program: Path, flags: Sequence[str], includes: Sequence[Path] = (), compiler: str = "gcc"
) -> str:
    """Compile the library's C with gcc and the program with `compiler`, link, run; returns what it prints."""
    paths = [f"-I{path}" for path in (folder / "src", *includes)]
    run(["gcc", "-std=c99", *flags, *paths, "-c", *sources(folder)], folder)
    run([compiler, *WARNINGS, *paths, "-c", program, "-o", "program.o"], folder)
    run([compiler, *(p.name for p in folder.glob("*.o")), "-lm", "-o", "program"], folder)
    return run([folder / "program"], folder)
