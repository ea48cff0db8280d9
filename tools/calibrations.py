"""The tables "Calibration" and "Repairs" of docs/QUANTIZATION.md, from ../shared.

    python tools/calibrations.py [MODEL.keras that reads what fashion_dscnn reads, ...]

Right answers on data that no calibration has seen, as the reference computes them, and answers that agree
with the float model. Calibration: 200 samples of the training data.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.passes import prepare
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize_options import QuantizeOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.keras_models import calibration_data, float_graph, held_out_data, quantize_input

MODELS = ("fashion_dscnn", "fsdd_dscnn", "pretrainedResnet")
CHUNK = 250

#: The options as on the command line, and as quantize_integer has them.
CALIBRATIONS: Mapping[str, Mapping[str, Any]] = {
    "(minmax)": {},
    "--calibration moving_average": {"calibration": "moving_average"},
    "--calibration percentile": {"calibration": "percentile"},
    "--calibration percentile=99.9": {"calibration": "percentile=99.9"},
    "--calibration mse": {"calibration": "mse"},
    "--calibration entropy": {"calibration": "entropy"},
    "--weights-calibration mse": {"weights_calibration": "mse"},
}
REPAIRS: Mapping[str, Mapping[str, Any]] = {
    f"--repair {names}" if names else "(none)": {"repairs": tuple(names.split(",")) if names else ()}
    for names in (
        "",
        "equalize",
        "bias",
        "equalize,bias",
        "adaround",
        "adaround,bias",
        "equalize,adaround,bias",
    )
}


def answers(graph: Graph, x: np.ndarray) -> np.ndarray:
    tensor = graph.input_tensors()[0]
    chunks = []
    for start in range(0, len(x), CHUNK):
        part = x[start : start + CHUNK]
        inputs = quantize_input(tensor, part) if tensor.quant else part.reshape(-1, *tensor.shape)
        (y,) = run_graph(graph, [inputs])
        chunks.append(y.reshape(len(part), -1).argmax(axis=1))
    return np.concatenate(chunks)


def table(graph: Graph, data: str, settings: Mapping[str, Mapping[str, Any]]) -> None:
    x, y = held_out_data(data)
    real = answers(graph, x)
    print(f"| float: {int((real == y).sum())} of {len(y)} | per channel | agree | `--per-tensor` | agree |")
    print("|---|---|---|---|---|")
    for option, arguments in settings.items():
        cells = []
        for per_tensor in (False, True):
            quantized = quantize_integer(
                graph, [calibration_data(data)], QuantizeOptions(per_tensor=per_tensor, **arguments)
            )
            ours = answers(quantized, x)
            cells += [int((ours == y).sum()), int((ours == real).sum())]
        print(f"| `{option}` | " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def main(files: list[str]) -> None:
    cases = [(name, float_graph(name), name) for name in MODELS]
    cases += [(file, prepare(load_keras_file(Path(file))), "fashion_dscnn") for file in files]
    for name, graph, data in cases:
        for settings in (CALIBRATIONS, REPAIRS):
            print(f"\n{name}\n")
            table(graph, data, settings)


if __name__ == "__main__":
    main(sys.argv[1:])
