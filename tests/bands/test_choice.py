"""Which layers run in bands, what is said of it, and the C of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mcu_quant import pipeline
from mcu_quant.codegen.library import render_library
from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.errors import DoesNotFitError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.inspection import inspect_deployment
from mcu_quant.ir import Node
from mcu_quant.kernels.base import CORES
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.verify.host import HostEngine
from mcu_quant.verify.reference import ReferenceEngine
from tests.bands.simulation import simulate
from tests.codegen.deployments import (
    ARM,
    HOSTS,
    WARNINGS,
    activation,
    available,
    bias,
    compile_c,
    graph_of,
    random_inputs,
    weights,
    write_library,
)
from tests.conftest import Run

#: The image between the two convolutions has 4,096 bytes; input and output of both, 1,024 and 512.
RAM = 2500


def model() -> pipeline.TfliteModel:
    nodes = [
        Node("wide", "conv_2d", Conv2DAttrs(activation="relu"), ("x", "w0", "b0"), ("w",)),
        Node("narrow", "conv_2d", Conv2DAttrs((2, 2)), ("w", "w1", "b1"), ("n",)),
        Node("flat", "reshape", ReshapeAttrs((1, 512)), ("n",), ("f",)),
        Node("dense", "fully_connected", FullyConnectedAttrs(), ("f", "w2", None), ("y",)),
    ]
    tensors = [
        activation("x", (1, 16, 16, 4)),
        weights("w0", (16, 3, 3, 4), 0),
        bias("b0", 16),
        activation("w", (1, 16, 16, 16), 0.2, -128),
        weights("w1", (8, 3, 3, 16), 0, seed=2),
        bias("b1", 8),
        activation("n", (1, 8, 8, 8), 0.3),
        activation("f", (1, 512), 0.3),
        weights("w2", (4, 512), 0, seed=3),
        activation("y", (1, 4), 0.9),
    ]
    data = write_tflite(graph_of(nodes, tensors, ["x"], ["y"]))
    return pipeline.read_model(data, "image")


MODEL = model()


def deploy(ram: int | None, core: str = "generic") -> Deployment:
    return pipeline.deploy(MODEL, CORES[core], GenerateOptions(ram=ram))


def test_bands_where_the_limit_asks_for_them() -> None:
    free, limited = deploy(None), deploy(RAM)
    assert free.plan.arena_bytes > 4096 and free.fitting() == {"slowdown": 1.0, "bands": []}
    assert limited.plan.arena_bytes <= RAM and not simulate(limited)
    (bands,) = limited.fitting()["bands"]
    assert len(bands["layers"]) == 2 and bands["bands"] == -(-8 // bands["rows"])
    inputs = random_inputs(MODEL.graph, 3)
    (expected,) = ReferenceEngine(MODEL.graph).run(inputs)
    (actual,) = HostEngine(limited).run(inputs)
    assert np.array_equal(expected, actual)


def test_the_least_that_is_named_can_be_had() -> None:
    with pytest.raises(DoesNotFitError, match="bytes is the least found, 8 given") as refusal:
        deploy(8)
    least = int(refusal.value.problems[0].value.split()[0])
    assert least < RAM and deploy(least).plan.arena_bytes == least
    with pytest.raises(DoesNotFitError):
        deploy(least - 1)


def test_the_same_bands_every_time() -> None:
    assert render_library(deploy(RAM, "cortex-m4")) == render_library(deploy(RAM, "cortex-m4"))


def test_facts_are_of_the_layers_inside() -> None:
    free, limited = inspect_deployment(deploy(None)), inspect_deployment(deploy(RAM))
    for key in ("macs", "parameters", "original_macs", "original_parameters", "removed_layers"):
        assert limited[key] == free[key]
    assert limited["layers"][0]["kernel"] == "bands"
    removed = [sum(layer["removed_channels"] for layer in facts["layers"]) for facts in (free, limited)]
    assert removed[0] == removed[1]
    node = next(deploy(RAM).graph.bound_nodes())
    assert OPERATORS["bands"].output_shapes(node.attrs, [node.input(0).shape]) == (node.output.shape,)


def test_without_warnings(tmp_path: Path) -> None:
    sources = write_library(tmp_path, deploy(RAM, "cortex-m4"))
    assert "for (int32_t i = 0" in (tmp_path / "image.c").read_text(encoding="utf-8")
    for command in available((*HOSTS, ARM)):
        compile_c(tmp_path, [*command, *WARNINGS, "-O2", "-c", *sources])


def test_the_command_line_says_what_runs_in_bands(tmp_path: Path, mcu_quant: Run) -> None:
    path = tmp_path / "image.tflite"
    path.write_bytes(MODEL.data)
    done = mcu_quant("inspect", path, "--ram", RAM, "--json")
    facts = json.loads(done.stdout)
    assert done.returncode == 0 and "2 layers in" in done.stderr and "% more cycles" in done.stderr
    assert facts["fitting"]["slowdown"] >= 1 and len(facts["fitting"]["bands"]) == 1
    assert facts["memory"]["lower_bound"] <= facts["memory"]["arena_bytes"] <= RAM
    done = mcu_quant("generate", path, "--target", "generic", "--ram", RAM, "-o", tmp_path / "out", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["fitting"]["image"] == facts["fitting"]
    done = mcu_quant("inspect", path, "--ram", 8)
    assert done.returncode == 3 and "bytes is the least found, 8 given" in done.stderr
