"""Calibration samples: validated, and cut into batches of one size whatever the caller's split.

The size of a batch decides the order of floating-point sums, so it depends on the graph alone:
the same samples give the same ranges however they are handed over.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph, Tensor
from mcu_quant.ops.index_limits import Limits, index_limits, require_inside, whole_numbers

#: Samples of one batch: at most this many, and at most this many elements in its largest activation.
_MAX_BATCH = 64
_MAX_BATCH_ELEMENTS = 2**21

Batch = tuple[np.ndarray, ...]


class CalibrationWarning(UserWarning):
    """Calibration data that is usable but probably not what was meant."""


def batch_size(graph: Graph) -> int:
    """How many samples run at once; what bounds the memory of calibration."""
    largest = max(t.elements for t in graph.tensors.values() if not t.is_constant)
    return max(1, min(_MAX_BATCH, _MAX_BATCH_ELEMENTS // largest))


def batches(graph: Graph, samples: Iterable[Any]) -> Iterator[Batch]:
    """Batches of batch_size(graph) samples (the last may be smaller): [N, *shape] per input, as below."""
    size = batch_size(graph)
    pending: list[Batch] = []
    held = 0
    for chunk in checked_chunks(graph, samples):
        pending.append(chunk)
        held += len(chunk[0])
        if held < size:
            continue
        joined = _join(pending)
        whole = held - held % size
        for start in range(0, whole, size):
            yield tuple(array[start : start + size] for array in joined)
        held -= whole
        pending = [tuple(array[whole:] for array in joined)] if held else []
    if held:
        yield _join(pending)


def count(graph: Graph, samples: Iterable[Any]) -> int | None:
    """How many samples there are, None if only running through them would tell."""
    if isinstance(samples, np.ndarray):
        return len(samples)
    if not isinstance(samples, Sequence):
        return None
    first = graph.tensors[graph.inputs[0]] if graph.inputs else None
    if first is None:
        return len(samples)
    total = 0
    for item in samples:
        array = item[0] if isinstance(item, (tuple, list)) and item else item
        shape = np.shape(array)
        total += int(shape[0]) if len(shape) > len(first.shape) - 1 else 1
    return total


def checked_chunks(graph: Graph, samples: Iterable[Any]) -> Iterator[Batch]:
    """The caller's items one by one, each as float32 (int32 of indices) [n, *shape] per input.

    Raises InvalidInputError for no samples at all, for a wrong number of inputs, a wrong shape or
    type, and for NaN or infinity (naming the sample).
    """
    seen = 0
    for item in samples:
        chunk = _chunk(graph, item, seen)
        seen += len(chunk[0])
        if len(chunk[0]):
            yield chunk
    if seen == 0:
        raise InvalidInputError(
            "calibration needs at least one sample",
            value="0 samples",
            hint="100 to 500 samples of the data that the model will see",
        )


def _join(chunks: Sequence[Batch]) -> Batch:
    if len(chunks) == 1:
        return chunks[0]
    return tuple(np.concatenate(arrays) for arrays in zip(*chunks, strict=True))


def _chunk(graph: Graph, item: Any, index: int) -> Batch:
    arrays = tuple(item) if isinstance(item, (tuple, list)) else (item,)
    if len(arrays) != len(graph.inputs):
        raise InvalidInputError(
            f"each calibration item must have one array for each of the {len(graph.inputs)} model inputs",
            layer=", ".join(graph.inputs),
            value=f"{len(arrays)} arrays at sample {index}",
        )
    pairs = zip(graph.input_tensors(), arrays, strict=True)
    limits = index_limits(graph)
    chunk = tuple(_one_input(tensor, array, index, limits.get(tensor.name)) for tensor, array in pairs)
    if index == 0:
        _note_integers(graph, arrays)
    counts = [len(array) for array in chunk]
    if len(set(counts)) > 1:
        raise InvalidInputError(
            "all model inputs must have the same number of samples",
            layer=", ".join(graph.inputs),
            value=f"{counts} from sample {index} on",
        )
    return chunk


def _note_integers(graph: Graph, arrays: Sequence[Any]) -> None:
    for tensor, item in zip(graph.input_tensors(), arrays, strict=True):
        dtype = np.asarray(item).dtype
        if tensor.dtype == "float32" and dtype.kind in "iu":
            limits = np.iinfo(dtype)
            extent = f" {limits.min}..{limits.max}" if dtype.itemsize == 1 else ""
            warnings.warn(
                f"{tensor.name}: calibration data of type {dtype} is taken as real values{extent}; scale it "
                "as in training, if training scaled it.",
                CalibrationWarning,
                stacklevel=2,
            )


def _one_input(tensor: Tensor, item: Any, index: int, limits: Limits | None) -> np.ndarray:
    array = np.asarray(item)
    if tensor.dtype != "float32":
        where = f"sample {index}"
        whole = whole_numbers(array, tensor, where)
        require_inside(whole, tensor, limits, where)
        return _with_sample_axis(tensor, whole)
    if array.dtype.kind not in "iuf":
        raise InvalidInputError(
            "calibration data must be numbers", layer=tensor.name, value=f"dtype {array.dtype}"
        )
    with np.errstate(over="ignore"):
        shaped = _with_sample_axis(tensor, array).astype(np.float32, copy=False)
    if not np.isfinite(shaped).all():
        bad = int(np.argmin(np.isfinite(shaped).reshape(len(shaped), -1).all(axis=1)))
        raise InvalidInputError(
            "calibration data must be finite",
            layer=tensor.name,
            value=f"NaN or infinity in sample {index + bad}",
            hint="clean or drop that sample",
        )
    return shaped


def _with_sample_axis(tensor: Tensor, array: np.ndarray) -> np.ndarray:
    """array as [n, *tensor.shape]: from [n, *shape], [n, *shape[1:]] or one sample shape[1:]."""
    shape = tensor.shape
    if array.ndim == len(shape) + 1 and array.shape[1:] == shape:
        return array
    if array.ndim == len(shape) and array.shape[1:] == shape[1:]:
        return array[:, None]
    if array.ndim == len(shape) - 1 and array.shape == shape[1:]:
        return array[None, None]
    expected = ", ".join(str(size) for size in ("n", *shape[1:]))
    raise InvalidInputError(
        "the shape of calibration data must be that of the model's input",
        layer=tensor.name,
        value=f"{list(array.shape)}, expected [{expected}]",
        hint="reshape the data, for instance x[..., np.newaxis] where a channel axis of 1 is missing",
    )
