"""Damaged files of every operator: an error of ours, or a graph that runs. Nothing crashes, nothing hangs."""

from __future__ import annotations

import random
import struct
import time

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import McuQuantError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.kernels.base import CORES
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.pipeline import TfliteModel, deploy, render
from tests.hunter.draws import drawn
from tests.hunter.graphs import quantized_cases

FILES, DAMAGED, SECONDS = 40, 150, 5.0
WORDS = [struct.pack("<I", word) for word in (0, 1, 2, 0x7FFFFFFF, 0xFFFFFFFF)]
#: Runs of larger graphs only cost time.
MOST_ELEMENTS = 1_000_000


def hunted_files(seed: int) -> list[bytes]:
    return [write_tflite(case.graph) for case in drawn(quantized_cases(), FILES, seed)]


def damaged(file: bytes, rng: random.Random) -> bytes:
    data = bytearray(file)
    for _ in range(rng.choice((1, 1, 2))):
        position = rng.randrange(len(data) // 4) * 4
        if rng.random() < 0.3:
            data[position : position + 4] = rng.choice(WORDS)
        else:
            data[position + rng.randrange(4)] = rng.choice((0, 1, 2, 3, 5, 127, 128, 255, rng.randrange(256)))
    return bytes(data)


def use(data: bytes) -> None:
    """Everything that generate and run do with a file, but compiling."""
    graph = read_tflite(data, "damaged")
    if sum(tensor.elements for tensor in graph.tensors.values()) > MOST_ELEMENTS:
        return
    render([deploy(TfliteModel("damaged", data, graph), CORES["generic"], GenerateOptions())])
    inputs = [np.ones((2, *tensor.shape), tensor.dtype) for tensor in graph.input_tensors()]
    outputs = run_graph(graph, inputs)
    assert [output.shape[1:] for output in outputs] == [tensor.shape for tensor in graph.output_tensors()]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_is_refused_or_runs(seed: int) -> None:
    files, rng = hunted_files(seed), random.Random(seed)
    refused = 0
    for index in range(DAMAGED):
        data = damaged(files[index % len(files)], rng)
        start = time.process_time()
        try:
            use(data)
        except McuQuantError:
            refused += 1
        assert time.process_time() - start < SECONDS
    assert DAMAGED // 4 < refused < DAMAGED
