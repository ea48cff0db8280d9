"""Recurrent networks trained on real sequences (tests/models/recurrent.py): int8 answers as float does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.passes import prepare
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.verify.host import HostEngine
from tests.codegen.deployments import deploy
from tests.conftest import SHARED
from tests.keras_models import quantize_input
from tests.models.recurrent import KINDS, sequences
from tests.oracles import tflm

#: Training takes half a minute, but not on a busy machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: Right answers of the float network: of the 500 digits and of the 300 words.
LEAST = {"digits": 450, "words": 270}
#: Samples that the interpreter and C run, too.
COMPARED = 50
CALIBRATED = 200


def answers(graph: Graph, x: np.ndarray) -> np.ndarray:
    (tensor,) = graph.input_tensors()
    inputs = x[:, None] if tensor.quant is None else quantize_input(tensor, x)
    return run_graph(graph, [inputs])[0].reshape(len(x), -1).argmax(axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_int8_answers_as_float_does(kind: str, recurrent_model: Callable[[str], Path]) -> None:
    graph = prepare(load_keras_file(recurrent_model(kind)))
    x_train, _, x, y = sequences(kind, str(SHARED / "data" / "fsdd_features.npz"))
    samples = x_train[:: len(x_train) // CALIBRATED][:CALIBRATED]
    real = answers(graph, x)
    right = int((real == y).sum())
    assert right >= LEAST[kind.split("_")[0]], f"{right} of {len(y)} in float"
    for technique in ("int8", "int16x8"):
        quantized = quantize_integer(graph, [(samples,)], QuantizeOptions(technique))
        mine = answers(quantized, x)
        rights, agree = int((mine == y).sum()), int((mine == real).sum())
        assert abs(rights - right) <= len(y) / 100, f"{technique}: {rights}, float: {right}, of {len(y)}"
        assert agree >= 0.98 * len(y), f"{technique}: {agree} of {len(y)} as in float"
        same_bytes(quantized, x[:COMPARED])


def same_bytes(graph: Graph, x: np.ndarray) -> None:
    """Of TFLM (which has none of our own operators), of the reference, and of C on this computer."""
    file = write_tflite(graph)
    read = read_tflite(file, "model")
    inputs = [quantize_input(read.input_tensors()[0], x)]
    (expected,) = run_graph(read, inputs)
    if not any(OPERATORS[node.op].tflite_custom for node in read.nodes):
        np.testing.assert_array_equal(expected, tflm(file, inputs)[0])
    np.testing.assert_array_equal(expected, HostEngine(deploy(read, "model")).run(inputs)[0])
