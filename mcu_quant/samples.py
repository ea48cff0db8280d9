"""Samples on their way to a model: found in files or Python objects, shaped, quantized; and back.

A model's input of shape [1, ...] is given as [N, ...] or [N, 1, ...]; engines take [N, 1, ...].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph, Tensor
from mcu_quant.npz import Npz
from mcu_quant.ops.index_limits import Limits, index_limits, require_inside, whole_numbers

#: Samples that are calibrated with at a time.
CALIBRATION_BATCH = 32

Sample = tuple[np.ndarray, ...]


def input_keys(names: Sequence[str], tensors: Sequence[Tensor], where: str) -> list[str]:
    """The names, among those given, of the arrays for each input: its own name, or inK, or x."""
    choices = [[tensor.name for tensor in tensors], [f"in{k}" for k in range(len(tensors))]]
    choices += [["x"]] if len(tensors) == 1 else []
    for keys in choices:
        if all(key in names for key in keys):
            return keys
    raise InvalidInputError(
        "there must be one array for each input of the model",
        layer=where,
        value=f"arrays {', '.join(names)}" if names else "no arrays",
        hint=" or ".join(", ".join(keys) for keys in choices),
    )


def with_batch(array: np.ndarray, tensor: Tensor, where: str) -> np.ndarray:
    """[N, *tensor.shape], N >= 1, from [N, ...] or [N, 1, ...]."""
    require_batch(array.shape, tensor, where)
    if not len(array):
        raise InvalidInputError(
            "there must be at least one sample", layer=where, value=f"shape {list(array.shape)}"
        )
    return array if array.shape[1:] == tensor.shape else array[:, None]


def require_batch(given: tuple[int, ...], tensor: Tensor, where: str) -> None:
    """Raise InvalidInputError for a shape that is neither [N, ...] nor [N, 1, ...]."""
    shape = tensor.shape
    if given[1:] == shape or (shape[:1] == (1,) and len(given) == len(shape) and given[1:] == shape[1:]):
        return
    if given == shape[1:]:
        hint = "x[numpy.newaxis], if this is one sample"
    elif given[1:] == shape[1:-1] and shape[-1:] == (1,):
        hint = "x[..., numpy.newaxis], for the channel axis"
    else:
        hint = "check that the data was prepared for this model"
    raise InvalidInputError(
        f"data for input {tensor.name} must have the shape [{', '.join(map(str, ('N', *shape[1:])))}]",
        layer=where,
        value=f"shape {list(given)}",
        hint=hint,
    )


def quantize(array: np.ndarray, tensor: Tensor, where: str) -> np.ndarray:
    """Values for an input: raw integers as they are, floats by the input's scale and zero_point.

    Raw integers are of the input's type, or of a wider signed one (numpy's own is int64) if all fit.
    Rounded half away from zero after a float32 division and limited to the type, as QUANTIZE does.
    """
    dtype = np.dtype(tensor.dtype)
    if array.dtype == dtype and dtype.kind != "f":
        return array
    if dtype.kind == "b":
        return _conditions(array, tensor, where)
    if dtype.kind == "i" and tensor.quant is None:
        return whole_numbers(array, tensor, where)
    if array.dtype.kind != "f" and dtype.kind != "f":
        if array.dtype.kind == "i" and array.dtype.itemsize > dtype.itemsize:
            return _narrowed(array, tensor, where)
        raise InvalidInputError(
            f"integers for input {tensor.name} must be raw quantized values of its type, {tensor.dtype}",
            layer=where,
            value=array.dtype,
            hint=f"the real values as float32 (they are quantized on the way in), or {tensor.dtype}",
        )
    real = array.astype(np.float32)
    require_finite(real, where)
    if dtype.kind == "f":
        return real
    ratio = (real / np.float32(tensor.scale)).astype(np.float64)
    q = np.sign(ratio) * np.floor(np.abs(ratio) + 0.5) + tensor.zero_point
    limits = np.iinfo(dtype)
    return np.clip(q, limits.min, limits.max).astype(dtype)


def _conditions(array: np.ndarray, tensor: Tensor, where: str) -> np.ndarray:
    if not np.isin(array, (0, 1)).all():
        raise InvalidInputError(
            f"data for input {tensor.name} must be conditions: bool, or 0 and 1",
            layer=where,
            value=array.dtype,
        )
    return array.astype(np.bool_)


def _narrowed(array: np.ndarray, tensor: Tensor, where: str) -> np.ndarray:
    limits = np.iinfo(tensor.dtype)
    low, high = int(array.min()), int(array.max())
    if low < limits.min or high > limits.max:
        raise InvalidInputError(
            f"integers for input {tensor.name} must be raw quantized values, {limits.min} to {limits.max}",
            layer=where,
            value=f"{array.dtype} from {low} to {high}",
            hint="the real values as float32, which are quantized on the way in",
        )
    return array.astype(tensor.dtype)


def dequantize(array: np.ndarray, tensor: Tensor) -> np.ndarray:
    """float32 real values of an output: scale * (q - zero_point)."""
    if tensor.quant is None:
        return array.astype(np.float32)
    shifted = (array.astype(np.int64) - tensor.zero_point).astype(np.float32)
    return np.float32(tensor.scale) * shifted


def without_batch(array: np.ndarray) -> np.ndarray:
    """[N, ...] from [N, 1, ...]; other arrays as they are."""
    return array[:, 0] if array.ndim > 2 and array.shape[1] == 1 else array


def require_finite(array: np.ndarray, where: str) -> None:
    if not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array.reshape(-1)))[0])
        raise InvalidInputError(
            "data must be finite",
            layer=where,
            value=f"{array.reshape(-1)[bad]} at element {bad}",
            hint="find where NaN or infinity comes from in the preparation of the data",
        )


def read_inputs(path: Path, graph: Graph) -> list[np.ndarray]:
    """The inputs of a model from a .npz file, [N, *shape] each, quantized where they are floats."""
    tensors = graph.input_tensors()
    with Npz(path) as npz:
        keys = input_keys(npz.names, tensors, str(path))
        arrays = [npz.array(key).read() for key in keys]
    where, limits = [f"{path}:{key}" for key in keys], index_limits(graph)
    inputs = prepare_inputs(arrays, tensors, where)
    for array, tensor, place in zip(inputs, tensors, where, strict=True):
        require_inside(array, tensor, limits.get(tensor.name), place)
    return inputs


def prepare_inputs(
    arrays: Sequence[np.ndarray], tensors: Sequence[Tensor], where: Sequence[str]
) -> list[np.ndarray]:
    """Shaped and quantized, all with the same number of samples."""
    inputs = [
        quantize(with_batch(array, tensor, place), tensor, place)
        for array, tensor, place in zip(arrays, tensors, where, strict=True)
    ]
    require_same_count(inputs, ", ".join(where))
    return inputs


def require_same_count(arrays: Sequence[np.ndarray], where: str) -> None:
    counts = [len(array) for array in arrays]
    if len(set(counts)) > 1:
        raise InvalidInputError("all inputs must have the same number of samples", layer=where, value=counts)


def default_inputs(graph: Graph, count: int = 8, seed: int = 0) -> list[np.ndarray]:
    """count samples of seeded random values over the whole range, then all-min and all-max.

    Of indices the range is that of the tables that they point into.
    """
    generator, limits = np.random.default_rng(seed), index_limits(graph)
    return [
        _default_input(graph, tensor, count, generator, limits.get(tensor.name))
        for tensor in graph.input_tensors()
    ]


def enough_samples(graph: Graph, count: int) -> int:
    """count, or as many as fill two windows of a graph that streams."""
    streaming = graph.streaming
    return count if streaming is None else max(count, -(-2 * streaming.frames // streaming.hop))


def _default_input(
    graph: Graph, tensor: Tensor, count: int, generator: np.random.Generator, inside: Limits | None
) -> np.ndarray:
    integer = tensor if tensor.dtype != "float32" else _integer_form(graph, tensor)
    drawn: np.ndarray
    if integer is None:
        drawn = generator.standard_normal((count, *tensor.shape)).astype(np.float32)
        limits: tuple[Any, Any] = (np.float32(-8), np.float32(8))
        if inside is not None:
            drawn, limits = generator.integers(*inside, drawn.shape, endpoint=True).astype(np.float32), inside
    else:
        limits = _limits(integer) if inside is None else inside
        drawn = generator.integers(*limits, (count, *tensor.shape), np.int64, endpoint=True)
        drawn = drawn.astype(integer.dtype)
    edges = [np.full((1, *tensor.shape), value, drawn.dtype) for value in limits]
    values = np.concatenate([drawn, *edges])
    return values if integer is None or integer is tensor else dequantize(values, integer)


def _limits(tensor: Tensor) -> tuple[int, int]:
    """The smallest and the largest value of an integer tensor's type; of a condition 0 and 1."""
    if tensor.dtype == "bool":
        return 0, 1
    info = np.iinfo(tensor.dtype)
    return int(info.min), int(info.max)


