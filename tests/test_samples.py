"""Arrays on their way into a model: npz files, shapes, quantization, defaults."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph, QuantParams, Tensor
from mcu_quant.npz import Npz
from mcu_quant.samples import (
    calibration_samples,
    default_inputs,
    dequantize,
    input_keys,
    quantize,
    read_inputs,
    with_batch,
)

IMAGE = Tensor("image", (1, 4, 3), "int8", QuantParams.per_tensor(0.5, -3))
GRAPH = Graph("g", (), {"image": IMAGE}, ("image",), ("image",))


@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 1, 4, 3)])
def test_shapes_that_are_taken(shape: tuple[int, ...]) -> None:
    assert with_batch(np.zeros(shape), IMAGE, "here").shape == (5, 1, 4, 3)


@pytest.mark.parametrize("shape", [(4, 3), (5, 3, 4), (5, 2, 4, 3), (0, 4, 3), (12,), ()])
def test_shapes_that_are_not(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError):
        with_batch(np.zeros(shape), IMAGE, "here")


def test_floats_are_quantized_half_away_from_zero_and_limited() -> None:
    real = np.array([0.0, 0.25, -0.25, 0.75, 1e30, -1e30], np.float32)
    assert quantize(real, IMAGE, "here").tolist() == [-3, -2, -4, -1, 127, -128]
    assert dequantize(np.array([-3, 127], np.int8), IMAGE).tolist() == [0.0, 65.0]


def test_raw_integers_stay() -> None:
    raw = np.array([-128, 127], np.int8)
    assert quantize(raw, IMAGE, "here") is raw
    with pytest.raises(InvalidInputError, match="finite"):
        quantize(np.array([np.inf], np.float32), IMAGE, "here")


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_raw_integers_of_wider_types_that_fit(dtype: type) -> None:
    raw = quantize(np.array([-128, 127], dtype), IMAGE, "here")
    assert raw.dtype == np.int8 and raw.tolist() == [-128, 127]
    unsigned = Tensor("image", (1, 2), "uint8", QuantParams.per_tensor(0.5, 3))
    assert quantize(np.array([0, 255], dtype), unsigned, "here").dtype == np.uint8
    for values, tensor in (([-129, 0], IMAGE), ([0, 128], IMAGE), ([-1, 0], unsigned), ([0, 256], unsigned)):
        with pytest.raises(InvalidInputError, match=f"from {min(values)} to {max(values)}"):
            quantize(np.array(values, dtype), tensor, "here")


@pytest.mark.parametrize(("given", "wanted"), [("uint8", "int8"), ("int8", "uint8"), ("uint16", "uint8")])
def test_raw_integers_of_other_types(given: str, wanted: str) -> None:
    tensor = Tensor("image", (1, 2), wanted, QuantParams.per_tensor(0.5, 3))
    with pytest.raises(InvalidInputError, match=f"of its type, {wanted} .*{given}"):
        quantize(np.array([1, 2], given), tensor, "here")


PHOTO = Graph("g", (), {"photo": Tensor("photo", (1, 28, 28, 1))}, ("photo",), ("photo",))


@pytest.mark.parametrize("form", ["array", "dict", "file"])
def test_one_calibration_array_has_a_batch_axis(form: str, tmp_path: Path) -> None:
    """[28, 28, 1] would be 28 samples, or one: both shapes are named."""
    x = np.zeros((28, 28, 1), np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    dataset = {"array": x, "dict": {"photo": x}, "file": tmp_path / "x.npz"}[form]
    with pytest.raises(InvalidInputError) as caught:
        calibration_samples(dataset, PHOTO)
    assert "[N, 28, 28, 1]" in str(caught.value) and "shape [28, 28, 1]" in str(caught.value)
    assert "newaxis" in str(caught.value)
    assert next(iter(calibration_samples([x], PHOTO))) is x


def test_errors_name_the_shape_in_the_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros((100, 28, 29, 1), np.float32))
    with pytest.raises(InvalidInputError, match=r"x\.npz:x: .*seen: shape \[100, 28, 29, 1\]"):
        calibration_samples(tmp_path / "x.npz", PHOTO)


def test_names_of_inputs() -> None:
    tensors = [IMAGE, Tensor("other", (1, 2), "int8")]
    assert input_keys(["other", "image", "y"], tensors, "") == ["image", "other"]
    assert input_keys(["in1", "in0", "kind"], tensors, "") == ["in0", "in1"]
    assert input_keys(["x", "y"], [IMAGE], "") == ["x"]
    for names in ([], ["x"], ["in0"], ["image"]):
        with pytest.raises(InvalidInputError):
            input_keys(names, tensors, "")


@pytest.mark.parametrize("order", ["C", "F"])
def test_files_are_read_whole_and_in_rows(order: str, tmp_path: Path) -> None:
    x = np.asarray(np.arange(7 * 4 * 3).reshape(7, 4, 3) % 100, np.int8, order=order)  # type: ignore[call-overload]
    np.savez_compressed(tmp_path / "x.npz", in0=x, label=np.array(["text"]))
    assert np.array_equal(read_inputs(tmp_path / "x.npz", GRAPH)[0][:, 0], x)
    with Npz(tmp_path / "x.npz") as npz:
        pieces = list(npz.array("in0").rows(3))
    assert [len(piece) for piece in pieces] == [3, 3, 1] and np.array_equal(np.concatenate(pieces), x)


def test_headers_that_promise_too_much(tmp_path: Path) -> None:
    """A header's shape is believed only when the file has as many bytes."""
    header = io.BytesIO()
    description = {"descr": "|i1", "fortran_order": False, "shape": (2**40, 4, 3)}
    np.lib.format.write_array_header_1_0(header, description)  # type: ignore[arg-type]
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("in0.npy", header.getvalue() + bytes(12))
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_inputs(tmp_path / "bomb.npz", GRAPH)


def test_damaged_data(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", in0=np.zeros((7, 4, 3), np.int8))
    data = bytearray((tmp_path / "x.npz").read_bytes())
    data[200] ^= 0xFF
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_inputs(tmp_path / "x.npz", GRAPH)


def test_defaults_are_random_then_the_limits() -> None:
    (x,) = default_inputs(GRAPH, 6)
    assert x.shape == (8, 1, 4, 3) and x.dtype == np.int8
    assert (x[6] == -128).all() and (x[7] == 127).all() and len(np.unique(x[:6])) > 20
    assert np.array_equal(x, default_inputs(GRAPH, 6)[0])
    assert not np.array_equal(x[:6], default_inputs(GRAPH, 6, seed=1)[0][:6])
