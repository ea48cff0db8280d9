"""Accuracy of our int8 and int16x8 files as TFLM judges it, at least that of the usual converter."""

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


#: Of int16x8: what the usual converter's own files give, of the same weights.
LEAST_CORRECT_INT16X8 = LEAST_CORRECT | {"fsdd_dscnn": 283}


@pytest.mark.parametrize("technique", ["int8", "int16x8"])
@pytest.mark.parametrize("model", LEAST_CORRECT)
def test_accuracy(model: str, technique: str) -> None:
    graph = quantized(model, technique=technique)
    least = LEAST_CORRECT if technique == "int8" else LEAST_CORRECT_INT16X8
    x, labels = held_out_data(model)
    file, tensor = write_tflite(graph), graph.input_tensors()[0]
    correct = 0
    for start in range(0, len(x), CHUNK):
        q = quantize_input(tensor, x[start : start + CHUNK])
        (y,) = tflm(file, [q])
        assert np.array_equal(y, run_graph(graph, [q])[0])
        correct += int((y.reshape(len(q), -1).argmax(axis=1) == labels[start : start + CHUNK]).sum())
    assert correct >= least[model], f"{correct} of {len(x)}"