def _integer_form(graph: Graph, tensor: Tensor) -> Tensor | None:
    """What a float input becomes in the model's first layer, if that quantizes it."""
    for node in graph.consumers()[tensor.name]:
        if node.op == "quantize":
            return graph.tensors[node.outputs[0]]
    return None


class CalibrationFile:
    """Calibration samples of a .npz file, read in one pass and never all in memory."""

    def __init__(self, path: Path, graph: Graph) -> None:
        self._path = path
        with Npz(path) as npz:
            self._keys = input_keys(npz.names, graph.input_tensors(), str(path))
            shapes = {key: npz.array(key).shape for key in self._keys}
        counts = {shape[0] if shape else 0 for shape in shapes.values()}
        if len(counts) > 1 or 0 in counts:
            raise InvalidInputError(
                "there must be calibration samples, as many for each input",
                layer=str(path),
                value=", ".join(f"{key} of shape {list(shape)}" for key, shape in shapes.items()),
                hint="100 to 500 samples of what the model will see",
            )
        for (key, shape), tensor in zip(shapes.items(), graph.input_tensors(), strict=True):
            require_batch(shape, tensor, f"{path}:{key}")
        (self.count,) = counts

    def __iter__(self) -> Iterator[Sample]:
        with Npz(self._path) as npz:
            yield from zip(*(npz.array(key).rows(CALIBRATION_BATCH) for key in self._keys), strict=True)


