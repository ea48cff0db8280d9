"""Graphs that few people make: outputs that are inputs, constants or given twice; float edges; no layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcu_quant.ir import Graph, Node, QuantParams, Tensor
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.verify.host import HostEngine
from tests.codegen.deployments import (
    ARM,
    HOSTS,
    WARNINGS,
    FullyConnectedAttrs,
    activation,
    bias,
    compile_c,
    dense_graph,
    deploy,
    graph_of,
    random_inputs,
    weights,
    write_library,
)


def outputs_of_every_kind(view: bool = False) -> Graph:
    """The input again, an early result, and the last one twice. view: an operand is a reshaped constant."""
    nodes = [
        *([Node("view", "reshape", ReshapeAttrs((1, 4)), ("c",), ("r",))] if view else []),
        Node("early", "fully_connected", FullyConnectedAttrs(), ("x", "w", "b"), ("h",)),
        Node("late", "add", ArithmeticAttrs(), ("h", "r"), ("y",)),
    ]
    four, quant = np.array([[1], [-128], [127], [5]], np.int8), QuantParams.per_tensor(0.1, 3)
    tensors = [
        activation("x", (1, 4)),
        *([Tensor.constant("c", four, quant), activation("r", (1, 4), 0.1, 3)] if view else []),
        *([] if view else [Tensor.constant("r", four.reshape(1, 4), quant)]),
        weights("w", (4, 4), 0),
        bias("b", 4),
        activation("h", (1, 4), 0.2, 0),
        activation("y", (1, 4), 0.2, 0),
    ]
    return graph_of(nodes, tensors, ["x"], ["x", "h", "y", "y"])


def float_edges() -> Graph:
    """float32 → int8 → 12 → 6 → 3 → float32."""
    inner = dense_graph()
    real = [Tensor("real_x", (1, 12)), Tensor("real_y", (1, 3))]
    nodes = [
        Node("in", "quantize", None, ("real_x",), ("x",)),
        *inner.nodes,
        Node("out", "dequantize", None, ("y",), ("real_y",)),
    ]
    return graph_of(nodes, [*real, *inner.tensors.values()], ["real_x"], ["real_y"])


def no_layers() -> Graph:
    return graph_of([], [activation("x", (1, 5)), activation("z", (1, 2))], ["x", "z"], ["z"])


def constant_output() -> Graph:
    """The input counts for nothing: an importer has computed all there is."""
    known = Tensor.constant("y", np.array([[1, -2, 3]], np.int8), QuantParams.per_tensor(0.1))
    return graph_of([], [activation("x", (1, 5)), known], ["x"], ["y"])


GRAPHS = {
    "outputs": outputs_of_every_kind,
    "float": float_edges,
    "none": no_layers,
    "constant": constant_output,
}


def inputs_of(graph: Graph) -> list[np.ndarray]:
    if graph.input_tensors()[0].dtype == "float32":
        return [np.random.default_rng(0).normal(size=(30, 1, 12)).astype(np.float32)]
    return random_inputs(graph, 30)


@pytest.mark.parametrize("options", ({}, {"keep_input": True}, {"optimize": "time"}), ids=str)
@pytest.mark.parametrize("graph", GRAPHS)
def test_runs_like_the_reference(graph: str, options: dict[str, object]) -> None:
    model = GRAPHS[graph]()
    inputs = inputs_of(model)
    expected = run_graph(model, inputs)
    for sanitize in (False, True):
        actual = HostEngine(deploy(model, **options), sanitize=sanitize).run(inputs)
        for one, other in zip(actual, expected, strict=True):
            assert np.array_equal(one, np.broadcast_to(other, one.shape)) and one.dtype == other.dtype


@pytest.mark.parametrize("graph", GRAPHS)
def test_without_warnings(graph: str, tmp_path: Path) -> None:
    sources = write_library(tmp_path, deploy(GRAPHS[graph]()))
    for command in (*HOSTS, ARM):
        compile_c(tmp_path, [*command, *WARNINGS, "-O2", "-c", *sources])
    (tmp_path / "main.cpp").write_text('#include "tiny.h"\nint main() { return TINY_LAYERS > 9; }\n')
    compile_c(tmp_path, ["g++", "-std=c++11", *WARNINGS[1:], "-c", "main.cpp"])


def test_constants_as_outputs_and_through_reshapes() -> None:
    """The reference knows neither: an engine gives a constant for every sample."""
    graph = outputs_of_every_kind(view=True).with_(outputs=("r", "y", "w"))
    (x,) = random_inputs(graph, 3)
    r, y, w = HostEngine(deploy(graph), sanitize=True).run([x])
    assert np.array_equal(y, run_graph(outputs_of_every_kind(), [x])[2])
    assert r.tolist() == [[[1, -128, 127, 5]]] * 3
    assert np.array_equal(w, np.stack([graph.tensors["w"].data] * 3))  # type: ignore[list-item]
