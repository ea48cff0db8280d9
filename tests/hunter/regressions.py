"""Cases that once failed, each a .tflite file and its inputs; a test replays them all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from tests.hunter.check import case_key
from tests.hunter.graphs import Case

DIRECTORY = Path(__file__).with_name("regressions")


def save(case: Case, directory: Path = DIRECTORY) -> Path:
    """Keep a case; returns its .tflite file, which is named by its content."""
    directory.mkdir(exist_ok=True)
    path = directory / f"{case_key(case)}.tflite"
    path.write_bytes(write_tflite(case.graph))
    np.savez_compressed(path.with_suffix(".npz"), **{f"in{i}": array for i, array in enumerate(case.inputs)})
    return path


def load(path: Path) -> Case:
    graph = read_tflite(path.read_bytes(), "hunted")
    with np.load(path.with_suffix(".npz")) as inputs:
        return Case(graph, tuple(inputs[f"in{index}"] for index in range(len(graph.inputs))))


def saved(directory: Path = DIRECTORY) -> list[Path]:
    return sorted(directory.glob("*.tflite"))
