"""Deployments to generate code from, and compilers to put it through."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mcu_quant.codegen.library import render_library
from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check
from mcu_quant.kernels import choose_kernels
from mcu_quant.kernels.base import CORES
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.softmax import SoftmaxAttrs
from mcu_quant.optimize import optimize
from mcu_quant.splitting import plan_arenas
from tests.conftest import SHARED, require_tools

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
ARM = ("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb")
HOSTS = (("gcc",), ("clang",))


def deploy(
    graph: Graph, name: str = "tiny", core: str = "generic", fingerprint: str = "0" * 64, **options: object
) -> Deployment:
    """As pipeline.deploy, also of graphs that it refuses. options: those of GenerateOptions."""
    chosen = GenerateOptions(**options)  # type: ignore[arg-type]
    optimized = optimize(graph, chosen)
    kernels = tuple(choose_kernels(optimized, CORES[core], chosen.optimize))
    plan = plan_arenas(
        optimized, kernels, keep_input=chosen.keep_input, fast_bytes=chosen.placement.fast_bytes
    )
    return Deployment(name, optimized, CORES[core], kernels, plan, chosen, fingerprint, source=graph)


def published(name: str) -> Graph:
    return read_tflite((SHARED / "models" / f"{name}.tflite").read_bytes(), name)


def write_library(directory: Path, *deployments: Deployment) -> list[str]:
    """Write the files; returns the names of the sources."""
    files: dict[str, str] = {}
    for deployment in deployments:
        files |= render_library(deployment)
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    return [name for name in files if name.endswith(".c")]


def compile_c(directory: Path, command: Sequence[str]) -> None:
    """Run a compiler in the directory: anything that it says is a failure."""
    require_tools(command[0])
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert result.returncode == 0 and not result.stderr, f"{' '.join(command)}\n{result.stderr}"


def run_c(directory: Path, main: str, sources: Sequence[str], *flags: str, compiler: str = "gcc") -> str:
    """Compile a program with a library's sources, run it, and return what it prints."""
    (directory / "main.c").write_text(main, encoding="utf-8")
    compile_c(directory, [compiler, *WARNINGS, "-O1", *flags, "main.c", *sources, "-o", "program"])
    done = subprocess.run([directory / "program"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def available(commands: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    return [command for command in commands if shutil.which(command[0])]


def activation(name: str, shape: tuple[int, ...], scale: float = 0.05, zero_point: int = 3) -> Tensor:
    return Tensor(name, shape, "int8", QuantParams.per_tensor(scale, zero_point))


def weights(name: str, shape: tuple[int, ...], channel_axis: int, seed: int = 0) -> Tensor:
    """int8 in all its range, symmetric, per channel."""
    data = np.random.default_rng(seed).integers(-127, 128, shape).astype(np.int8)
    scales = [0.004 + 0.001 * channel for channel in range(shape[channel_axis])]
    return Tensor.constant(name, data, QuantParams.per_channel(scales, channel_axis))


def bias(name: str, channels: int, seed: int = 1) -> Tensor:
    return Tensor.constant(name, np.random.default_rng(seed).integers(-999, 1000, channels).astype(np.int32))


def graph_of(
    nodes: Sequence[Node], tensors: Sequence[Tensor], inputs: Sequence[str], outputs: Sequence[str]
) -> Graph:
    named = {tensor.name: tensor for tensor in tensors}
    return check(Graph("tiny", tuple(nodes), named, tuple(inputs), tuple(outputs)))


def dense_graph(first: str = "hidden", second: str = "scores") -> Graph:
    """12 → 6 (relu) → 3."""
    nodes = [
        Node(first, "fully_connected", FullyConnectedAttrs("relu"), ("x", "w0", "b0"), ("h",)),
        Node(second, "fully_connected", FullyConnectedAttrs(), ("h", "w1", None), ("y",)),
    ]
    tensors = [
        activation("x", (1, 12)),
        weights("w0", (6, 12), 0),
        bias("b0", 6),
        activation("h", (1, 6), 0.2, -128),
        weights("w1", (3, 6), 0, seed=2),
        activation("y", (1, 3), 0.3, 10),
    ]
    return graph_of(nodes, tensors, ["x"], ["y"])


def branch_graph() -> Graph:
    """4x4x3 → convolution → pooling → (depthwise +) → times a constant → reshape → scores and softmax."""
    nodes = [
        Node("conv", "conv_2d", Conv2DAttrs(activation="relu"), ("image", "w0", "b0"), ("c",)),
        Node("pool", "max_pool_2d", Pool2DAttrs((2, 2), (2, 2)), ("c",), ("p",)),
        Node("deep", "depthwise_conv_2d", DepthwiseConv2DAttrs(), ("p", "w1", "b1"), ("d",)),
        Node("join", "add", ArithmeticAttrs(), ("p", "d"), ("j",)),
        Node("gain", "mul", ArithmeticAttrs(), ("j", "factor"), ("g",)),
        Node("flat", "reshape", ReshapeAttrs((1, 16)), ("g",), ("f",)),
        Node("dense", "fully_connected", FullyConnectedAttrs(), ("f", "w2", None), ("logits",)),
        Node("scores", "softmax", SoftmaxAttrs(), ("logits",), ("probabilities",)),
    ]
    tensors = [
        activation("image", (1, 4, 4, 3)),
        weights("w0", (4, 3, 3, 3), 0),
        bias("b0", 4),
        activation("c", (1, 4, 4, 4), 0.1, -128),
        activation("p", (1, 2, 2, 4), 0.1, -128),
        weights("w1", (1, 3, 3, 4), 3, seed=2),
        bias("b1", 4, seed=3),
        activation("d", (1, 2, 2, 4), 0.08, 7),
        activation("j", (1, 2, 2, 4), 0.15, -20),
        Tensor.constant("factor", np.array([3, -5, 90, 127], np.int8), QuantParams.per_tensor(0.01, 2)),
        activation("g", (1, 2, 2, 4), 0.1, 0),
        activation("f", (1, 16), 0.1, 0),
        weights("w2", (3, 16), 0, seed=4),
        activation("logits", (1, 3), 0.2, 0),
        activation("probabilities", (1, 3), 1 / 256, -128),
    ]
    return graph_of(nodes, tensors, ["image"], ["probabilities"])


def random_inputs(graph: Graph, samples: int, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    arrays = []
    for tensor in graph.input_tensors():
        info = np.iinfo(tensor.dtype)
        drawn = generator.integers(info.min, info.max, (samples, *tensor.shape), endpoint=True)
        arrays.append(drawn.astype(tensor.dtype))
    return arrays
