"""SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND: a dilated convolution, as TensorFlow spells it.

Converters leave it so where the batch is open, and then declare a batch of 1 where blocks are: only in one
piece do such models have shapes that fit. Each phase of the space is a batch, the same window slides over
each, so sums and bits are those of the dilated convolution; borders cut off behind it are paddings less. Only
a hybrid one differs, within its tolerance: it quantizes its input once, not phase by phase.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcu_quant.importers.tflite_file import (
    CORRUPTION,
    FileOperator,
    FileQuantization,
    FileSubgraph,
    FileTensor,
)
from mcu_quant.ops.base import same_padding

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_RESHAPES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
_INTEGERS: Mapping[str, np.dtype[np.signedinteger]] = {"INT32": np.dtype("<i4"), "INT64": np.dtype("<i8")}
#: In Padding of schema.fbs.
_SAME, _VALID = 0, 1


def fuse_dilations(graph: FileSubgraph) -> FileSubgraph:
    """The subgraph with such chains as dilated convolutions, where the result is the same for all inputs."""
    fuser = _Fuser(graph)
    for position, operator in enumerate(graph.operators):
        if operator.builtin == "SPACE_TO_BATCH_ND":
            fuser.fuse(position)
    operators = (new for at, op in enumerate(graph.operators) for new in fuser.replaced.get(at, (op,)))
    return replace(graph, tensors=tuple(fuser.tensors), operators=tuple(operators))


@dataclass(frozen=True)
class _Chain:
    """positions: of all its operators. borders, dilation: of height and width."""

    positions: tuple[int, ...]
    source: int
    convolution: FileOperator
    target: int
    borders: tuple[tuple[int, int], tuple[int, int]]
    dilation: tuple[int, int]


class _Options:
    """The convolution's options, some of them others."""

    def __init__(self, original: Any, **values: int) -> None:
        self.original, self.values = original, values

    def __getattr__(self, name: str) -> Any:
        value = self.values.get(name)
        return getattr(self.original, name) if value is None else lambda: value