def calibration_samples(dataset: Any, graph: Graph) -> Iterable[Any]:
    """What `quantize` iterates over, from what Python callers have.

    dataset: the path of a .npz file; an array [N, ...]; a dict of such arrays by input name; an iterable
    of samples; or a TFLite-style generator function. A sample is an array (one input), a list or
    tuple of arrays in the order of the inputs, or a dict by input name.
    """
    if isinstance(dataset, (str, Path)):
        return CalibrationFile(Path(dataset), graph)
    tensors = graph.input_tensors()
    where = "representative_dataset"
    if isinstance(dataset, np.ndarray):
        dataset = {"x": dataset}
    if isinstance(dataset, Mapping):
        arrays = [np.asarray(array) for array in in_order(dataset, tensors, where)]
        for array, tensor in zip(arrays, tensors, strict=True):
            require_batch(array.shape, tensor, where)
        require_same_count(arrays, where)
        step = CALIBRATION_BATCH
        return [tuple(a[i : i + step] for a in arrays) for i in range(0, len(arrays[0]), step)]
    if not callable(dataset) and not isinstance(dataset, Iterable):
        raise InvalidInputError(
            "the representative dataset must be an array, a dict of arrays, an iterable of samples or a "
            "generator function",
            value=type(dataset).__name__,
        )
    again = callable(dataset) or iter(dataset) is not dataset
    return _Samples(dataset, tensors, where) if again else iter(_Samples(dataset, tensors, where))


@dataclass(frozen=True)
class _Samples:
    """Samples that can be run through again: of a generator function, or of an iterable."""

    source: Any
    tensors: Sequence[Tensor]
    where: str

    def __iter__(self) -> Iterator[Any]:
        samples = self.source() if callable(self.source) else self.source
        if not isinstance(samples, Iterable):
            raise InvalidInputError(
                "a generator function must give an iterable of samples", value=type(samples).__name__
            )
        for index, item in enumerate(samples):
            where = f"{self.where}, sample {index}"
            yield tuple(in_order(item, self.tensors, where)) if isinstance(item, Mapping) else item


def in_order(arrays: Mapping[Any, Any], tensors: Sequence[Tensor], where: str) -> list[Any]:
    """The arrays of a dict by input name (or in0, …, or x), in the order of the inputs."""
    return [arrays[key] for key in input_keys([str(key) for key in arrays], tensors, where)]
