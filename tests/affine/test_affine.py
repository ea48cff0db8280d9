"""The affine primitives against TensorFlow, bit for bit, and what they refuse."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcu_quant
from mcu_quant import affine
from mcu_quant.errors import InvalidInputError
from tests.affine import cases
from tests.conftest import ROOT
from tests.oracles import litert_ref

Arrays = dict[str, np.ndarray]


def tensorflow(directory: Path, onednn: bool) -> Arrays:
    output = directory / f"onednn{int(onednn)}.npz"
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": str(int(onednn)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "tests.affine.tensorflow_oracle", str(output)]
    subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, timeout=240)
    with np.load(output) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    """TensorFlow's own kernels."""
    return tensorflow(tmp_path_factory.mktemp("affine"), onednn=False)


def differing(ours: np.ndarray, theirs: np.ndarray) -> int:
    """How many elements are not the same bits; 0.0 and -0.0 count as one number."""
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    return int(np.count_nonzero(~((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))))


def all_quantize(oracle: Arrays, **more: Any) -> Iterator[str]:
    for name, arguments in cases.quantize_cases():
        done = affine.quantize(**arguments, **more)
        for part, ours in zip(("q", "min", "max"), done, strict=True):
            if count := differing(ours, oracle[f"quantize/{name}/{part}"]):
                yield f"{name} {part}: {count} of {ours.size}"


@pytest.mark.slow
def test_quantize(oracle: Arrays) -> None:
    assert list(all_quantize(oracle)) == []


@pytest.mark.slow
def test_quantize_as_onednn(tmp_path: Path) -> None:
    assert list(all_quantize(tensorflow(tmp_path, onednn=True), onednn=True)) == []


@pytest.mark.slow
def test_dequantize(oracle: Arrays) -> None:
    wrong = [
        name
        for name, arguments in cases.dequantize_cases()
        if differing(affine.dequantize(**arguments), oracle[f"dequantize/{name}"])
    ]
    assert wrong == []


@pytest.mark.slow
def test_fake_quant(oracle: Arrays) -> None:
    wrong = [
        name
        for name, kind, arguments in cases.fake_quant_cases()
        if differing(
            getattr(affine, f"fake_quant_with_min_max_{kind}")(**arguments), oracle[f"fake_quant/{name}"]
        )
    ]
    assert wrong == []


def test_fake_quant_holds_zero_exactly() -> None:
    for low, high in cases.RANGES.values():
        if low < high:
            assert affine.fake_quant_with_min_max_args(np.zeros(1), low, high) == 0.0


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_quantize_affine_is_the_operator(dtype: str) -> None:
    """LiteRT's QUANTIZE over a model of one node."""
    from mcu_quant.exporters.tflite import write_tflite
    from mcu_quant.ir import Graph, Node, QuantParams, Tensor

    zero_point = {"int8": -7, "uint8": 131}[dtype]
    quant = QuantParams.per_tensor(0.0371, zero_point)
    tensors = {"x": Tensor("x", (1, 4000)), "y": Tensor("y", (1, 4000), dtype, quant)}
    graph = Graph("q", (Node("q", "quantize", None, ("x",), ("y",)),), tensors, ("x",), ("y",))
    x = np.concatenate([np.arange(-1000, 1000) * np.float32(0.0371 / 2), np.linspace(-9, 9, 2000)])
    x = x.astype(np.float32)[None, None]
    (expected,) = litert_ref(write_tflite(graph), [x])
    assert np.array_equal(affine.quantize_affine(x, quant.scale[0], zero_point, dtype), expected)


def test_affine_per_channel_round_trip() -> None:
    scale, zero_point = np.float32([0.5, 0.001, 30]), np.array([0, -128, 100])
    q = np.random.default_rng(0).integers(-128, 128, (4, 3, 5)).astype(np.int8)
    real = affine.dequantize_affine(q, scale, zero_point, axis=1)
    assert real.dtype == np.float32
    assert np.array_equal(affine.quantize_affine(real, scale, zero_point, axis=1), q)


def test_narrow_range_and_saturation() -> None:
    x = [np.inf, -np.inf, 1e30, -1e30, 0.5, -0.5, 1.5]
    assert affine.quantize_affine(x, 1.0, narrow_range=True).tolist() == [127, -127, 127, -127, 1, -1, 2]
    assert affine.quantize_affine(x, 1.0, 3, "int32")[:2].tolist() == [2**31 - 1, -(2**31)]


REFUSED = {
    "min above max": (lambda: affine.quantize([0.0], 2, 1, "qint8"), "min must not be above its max.*2..1"),
    "NaN range": (lambda: affine.quantize([0.0], np.nan, 1, "qint8"), "range must be finite"),
    "infinite range": (lambda: affine.dequantize(np.int8([1]), -1, np.inf), "range must be finite"),
    "NaN": (lambda: affine.quantize([np.nan], 0, 1, "qint8"), "not be NaN"),
    "text": (lambda: affine.quantize(["a"], 0, 1, "qint8"), "must be numbers"),
    "type": (lambda: affine.quantize([0.0], 0, 1, "int4"), "type must be a known one.*int4"),
    "mode": (lambda: affine.quantize([0.0], 0, 1, "qint8", "FIRST"), "mode must be a known one.*SCALED"),
    "rounding": (lambda: affine.quantize([0.0], 0, 1, "qint8", round_mode="UP"), "round mode.*UP"),
    "even": (lambda: affine.quantize([0.0], 0, 1, "qint8", round_mode="HALF_TO_EVEN"), "SCALED only"),
    "least range": (
        lambda: affine.quantize([0.0], 0, 1, "qint8", ensure_minimum_range=-1),
        "ensure_minimum_range",
    ),
    "axis of MIN_FIRST": (
        lambda: affine.quantize([[0.0]], [0], [1], "qint8", "MIN_FIRST", axis=1),
        "one range",
    ),
    "axis": (lambda: affine.quantize([0.0], [0], [1], "qint8", axis=1), "axis must be one of the 1"),
    "ranges": (
        lambda: affine.quantize([[0.0, 1]], [0], [1], "qint8", axis=1),
        "each of the 2 indices of axis 1",
    ),
    "no axis": (lambda: affine.quantize([0.0], [0, 1], [1, 2], "qint8"), "one number"),
    "1 bit": (lambda: affine.fake_quant_with_min_max_args([0.0], num_bits=1), "num_bits.*seen: 1"),
    "17 bits": (lambda: affine.fake_quant_with_min_max_vars([0.0], 0, 1, num_bits=17), "between 2 and 16"),
    "empty range": (lambda: affine.fake_quant_with_min_max_args([0.0], 0, 0), "be below its max"),
    "reversed": (lambda: affine.fake_quant_with_min_max_vars([0.0], 1, -1), "be below its max"),
    "scalar": (lambda: affine.fake_quant_with_min_max_vars_per_channel(0.0, [0], [1]), "at least one axis"),
    "scale 0": (lambda: affine.quantize_affine([0.0], 0.0), "scale must be positive"),
    "zero_point": (lambda: affine.quantize_affine([0.0], 1.0, 128), "zero_point must be an integer of int8"),
    "real zero_point": (lambda: affine.dequantize_affine(np.int8([0]), 1.0, 0.5), "must be an integer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    call, says = REFUSED[case]
    with pytest.raises(InvalidInputError, match=says):
        call()


def test_it_is_part_of_the_package() -> None:
    assert mcu_quant.affine.quantize is affine.quantize
    assert "affine" in dir(mcu_quant)
