"""Recurrent layers in C: a thousand runs that keep their states, and flash that steps do not count in."""

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
TECHNIQUES = ["int8", "int16x8"]


def quantized(model: Any, samples: np.ndarray, technique: str) -> Graph:
    """Through a file."""
    rng = np.random.default_rng(3)
    for layer in model.layers:
        layer.set_weights([rng.normal(0, 0.5, weight.shape) for weight in layer.get_weights()])
    graph = prepare(load_keras_model(model))
    integers = quantize_integer(graph, [(samples[:200],)], QuantizeOptions(technique))
    return read_tflite(write_tflite(integers), "model")


def lstms(x: Any) -> Any:
    return L.LSTM(9, stateful=True)(L.LSTM(6, stateful=True, return_sequences=True)(x))


def own_operators(x: Any) -> Any:
    y = L.GRU(6, stateful=True, return_sequences=True, reset_after=False)(x)
    return L.SimpleRNN(7, stateful=True)(L.GRU(9, stateful=True, return_sequences=True)(y))


#: Layers that keep their states.
NETWORKS = {"lstm": lstms, "gru_and_simple_rnn": own_operators}


@cache
def stateful(network: str, technique: str) -> tuple[Graph, np.ndarray, np.ndarray]:
    """(one of NETWORKS, the inputs of RUNS runs of one step, the reference's outputs)."""
    x = keras.Input(batch_shape=(1, 1, 5))
    samples = np.random.default_rng(4).normal(size=(RUNS, 1, 1, 5)).astype(np.float32)
    graph = quantized(keras.Model(x, L.Dense(3)(NETWORKS[network](x))), samples, technique)
    inputs = quantize_input(graph.input_tensors()[0], samples)
    (expected,) = run_graph(graph, [inputs])
    assert len(graph.states) >= 3 and len(np.unique(expected)) > 100
    return graph, inputs, expected


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_the_reference_is_tflm_over_a_thousand_runs(technique: str) -> None:
    graph, inputs, expected = stateful("lstm", technique)
    np.testing.assert_array_equal(tflm(write_tflite(graph), [inputs], sequence=True)[0], expected)


@pytest.mark.parametrize("optimize", ["time", "balanced", "size"])
@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_host_gives_the_same_bytes(network: str, technique: str, optimize: str) -> None:
    graph, inputs, expected = stateful(network, technique)
    engine = HostEngine(deploy(graph, "model", optimize=optimize), sanitize=optimize == "balanced")
    np.testing.assert_array_equal(engine.run([inputs])[0], expected)


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2_an386", "mps2_an385_m0plus"])
@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("network", NETWORKS)
def test_boards_give_the_same_bytes(network: str, technique: str, board: str) -> None:
    require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    graph, inputs, expected = stateful(network, technique)
    target = load_board(board)
    engine = QemuEngine(deploy(graph, "model", target.core), target)
    np.testing.assert_array_equal(engine.run([inputs])[0], expected)


@pytest.mark.qemu
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
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
