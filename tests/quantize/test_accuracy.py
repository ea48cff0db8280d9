"""Accuracy of our int8 files as TFLM judges it, at least that of the usual converter."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ops.interpreter import run_graph
from tests.keras_models import held_out_data, needs_models, quantize_input, quantized
from tests.oracles import tflm

pytestmark = [needs_models, pytest.mark.slow]

#: Right answers that the project promises (of 996, 5,000 and 300).
LEAST_CORRECT = {"pretrainedResnet": 873, "fashion_dscnn": 4_260, "fsdd_dscnn": 284}
CHUNK = 250


@pytest.mark.parametrize("model", LEAST_CORRECT)
def test_accuracy(model: str) -> None:
    graph = quantized(model)
    x, labels = held_out_data(model)
    file, tensor = write_tflite(graph), graph.input_tensors()[0]
    correct = 0
    for start in range(0, len(x), CHUNK):
        q = quantize_input(tensor, x[start : start + CHUNK])
        (y,) = tflm(file, [q])
        assert np.array_equal(y, run_graph(graph, [q])[0])
        correct += int((y.reshape(len(q), -1).argmax(axis=1) == labels[start : start + CHUNK]).sum())
    assert correct >= LEAST_CORRECT[model], f"{correct} of {len(x)}"
