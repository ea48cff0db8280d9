"""The trained Keras models of ../shared and the data that fits them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.ir import Graph, Tensor
from mcu_quant.passes import prepare
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize_options import QuantizeOptions

SHARED = Path(__file__).resolve().parents[2] / "shared"
needs_models = pytest.mark.skipif(not SHARED.is_dir(), reason="the published models are not at ../shared")

MODELS = (
    "ad01",
    "pretrainedResnet",
    "kws_ref_model",
    "vww_96",
    "str_ww_ref_model",
    "fashion_dscnn",
    "fsdd_dscnn",
)
CALIBRATION_SAMPLES = 200


def array(file: str, key: str) -> np.ndarray:
    with np.load(SHARED / "data" / file) as stored:
        return stored[key]


def golden(model: str, kind: str | None = None) -> np.ndarray:
    """The inputs of the float golden file, all or those of one kind ("real", "uniform")."""
    with np.load(SHARED / "golden" / f"{model}.keras_float.npz") as stored:
        return stored["x"] if kind is None else stored["x"][stored["kind"] == kind]


def calibration_data(model: str) -> np.ndarray:
    """Samples like the training data; where we have none, the inputs of the float golden file."""
    if model == "pretrainedResnet":
        return array("cifar10_train6000_lossless.npz", "x")[:CALIBRATION_SAMPLES].astype(np.float32)
    if model == "fashion_dscnn":
        return array("fashion_mnist_train10000.npz", "x")[:CALIBRATION_SAMPLES].astype(np.float32) / 255
    if model == "fsdd_dscnn":
        every = array("fsdd_features.npz", "logmel_train")  # sorted by digit: the first 200 are all zeros
        return log_mel(every[:: len(every) // CALIBRATION_SAMPLES][:CALIBRATION_SAMPLES])
    if model == "str_ww_ref_model":
        return array("mlperf_sww_calibration_samples.npz", "specs").astype(np.float32)
    return golden(model)


def held_out_data(model: str) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) that no calibration has seen."""
    if model == "pretrainedResnet":
        return array("cifar10_test_lossless.npz", "x").astype(np.float32), array(
            "cifar10_test_lossless.npz", "y"
        )
    if model == "fashion_dscnn":
        x = array("fashion_mnist_test5000.npz", "x").astype(np.float32) / 255
        return x, array("fashion_mnist_test5000.npz", "y")
    assert model == "fsdd_dscnn"
    return log_mel(array("fsdd_features.npz", "logmel_test")), array("fsdd_features.npz", "y_test")


def log_mel(features: np.ndarray) -> np.ndarray:
    return ((features.astype(np.float32) + 7) / 5)[..., None]


@cache
def float_graph(model: str) -> Graph:
    return prepare(load_keras_file(SHARED / "models" / f"{model}.keras"))


@cache
def quantized(model: str, per_tensor: bool = False, technique: str = "int8") -> Graph:
    data = [calibration_data(model)]
    return quantize_integer(float_graph(model), data, QuantizeOptions(technique, per_tensor=per_tensor))


def quantize_input(tensor: Tensor, x: np.ndarray) -> np.ndarray:
    """[N, ...] float as [N, *tensor.shape] of the input's type, by its scale and zero point."""
    limits = np.iinfo(tensor.dtype)
    q = np.rint(x.astype(np.float64) / tensor.scale) + tensor.zero_point
    return np.clip(q, limits.min, limits.max).astype(tensor.dtype).reshape(-1, *tensor.shape)
