"""The README's demo: real handwritten digits, from training to firmware on QEMU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mcu_quant import doctor, pipeline, samples
from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import ToolMissingError
from mcu_quant.outputs import check_directory, with_manifest, write_directory
from mcu_quant.quantize_options import USUAL
from mcu_quant.resources import directory
from mcu_quant.verify.compare import compare

Say = Callable[[str], None]


def run_demo(output: Path, board_name: str, *, force: bool, say: Say) -> dict[str, Any]:
    """Train, quantize, generate, run every test image on QEMU; returns the facts that are printed."""
    require_all()
    check_directory(output, force=force)
    board = pipeline.emulated_board(board_name)
    options = GenerateOptions()
    with tempfile.TemporaryDirectory() as name:
        say("training a small convolutional network on 1,437 handwritten digits (Keras)")
        trained = Path(name)
        _train(trained)
        graph = pipeline.load(trained / "digits.keras")
        assert not isinstance(graph, pipeline.TfliteModel)
        keras_file = (trained / "digits.keras").read_bytes()
        with np.load(trained / "digits.npz", allow_pickle=False) as data:
            arrays = {key: data[key] for key in data.files}
        npz_file = (trained / "digits.npz").read_bytes()
    say("quantizing it to int8 with 200 of them")
    calibration = samples.calibration_samples(arrays["calibration"], graph)
    model = pipeline.quantize(graph, calibration, USUAL)
    say(f"generating C and a firmware project for {board.name} ({board.core})")
    deployment = pipeline.deploy(model, pipeline.core_named(board.core), options, board=board)
    example = directory("firmware_examples") / "digits" / "main.c"
    project = with_manifest(
        {**pipeline.render([deployment], board), "main.c": example.read_text(encoding="utf-8")},
        pipeline.manifest_facts([deployment], board),
    )
    files: dict[str, str | bytes] = {f"firmware/{path}": text for path, text in project.items()}
    files |= {"digits.keras": keras_file, "digits.tflite": model.data, "digits.npz": npz_file}
    write_directory(output, files, {"demo": "digits"}, force=force)
    return _measure(model, arrays, board_name, options, say) | {
        "model": str(output / "digits.tflite"),
        "project": str(output / "firmware"),
    }


def _measure(
    model: pipeline.TfliteModel,
    arrays: dict[str, np.ndarray],
    board_name: str,
    options: GenerateOptions,
    say: Say,
) -> dict[str, Any]:
    tensors = model.graph.input_tensors()
    inputs = samples.prepare_inputs([arrays["x"]], tensors, ["the test images"])
    count = len(inputs[0])
    say(f"running {count} test images that training never saw: reference")
    expected = pipeline.engine_named("reference", model, options).run(inputs)
    say(f"running {count} test images: firmware on {board_name}")
    actual = pipeline.engine_named(board_name, model, options).run(inputs)
    result = compare(board_name, expected, actual)
    say("counting instructions and memory")
    measured = pipeline.profile(model, pipeline.board_named(board_name), [x[:1] for x in inputs], options)
    return {
        "board": board_name,
        "test_images": count,
        "float_correct": _correct(arrays["float_scores"], arrays["y"]),
        "reference_correct": _correct(expected[0], arrays["y"]),
        "board_correct": _correct(actual[0], arrays["y"]),
        "comparison": result.as_json(),
        "instructions": measured["instructions"],
        "memory": measured["memory"],
        "flash": measured["flash"],
    }


def _correct(scores: np.ndarray, labels: np.ndarray) -> int:
    return int((scores.reshape(len(labels), -1).argmax(axis=1) == labels).sum())


def _train(directory: Path) -> None:
    """In a child process: TensorFlow stays out of ours, and its log with it unless it fails."""
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [sys.executable, "-m", "mcu_quant.demo_training", str(directory)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"training failed with {done.returncode}:\n{done.stderr[-4000:]}")


def require_all() -> None:
    """Raise ToolMissingError with everything that the demo needs and does not find, at once."""
    missing = [
        f"{finding.tool.name}: {finding.how}"
        for finding in doctor.examine_all()
        if not finding.complete and not finding.tool.optional and finding.tool.name != "C compiler"
    ]
    modules = [name for name in ("keras", "tensorflow", "sklearn") if importlib.util.find_spec(name) is None]
    if modules:
        missing.append(f"{', '.join(modules)}: pip install 'mcu-quant[demo]'")
    if missing:
        raise ToolMissingError(
            "the demo needs what is not installed",
            value="; ".join(missing),
            hint="install these, then run `mcu-quant demo` again",
        )