class _Fuser:
    def __init__(self, graph: FileSubgraph) -> None:
        self.graph = graph
        self.tensors = list(graph.tensors)
        #: By position: what stands there in its place.
        self.replaced: dict[int, tuple[FileOperator, ...]] = {}
        self.readers: dict[int, list[int]] = {}
        for position, operator in enumerate(graph.operators):
            for index in operator.inputs:
                self.readers.setdefault(index, []).append(position)

    def fuse(self, position: int) -> None:
        try:
            chain = self.chain(position)
            operators = [] if chain is None else self.convolution(chain)
        except CORRUPTION:  # the reader says what is wrong with the operators as they are
            return
        if chain is not None:
            self.replaced |= dict.fromkeys(chain.positions, ())
            at = next(p for p in chain.positions if self.graph.operators[p] is chain.convolution)
            self.replaced[at] = tuple(operators)

    def chain(self, position: int) -> _Chain | None:
        positions = self.followed(position)
        operators = [self.graph.operators[at] for at in positions]
        if len(operators) not in (3, 5) or operators[-1].builtin != "BATCH_TO_SPACE_ND":
            return None
        first, *reshapes, last = operators
        convolution = reshapes.pop(len(reshapes) // 2)
        if convolution.builtin not in _CONVOLUTIONS or any(op.builtin not in _RESHAPES for op in reshapes):
            return None
        block, paddings = self.integers(first, 1), self.integers(first, 2)
        crops = self.integers(last, 2)
        if not block or self.integers(last, 1) != block or paddings is None or crops is None:
            return None
        borders = [size - cut for size, cut in zip(paddings, crops, strict=False)]
        if len(borders) != 2 * len(block) or min((*block, *borders)) < 0 or len(crops) != len(paddings):
            return None
        source, target = first.inputs[0], last.outputs[0]
        axes = self.axes(source, convolution.inputs[0], len(block), bool(reshapes))
        if axes is None or not self.is_plain(convolution) or not self.keeps_scales(operators):
            return None
        pairs, dilation = [(0, 0), (0, 0)], [1, 1]
        for index, axis in enumerate(axes):
            pairs[axis], dilation[axis] = (borders[2 * index], borders[2 * index + 1]), block[index]
        sides = (pairs[0], pairs[1]), (dilation[0], dilation[1])
        return _Chain(tuple(positions), source, convolution, target, *sides)

    def followed(self, position: int) -> list[int]:
        """The operators from there to BATCH_TO_SPACE_ND, each the only reader of the one before."""
        positions = [position]
        while len(positions) < 5 and self.graph.operators[positions[-1]].builtin != "BATCH_TO_SPACE_ND":
            outputs = self.graph.operators[positions[-1]].outputs
            readers = self.readers.get(outputs[0], []) if len(outputs) == 1 else []
            if len(readers) != 1 or outputs[0] in self.graph.outputs:
                break
            if self.graph.operators[readers[0]].inputs[0] != outputs[0]:
                break
            positions.append(readers[0])
        return positions

    def integers(self, operator: FileOperator, index: int) -> list[int] | None:
        """A constant input's numbers."""
        at = operator.inputs[index] if index < len(operator.inputs) else -1
        tensor = self.tensors[at] if at >= 0 else None
        dtype = None if tensor is None else _INTEGERS.get(tensor.type_name)
        if tensor is None or dtype is None or tensor.data is None:
            return None
        whole = len(tensor.data) == math.prod(tensor.shape) * dtype.itemsize
        return [int(value) for value in np.frombuffer(tensor.data, dtype)] if whole else None

    def axes(self, source: int, convolved: int, sides: int, reshaped: bool) -> tuple[int, ...] | None:
        """Which of height (0) and width (1) the blocks' sides are; None if that is not clear."""
        x, image = self.tensors[source].shape, self.tensors[convolved].shape
        if not reshaped:
            return (0, 1) if len(x) == 4 and sides == 2 else None
        if len(x) != 3 or len(image) != 4 or sides != 1 or 1 not in image[1:3]:
            return None
        return (1,) if image[1] == 1 else (0,)

    def is_plain(self, convolution: FileOperator) -> bool:
        options = convolution.options
        names = ("StrideH", "StrideW", "DilationHFactor", "DilationWFactor")
        plain = options is not None and all(getattr(options, name)() == 1 for name in names)
        weights = self.tensors[convolution.inputs[1]] if len(convolution.inputs) > 1 else None
        return plain and options.Padding() == _VALID and weights is not None and len(weights.shape) == 4

    def keeps_scales(self, operators: Sequence[FileOperator]) -> bool:
        """Whether all but the convolution have one type and quantization."""
        moved = [op for op in operators if op.builtin not in _CONVOLUTIONS]
        pairs = [(self.tensors[op.inputs[0]], self.tensors[op.outputs[0]]) for op in moved]
        return all(
            x.type_name == y.type_name and _numbers(x.quantization) == _numbers(y.quantization)
            for x, y in pairs
        )

    def convolution(self, chain: _Chain) -> list[FileOperator]:
        """The convolution with its dilation, behind a PAD where it has borders that are not SAME's."""
        x, weights = self.tensors[chain.source], self.tensors[chain.convolution.inputs[1]]
        before, at, is_time = [], chain.source, len(x.shape) == 3
        if is_time:
            wide = chain.dilation[1] > 1
            batch, time, channels = x.shape
            image = (batch, 1, time, channels) if wide else (batch, time, 1, channels)
            before.append(self.reshape(at, image))
            at = before[-1].outputs[0]
        shape = self.tensors[at].shape
        windows = zip(shape[1:3], weights.shape[1:3], chain.dilation, strict=True)
        same = chain.borders == tuple(same_padding(size, side, 1, step) for size, side, step in windows)
        if not same and any(size for border in chain.borders for size in border):
            before.append(self.pad(at, chain.borders))
            at = before[-1].outputs[0]
        options = _Options(
            chain.convolution.options,
            Padding=_SAME if same else _VALID,
            DilationHFactor=chain.dilation[0],
            DilationWFactor=chain.dilation[1],
        )
        y = self.tensors[chain.target]
        target = chain.target
        if is_time:
            wide_shape = (y.shape[0], 1, *y.shape[1:]) if image[1] == 1 else (*y.shape[:2], 1, *y.shape[2:])
            target = self.added(replace(y, name=f"{y.name}/image", shape=wide_shape, shape_signature=()))
        inputs = (at, *chain.convolution.inputs[1:])
        convolution = replace(chain.convolution, inputs=inputs, outputs=(target,), options=options)
        return [*before, convolution, *([self.reshape(target, y.shape, chain.target)] if is_time else [])]

    def added(self, tensor: FileTensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(self, name: str, values: Any) -> int:
        data = np.asarray(values, "<i4")
        return self.added(
            FileTensor(name, data.shape, (), True, "INT32", None, memoryview(data.tobytes()), False, False)
        )

    def reshape(self, at: int, shape: tuple[int, ...], target: int | None = None) -> FileOperator:
        x = self.tensors[at]
        if target is None:
            target = self.added(
                replace(x, name=f"{x.name}/image", shape=shape, shape_signature=(), data=None)
            )
        sizes = self.constant(f"{x.name}/sizes", shape)
        return FileOperator("RESHAPE", "", None, (at, sizes), (target,))

    def pad(self, at: int, borders: tuple[tuple[int, int], ...]) -> FileOperator:
        x = self.tensors[at]
        paddings = ((0, 0), *borders, (0, 0))
        shape = tuple(size + sum(border) for size, border in zip(x.shape, paddings, strict=True))
        target = self.added(replace(x, name=f"{x.name}/padded", shape=shape, shape_signature=(), data=None))
        return FileOperator("PAD", "", None, (at, self.constant(f"{x.name}/paddings", paddings)), (target,))


def _numbers(quantization: FileQuantization | None) -> object:
    if quantization is None:
        return None
    return quantization.scale.tolist(), quantization.zero_point.tolist()
