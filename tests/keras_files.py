"""The .tflite file that is made of a Keras model, held to the interpreters of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.passes import prepare
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize_options import QuantizeOptions
from tests.keras_models import quantize_input
from tests.oracles import OracleRefused, litert_ref, tflm


def assert_int8_file_is_the_oracles(
    graph: Graph, samples: Sequence[np.ndarray], *, litert_has_it: bool = True
) -> None:
    """TFLM's bytes, or LiteRT's where it lacks an operator; and LiteRT runs what we write.

    graph: float. samples: [N, *shape] of each input. litert_has_it: whether its reference kernels do.
    """
    quantized = quantize_integer(prepare(graph), [tuple(samples)], QuantizeOptions())
    file = write_tflite(quantized)
    read = read_tflite(file, "file")
    inputs = [quantize_input(t, x) for t, x in zip(read.input_tensors(), samples, strict=True)]
    by_litert = litert_ref(file, inputs) if litert_has_it else None
    try:
        actual = tflm(file, inputs)
    except OracleRefused:
        assert by_litert is not None
        actual = by_litert
    for mine, theirs in zip(run_graph(read, inputs), actual, strict=True):
        np.testing.assert_array_equal(mine, theirs)
