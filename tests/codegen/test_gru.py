"""GRU and SimpleRNN layers in C: a thousand runs that keep their states; flash whatever the steps."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from mcu_quant.boards import load_board
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.verify.host import HostEngine
from mcu_quant.verify.profile import profile_on_qemu
from mcu_quant.verify.qemu import QemuEngine
from tests.codegen.deployments import deploy
from tests.codegen.test_lstm import RUNS, L, keras, quantized
from tests.conftest import require_tools
from tests.keras_models import quantize_input


@cache
def stateful(technique: str) -> tuple[Graph, np.ndarray, np.ndarray]:
    """(three layers that keep their states, the inputs of RUNS runs of one step, the reference's outputs)."""
    x = keras.Input(batch_shape=(1, 1, 5))
    y = L.GRU(6, stateful=True, return_sequences=True, reset_after=False)(x)
    y = L.SimpleRNN(7, stateful=True)(L.GRU(9, stateful=True, return_sequences=True)(y))
    samples = np.random.default_rng(4).normal(size=(RUNS, 1, 1, 5)).astype(np.float32)
    graph = quantized(keras.Model(x, L.Dense(3)(y)), samples, technique)
    assert len(graph.states) == 3
    inputs = quantize_input(graph.input_tensors()[0], samples)
    (expected,) = run_graph(graph, [inputs])
    assert len(np.unique(expected)) > 100
    return graph, inputs, expected


@pytest.mark.parametrize("optimize", ["time", "balanced", "size"])
@pytest.mark.parametrize("technique", ["int8", "int16x8"])
def test_the_host_gives_the_same_bytes(technique: str, optimize: str) -> None:
    graph, inputs, expected = stateful(technique)
    engine = HostEngine(deploy(graph, "model", optimize=optimize), sanitize=optimize == "balanced")
    np.testing.assert_array_equal(engine.run([inputs])[0], expected)


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2_an386", "mps2_an385_m0plus", "microbit"])
@pytest.mark.parametrize("technique", ["int8", "int16x8"])
def test_boards_give_the_same_bytes(technique: str, board: str) -> None:
    require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    graph, inputs, expected = stateful(technique)
    target = load_board(board)
    engine = QemuEngine(deploy(graph, "model", target.core), target)
    np.testing.assert_array_equal(engine.run([inputs])[0], expected)


@pytest.mark.qemu
@pytest.mark.parametrize("kind", ["GRU", "SimpleRNN"])
def test_flash_does_not_depend_on_the_steps(kind: str) -> None:
    require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    board, flash = load_board("mps2_an386"), []
    for steps in (10, 100):
        x = keras.Input((steps, 5))
        model = keras.Model(x, L.Dense(3)(getattr(L, kind)(8)(x)))
        samples = np.random.default_rng(5).normal(size=(20, 1, steps, 5)).astype(np.float32)
        graph = quantized(model, samples, "int8")
        inputs = quantize_input(graph.input_tensors()[0], samples[:1])
        facts = profile_on_qemu(deploy(graph, "model", board.core), board, [inputs])
        flash.append(facts["flash"])
    # Weights and loops are the same; what the compiler makes of addresses and numbers is not.
    assert abs(flash[0]["model_bytes"] - flash[1]["model_bytes"]) <= 256
