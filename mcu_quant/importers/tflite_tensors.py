"""The tensors of a .tflite file as ours: types, shapes, scales, constants."""

from __future__ import annotations

import math

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem
from mcu_quant.importers.tflite_file import FileQuantization, FileTensor
from mcu_quant.ir import QuantParams, Tensor

_TYPES = {
    "FLOAT32": "float32",
    "FLOAT16": "float16",
    "INT8": "int8",
    "UINT8": "uint8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
}
_TYPE_HINTS = {
    "INT4": "quantize the weights to 8 bits",
    "UINT4": "quantize the weights to 8 bits",
    "INT2": "quantize the weights to 8 bits",
    "RESOURCE": "a model without tables; variables are read where a VAR_HANDLE names them",
    "VARIANT": "a model without lists of tensors: unroll=True in recurrent layers",
    "STRING": "turn text into numbers before the model",
    "FLOAT64": "float32 numbers",
    "BFLOAT16": "float32 numbers",
    "COMPLEX64": "transform to real numbers before the model",
}
_ZERO_POINTS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-(2**15), 2**15 - 1)}
#: More elements than any microcontroller holds, and few enough for 64-bit sums anywhere.
MAX_ELEMENTS = 2**28
_MAX_RANK = 8


def read_tensor(name: str, tensor: FileTensor) -> Tensor | Problem:
    """The tensor under that name, or why it has no form here. Raises InvalidModelError."""
    problem = _tensor_problem(name, tensor)
    if problem is not None:
        return problem
    dtype = _TYPES[tensor.type_name]
    check_shape(name, tensor.shape, may_be_empty=dtype in ("int32", "int64"))
    quant = _quant(name, tensor.shape, dtype, tensor.quantization)
    data = None if tensor.data is None else _constant(name, tensor, dtype)
    return Tensor(name, tensor.shape, dtype, quant, data)


def _tensor_problem(name: str, tensor: FileTensor) -> Problem | None:
    if tensor.type_name not in _TYPES:
        hint = _TYPE_HINTS.get(tensor.type_name, f"one of {', '.join(_TYPES)}")
        return Problem("the type must be a supported one", name, tensor.type_name, hint)
    if tensor.external:
        hint = "one file: convert without external buffers"
        return Problem("constants must be in the file", name, "an external buffer", hint)
    if tensor.is_sparse:
        return Problem("tensors must be dense", name, "sparsity", "convert without EXPERIMENTAL_SPARSITY")
    if tensor.type_name == "FLOAT16" and tensor.data is None:
        return Problem("what is computed must not be float16", name, "FLOAT16", "float32 activations")
    if tensor.is_variable and tensor.data is not None:
        return Problem("a variable tensor must begin as zeros", name, "a buffer", "convert the model again")
    return None


def check_shape(name: str, shape: tuple[int, ...], may_be_empty: bool) -> None:
    """Raises InvalidModelError for sizes that cannot be. may_be_empty: as are some shapes and axes."""
    positive = all(size >= (0 if may_be_empty else 1) for size in shape)
    elements = math.prod(max(size, 1) for size in shape)  # of what would be beside an empty axis, too
    if len(shape) > _MAX_RANK or not positive or elements > MAX_ELEMENTS:
        raise InvalidModelError(
            f"a tensor must have at most {_MAX_RANK} sizes, positive, and at most {MAX_ELEMENTS} elements",
            layer=name,
            value=f"shape {shape}",
            hint="export the model with fixed sizes",
        )


def _constant(name: str, tensor: FileTensor, dtype: str) -> np.ndarray:
    """The buffer as an array (a view of the file)."""
    assert tensor.data is not None
    wanted = math.prod(tensor.shape) * np.dtype(dtype).itemsize
    if len(tensor.data) != wanted:
        raise InvalidModelError(
            "a constant's buffer must have the size of its shape",
            layer=name,
            value=f"{len(tensor.data)} bytes for shape {tensor.shape} of {dtype}",
            hint="export the model again",
        )
    array = np.frombuffer(tensor.data, np.dtype(dtype).newbyteorder("<")).reshape(tensor.shape)
    if dtype in ("float32", "float16") and not np.isfinite(array).all():
        raise InvalidModelError(
            "weights must be finite",
            layer=name,
            value="NaN or infinity",
            hint="train with a lower learning rate",
        )
    return array


def _quant(
    name: str, shape: tuple[int, ...], dtype: str, quantization: FileQuantization | None
) -> QuantParams | None:
    if quantization is None or dtype not in ("int8", "uint8", "int16", "int32", "int64"):
        return None
    scale, zero_point, axis = quantization.scale, quantization.zero_point, quantization.axis
    if dtype == "int16" and quantization.is_zero:
        scale = np.ones(1, np.float32)  # any will do for zeros; what is computed is refused elsewhere
    if zero_point.size <= 1:
        zero_point = np.broadcast_to(zero_point if zero_point.size else np.int64(0), scale.shape)
    if len(shape) == 1:
        axis = 0  # published models carry the weights' axis on their biases; TFLM runs them
    low, high = _ZERO_POINTS.get(dtype, (0, 0))
    holds = {
        "a scale must be positive and finite": np.isfinite(scale).all() and (scale > 0).all(),
        f"a zero_point must be in [{low}, {high}]": (zero_point >= low).all() and (zero_point <= high).all(),
        "there must be one scale, or one per index of an axis": scale.size == 1
        or (0 <= axis < len(shape) and scale.size == shape[axis]),
        "there must be a zero_point for every scale": scale.size == zero_point.size,
    }
    for rule, held in holds.items():
        if not held:
            value = f"scale {scale[:4]}, zero_point {zero_point[:4]}, axis {axis}, shape {shape}"
            raise InvalidModelError(rule, layer=name, value=value, hint="quantize the model again")
    scales, zero_points = (tuple(values.tolist()) for values in (scale.astype(np.float64), zero_point))
    return QuantParams(scales, zero_points, None if scale.size == 1 else axis)
