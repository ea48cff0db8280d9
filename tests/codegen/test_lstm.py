"""LSTM layers in C: a thousand runs that keep their states, and flash that steps do not count in."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np
import pytest

from mcu_quant.boards import load_board
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.keras_model import load_keras_model
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.passes import prepare
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.verify.host import HostEngine
from mcu_quant.verify.profile import profile_on_qemu
from mcu_quant.verify.qemu import QemuEngine
from tests.codegen.deployments import deploy
from tests.conftest import require_tools
from tests.keras_models import quantize_input
from tests.oracles import tflm

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="Keras is not installed (pip install 'mcu-quant[test]')")
L = keras.layers

RUNS = 1000


def quantized(model: Any, samples: np.ndarray, technique: str) -> Graph:
    """Through a file."""
    rng = np.random.default_rng(3)
    for layer in model.layers:
        layer.set_weights([rng.normal(0, 0.5, weight.shape) for weight in layer.get_weights()])
    graph = prepare(load_keras_model(model))
    integers = quantize_integer(graph, [(samples[:200],)], QuantizeOptions(technique))
    return read_tflite(write_tflite(integers), "model")


@cache
def stateful(technique: str) -> tuple[Graph, np.ndarray, np.ndarray]:
    """(two layers that keep their states, the inputs of RUNS runs of one step, what TFLM gives)."""
    x = keras.Input(batch_shape=(1, 1, 5))
    y = L.LSTM(9, stateful=True)(L.LSTM(6, stateful=True, return_sequences=True)(x))
    samples = np.random.default_rng(4).normal(size=(RUNS, 1, 1, 5)).astype(np.float32)
    graph = quantized(keras.Model(x, L.Dense(3)(y)), samples, technique)
    inputs = quantize_input(graph.input_tensors()[0], samples)
    (expected,) = tflm(write_tflite(graph), [inputs], sequence=True)
    return graph, inputs, expected


@pytest.mark.parametrize("technique", ["int8", "int16x8"])
def test_the_reference_is_tflm_over_a_thousand_runs(technique: str) -> None:
    graph, inputs, expected = stateful(technique)
    np.testing.assert_array_equal(run_graph(graph, [inputs])[0], expected)


@pytest.mark.parametrize("optimize", ["time", "balanced", "size"])
@pytest.mark.parametrize("technique", ["int8", "int16x8"])
def test_the_host_gives_the_same_bytes(technique: str, optimize: str) -> None:
    graph, inputs, expected = stateful(technique)
    engine = HostEngine(deploy(graph, "model", optimize=optimize), sanitize=optimize == "balanced")
    np.testing.assert_array_equal(engine.run([inputs])[0], expected)


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2_an386", "microbit"])
@pytest.mark.parametrize("technique", ["int8", "int16x8"])
def test_boards_give_the_same_bytes(technique: str, board: str) -> None:
    require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    graph, inputs, expected = stateful(technique)
    target = load_board(board)
    engine = QemuEngine(deploy(graph, "model", target.core), target)
    np.testing.assert_array_equal(engine.run([inputs])[0], expected)


@pytest.mark.qemu
def test_flash_does_not_depend_on_the_steps() -> None:
    require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    board, flash = load_board("mps2_an386"), []
    for steps in (10, 100):
        x = keras.Input((steps, 5))
        model = keras.Model(x, L.Dense(3)(L.LSTM(8)(x)))
        samples = np.random.default_rng(5).normal(size=(20, 1, steps, 5)).astype(np.float32)
        graph = quantized(model, samples, "int8")
        inputs = quantize_input(graph.input_tensors()[0], samples[:1])
        facts = profile_on_qemu(deploy(graph, "model", board.core), board, [inputs])
        flash.append(facts["flash"])
    # Weights and loops are the same; which numbers the compiler has in instructions is not.
    assert abs(flash[0]["model_bytes"] - flash[1]["model_bytes"]) <= 128
