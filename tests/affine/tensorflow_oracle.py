"""Child process: every case of cases.py by TensorFlow, as arrays in the .npz file named on the command line.

A process of its own, because TF_ENABLE_ONEDNN_OPTS counts when TensorFlow is imported.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import tensorflow as tf

from tests.affine import cases


def quantize(x: np.ndarray, min_range: Any, max_range: Any, dtype: str, **more: Any) -> list[np.ndarray]:
    done = tf.quantization.quantize(
        x, np.float32(min_range), np.float32(max_range), getattr(tf, dtype), **more
    )
    return [done.output.numpy(), done.output_min.numpy(), done.output_max.numpy()]


def dequantize(q: np.ndarray, min_range: Any, max_range: Any, **more: Any) -> np.ndarray:
    tensor = tf.bitcast(q, getattr(tf, f"q{q.dtype.name}"))
    low, high = np.float32(min_range), np.float32(max_range)
    return tf.quantization.dequantize(tensor, low, high, **more).numpy()


def fake_quant(kind: str, x: np.ndarray, min: Any, max: Any, **more: Any) -> np.ndarray:
    function = getattr(tf.quantization, f"fake_quant_with_min_max_{kind}")
    return function(x, min, max, **more).numpy()


def main(output: str) -> None:
    arrays: dict[str, np.ndarray] = {}
    for name, arguments in cases.quantize_cases():
        for part, array in zip(("q", "min", "max"), quantize(**arguments), strict=True):
            arrays[f"quantize/{name}/{part}"] = array
    for name, arguments in cases.dequantize_cases():
        arrays[f"dequantize/{name}"] = dequantize(**arguments)
    for name, kind, arguments in cases.fake_quant_cases():
        arrays[f"fake_quant/{name}"] = fake_quant(kind, **arguments)
    np.savez(output, **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(sys.argv[1])
