"""Cases that once failed: .tflite files with inputs, or specifications of Keras models. All are replayed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from tests.hunter.check import Engines, Target
from tests.hunter.graphs import Case
from tests.hunter.keras_specs import ModelSpec
from tests.hunter.streams import StreamCase, stream_case

DIRECTORY = Path(__file__).with_name("regressions")


def save(case: Case | ModelSpec, engines: Engines, directory: Path = DIRECTORY) -> Path:
    """Keep a case, and what it failed on, in a file that is named by its content; returns its path."""
    directory.mkdir(exist_ok=True)
    if isinstance(case, ModelSpec):
        text = case.to_json() + "\n"
        path = directory / f"{_key(text.encode())}.json"
        path.write_text(text, encoding="utf-8")
        return path
    file = write_tflite(case.window if isinstance(case, StreamCase) else case.graph)
    path = directory / f"{_key(file)}.tflite"
    path.write_bytes(file)
    arrays = {f"in{i}": array for i, array in enumerate(case.inputs)}
    targets = {name: np.array(str(target)) for name, target in vars(engines).items() if target is not None}
    if isinstance(case, StreamCase):
        targets |= {"stream": np.array(case.streaming.axis), "hop": np.array(case.streaming.hop)}
    np.savez_compressed(path.with_suffix(".npz"), **arrays, **targets)  # type: ignore[arg-type]
    return path


def load(path: Path) -> Case | ModelSpec:
    if path.suffix == ".json":
        return ModelSpec.from_json(path.read_text(encoding="utf-8"))
    graph = read_tflite(path.read_bytes(), "hunted")
    with np.load(path.with_suffix(".npz")) as inputs:
        if "stream" in inputs:
            return stream_case(graph, int(inputs["stream"]), int(inputs["hop"]), inputs["in0"])
        return Case(graph, tuple(inputs[f"in{index}"] for index in range(len(graph.inputs))))


def engines(path: Path) -> Engines:
    """What the case failed on: C on this machine if nothing else is said."""
    if path.suffix == ".json":
        return Engines()
    with np.load(path.with_suffix(".npz")) as kept:
        targets = {name: Target.parse(str(kept[name])) for name in ("host", "qemu") if name in kept.files}
    return Engines(targets.get("host"), targets.get("qemu")) if targets else Engines()


def saved(directory: Path = DIRECTORY) -> list[Path]:
    return sorted(path for path in directory.glob("*") if path.suffix in (".tflite", ".json"))


def _key(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
