"""Samples and their labels, run through as often as needed and never held whole (if they come from a file).

`x` (or the inputs by name) and `y` of a .npz file or a dict; samples without labels as `quantize` takes them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcu_quant import samples
from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph
from mcu_quant.npz import Npz, NpzArray
from mcu_quant.quantize.samples import batch_size, checked_chunks

LABELS = "y"
#: (inputs as given, labels or None), each with as many rows.
Chunk = tuple[tuple[np.ndarray, ...], "np.ndarray | None"]
#: Which samples are kept: positions [n] to booleans [n].
Keep = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Batch:
    """inputs: float32 [n, *shape] each. labels: [n, …] or None. start: the position of the first sample.

    positions: of each sample in the whole data set, int64 [n].
    """

    inputs: tuple[np.ndarray, ...]
    labels: np.ndarray | None
    positions: np.ndarray


class Dataset(ABC):
    """Samples of a model's inputs. Iterating gives what quantize takes: a tuple of arrays at a time."""

    #: numpy's, or a file's; None without labels.
    _labels: np.ndarray | NpzArray | None = None

    def __init__(self, graph: Graph, where: str) -> None:
        self.graph, self.where = graph, where

    @property
    @abstractmethod
    def count(self) -> int:
        """How many samples there are, at least 1."""

    @property
    def labels_shape(self) -> tuple[int, ...] | None:
        """[N, …], None without labels."""
        return None if self._labels is None else self._labels.shape

    @property
    def labels_kind(self) -> str:
        """numpy's kind of the labels: "i", "u" or "f"; "" without labels."""
        return "" if self._labels is None else self._labels.dtype.kind

    @abstractmethod
    def chunks(self, size: int) -> Iterator[Chunk]:
        """All samples in order, up to size at a time."""

    def batches(self) -> Iterator[Batch]:
        """All samples in order, shaped and checked. Raises InvalidInputError for NaN and infinity."""
        tensors = self.graph.input_tensors()
        where = [self.where] * len(tensors)
        start = 0
        for raw, labels in self.chunks(batch_size(self.graph)):
            inputs = samples.prepare_inputs(raw, tensors, where)
            count = len(inputs[0])
            yield Batch(tuple(inputs), labels, self._positions(start, count))
            start += count

    def _positions(self, start: int, count: int) -> np.ndarray:
        return np.arange(start, start + count)

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        for inputs, _ in self.chunks(samples.CALIBRATION_BATCH):
            yield inputs

    def part(self, keep: Keep) -> Dataset:
        """The samples whose positions are kept; at least one."""
        return _Part(self, keep)

    def thinned(self, most: int) -> Dataset:
        """At most that many samples, evenly from the whole (data is often sorted by label)."""
        step = -(-self.count // most)
        return self if step == 1 else self.part(lambda positions: positions % step == 0)


class _Arrays(Dataset):
    _labels: np.ndarray | None

    def __init__(
        self, graph: Graph, where: str, arrays: Sequence[np.ndarray], labels: np.ndarray | None
    ) -> None:
        super().__init__(graph, where)
        self._arrays, self._labels = arrays, labels
        shapes = [array.shape for array in arrays]
        _check_shapes(graph, where, shapes, None if labels is None else labels.shape)

    @property
    def count(self) -> int:
        return len(self._arrays[0])

    def chunks(self, size: int) -> Iterator[Chunk]:
        for start in range(0, self.count, size):
            piece = slice(start, start + size)
            labels = None if self._labels is None else self._labels[piece]
            yield tuple(array[piece] for array in self._arrays), labels


class _File(Dataset):
    def __init__(self, graph: Graph, path: Path) -> None:
        super().__init__(graph, str(path))
        self._path = path
        with Npz(path) as npz:
            self._keys = samples.input_keys(npz.names, graph.input_tensors(), str(path))
            arrays = [npz.array(key) for key in self._keys]
            self._labels = npz.array(LABELS) if LABELS in npz.names and LABELS not in self._keys else None
        shapes = [array.shape for array in arrays]
        _check_shapes(graph, str(path), shapes, None if self._labels is None else self._labels.shape)
        self._count = shapes[0][0]

    @property
    def count(self) -> int:
        return self._count

    def chunks(self, size: int) -> Iterator[Chunk]:
        keys = self._keys if self._labels is None else [*self._keys, LABELS]
        with Npz(self._path) as npz:
            for rows in zip(*(npz.array(key).rows(size) for key in keys), strict=True):
                yield rows[: len(self._keys)], None if self._labels is None else rows[-1]


class _Items(Dataset):
    """Samples one by one, from an iterable or a generator function: no labels."""

    def __init__(self, graph: Graph, where: str, items: Callable[[], Iterable[Any]]) -> None:
        super().__init__(graph, where)
        self._items = items
        self._count = sum(len(chunk[0]) for chunk in checked_chunks(graph, items()))

    @property
    def count(self) -> int:
        return self._count

    def chunks(self, size: int) -> Iterator[Chunk]:
        for chunk in checked_chunks(self.graph, self._items()):
            for start in range(0, len(chunk[0]), size):
                yield tuple(array[start : start + size] for array in chunk), None


class _Part(Dataset):
    def __init__(self, whole: Dataset, keep: Keep) -> None:
        super().__init__(whole.graph, whole.where)
        self._whole, self._keep = whole, keep
        self._kept = np.flatnonzero(keep(np.arange(whole.count)))
        if not len(self._kept):
            raise InvalidInputError(
                "there must be enough samples to set some aside", layer=whole.where, value=whole.count
            )

    @property
    def count(self) -> int:
        return len(self._kept)

    @property
    def labels_shape(self) -> tuple[int, ...] | None:
        shape = self._whole.labels_shape
        return None if shape is None else (self.count, *shape[1:])

    @property
    def labels_kind(self) -> str:
        return self._whole.labels_kind

    def chunks(self, size: int) -> Iterator[Chunk]:
        start = 0
        for inputs, labels in self._whole.chunks(size):
            count = len(inputs[0])
            kept = self._keep(np.arange(start, start + count))
            start += count
            if kept.any():
                yield tuple(array[kept] for array in inputs), None if labels is None else labels[kept]

    def _positions(self, start: int, count: int) -> np.ndarray:
        return self._kept[start : start + count]


def dataset_of(source: Any, graph: Graph, where: str) -> Dataset:
    """The samples of a .npz file (a path), an array, a dict, a list of samples or a generator function.

    Labels are what the file or the dict has as `y`. An iterator that can be run through only once is
    refused: diagnosing and comparing run through the samples several times.
    """
    if isinstance(source, Dataset):
        return source
    if isinstance(source, (str, Path)):
        return _File(graph, Path(source))
    if isinstance(source, np.ndarray):
        source = {"x": source}
    if isinstance(source, Mapping):
        tensors = graph.input_tensors()
        arrays = [np.asarray(array) for array in samples.in_order(source, tensors, where)]
        names = [tensor.name for tensor in tensors]
        labels = np.asarray(source[LABELS]) if LABELS in source and LABELS not in names else None
        return _Arrays(graph, where, arrays, labels)
    if callable(source):
        return _Items(graph, where, lambda: samples.calibration_samples(source, graph))
    if isinstance(source, Iterable) and iter(source) is not source:
        return _Items(graph, where, lambda: samples.calibration_samples(source, graph))
    raise InvalidInputError(
        "samples must be something that can be run through several times",
        layer=where,
        value=type(source).__name__,
        hint="an array, a dict with x and y, a list, a generator function, or the path of a .npz file",
    )


def _check_shapes(
    graph: Graph, where: str, shapes: Sequence[tuple[int, ...]], labels: tuple[int, ...] | None
) -> None:
    counts = {shape[0] if shape else 0 for shape in shapes}
    if len(counts) > 1 or 0 in counts:
        raise InvalidInputError(
            "there must be samples, as many for each input", layer=where, value=[list(s) for s in shapes]
        )
    for shape, tensor in zip(shapes, graph.input_tensors(), strict=True):
        samples.require_batch(shape, tensor, where)
    if labels is not None and (not labels or labels[0] not in counts):
        raise InvalidInputError(
            "there must be one label (y) for each sample",
            layer=where,
            value=f"y of shape {list(labels)}, {counts.pop()} samples",
        )
