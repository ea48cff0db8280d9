"""strided_slice: every stride-th element of a range along each axis. Raw bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import SAME_SCALE, Constraint, Shape, TfliteForm, TfliteNode
from mcu_quant.ops.forms import FORMS
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused, require_channels_last
from mcu_quant.ops.keras_spatial import before_and_after, dimensions_of
from mcu_quant.ops.mover import MAX_AXES, Mover, Path, element_strides

#: Axes that TFLM slices with strides; its SLICE takes five.
_MOST_STRIDED = 4


@dataclass(frozen=True)
class StridedSliceAttrs:
    """One entry for every axis of the input: first index (not negative), stride (not 0), size.

    dropped: the axes, of size 1 here, that the output does not have.
    """

    begin: tuple[int, ...]
    strides: tuple[int, ...]
    sizes: tuple[int, ...]
    dropped: tuple[int, ...] = ()


class StridedSlice(Mover):
    name = "strided_slice"
    attrs_type = StridedSliceAttrs
    tflite_builtins = ("STRIDED_SLICE", "SLICE")
    keras_layers = ("Cropping1D", "Cropping2D")
    constraints = (
        SAME_SCALE,
        Constraint(
            f"at most {MAX_AXES} axes",
            lambda node: len(node.input(0).shape) <= MAX_AXES,
            lambda node: node.input(0).shape,
            "reshape before and after slicing",
            forms=FORMS,
        ),
    )

    def output_shapes(self, attrs: StridedSliceAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = input_shapes
        for axis, size in enumerate(x):
            first, count = attrs.begin[axis], attrs.sizes[axis]
            last = first + (count - 1) * attrs.strides[axis]
            if count < 1 or not (0 <= first < size and 0 <= last < size):
                raise ValueError(f"a slice of {x} along axis {axis} is empty or outside")
        return (tuple(size for axis, size in enumerate(attrs.sizes) if axis not in attrs.dropped),)

    def path(self, attrs: StridedSliceAttrs, shape: Shape) -> Path:
        elements = element_strides(shape)
        begin = sum(first * element for first, element in zip(attrs.begin, elements, strict=True))
        strides = (stride * element for stride, element in zip(attrs.strides, elements, strict=True))
        return Path(begin, attrs.sizes, tuple(strides))

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (x,) = inputs
        require_channels_last(layer.config)
        index, shape = [slice(None)], builder.shape(x)
        borders = before_and_after(layer.config.get("cropping", 1), dimensions_of(layer), "cropping")
        for size, (before, after) in zip(shape[1:], borders, strict=False):
            if before + after >= size:
                raise LayerRefused("the cropping must leave something", value=f"{before} + {after} of {size}")
            index.append(slice(before, size - after))
        return builder.add(self.name, layer.name, attrs_of(index, shape), [x])

    def from_tflite(self, node: TfliteNode) -> tuple[StridedSliceAttrs, tuple[Tensor | None, ...]]:
        x = node.inputs[0]
        assert x is not None
        if node.builtin == "SLICE":
            return _slice_attrs(node, x.shape), (x,)
        begin, end, strides = (node.constant(index) for index in (1, 2, 3))
        if begin is None or end is None or strides is None:
            raise _unsupported(node, "begin, end and strides must be constant", "")
        for mask in ("EllipsisMask", "NewAxisMask", "Offset"):
            if node.option(mask):
                raise _unsupported(node, f"a strided slice must have no {mask}", node.option(mask))
        masks = [int(node.option(f"{name}Mask")) for name in ("Begin", "End", "ShrinkAxis")]
        if not len(begin) == len(end) == len(strides) <= len(x.shape) or not np.all(strides):
            value = f"{begin.tolist()}, {end.tolist()}, {strides.tolist()}"
            raise InvalidModelError(
                "begin, end and strides must be as many, and no stride 0", layer=node.name, value=value
            )
        index: list[slice | int] = []
        for axis, (first, last, stride) in enumerate(
            zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)
        ):
            no_begin, no_end, shrink = (bool(mask >> axis & 1) for mask in masks)
            if shrink:
                index.append(first)
            else:
                index.append(slice(None if no_begin else first, None if no_end else last, stride))
        return attrs_of(index, x.shape), (x,)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        attrs: StridedSliceAttrs = node.attrs
        axes = range(len(attrs.begin))
        if len(axes) > _MOST_STRIDED and set(attrs.strides) == {1} and not attrs.dropped:
            bounds = (np.array(attrs.begin, np.int32), np.array(attrs.sizes, np.int32))
            return TfliteForm("SLICE", 2, "SliceOptions", {}, bounds)
        ends = [attrs.begin[i] + (attrs.sizes[i] - 1) * attrs.strides[i] for i in axes]
        ends = [end + (1 if stride > 0 else -1) for end, stride in zip(ends, attrs.strides, strict=True)]
        options = {
            "BeginMask": 0,
            "EndMask": sum(1 << i for i in axes if ends[i] < 0),  # down to index 0, and -1 would be the last
            "EllipsisMask": 0,
            "NewAxisMask": 0,
            "ShrinkAxisMask": sum(1 << axis for axis in attrs.dropped),
        }
        constants = tuple(np.array(values, np.int32) for values in (attrs.begin, ends, attrs.strides))
        return TfliteForm("STRIDED_SLICE", 2, "StridedSliceOptions", options, constants)

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        attrs: StridedSliceAttrs = node.attrs
        channels = node.input(0).shape[-1]
        last = len(attrs.sizes) - 1
        whole = attrs.sizes[last] == channels and attrs.strides[last] == 1 and last not in attrs.dropped
        return np.arange(channels) if whole else None

    def with_channels(self, attrs: StridedSliceAttrs, channels: int) -> StridedSliceAttrs:
        return replace(attrs, sizes=(*attrs.sizes[:-1], channels))

    def moved(self, attrs: StridedSliceAttrs, x: np.ndarray) -> np.ndarray:
        axes = zip(attrs.begin, attrs.strides, attrs.sizes, strict=True)
        for axis, (first, stride, size) in enumerate(axes, start=1):
            x = x.take(np.arange(size) * stride + first, axis=axis)
        return x.squeeze(tuple(axis + 1 for axis in attrs.dropped))


def attrs_of(index: Sequence[slice | int], shape: Shape) -> StridedSliceAttrs:
    """The attributes of x[index], as NumPy and TFLite have it; axes beyond the index stay whole.

    Raises ValueError if an index is outside; an empty slice gives a size of 0 (output_shapes refuses it).
    """
    if len(index) > len(shape):
        raise ValueError(f"{len(index)} indices for {len(shape)} axes")
    begin, strides, sizes, dropped = [], [], [], []
    for axis, size in enumerate(shape):
        entry = index[axis] if axis < len(index) else slice(None)
        if isinstance(entry, slice):
            indices = range(size)[entry]
            first, stride, count = indices.start, indices.step, len(indices)
        else:
            if not -size <= entry < size:
                raise ValueError(f"index {entry} of {size}")
            first, stride, count = entry % size, 1, 1
            dropped.append(axis)
        begin.append(first)
        strides.append(stride)
        sizes.append(count)
    return StridedSliceAttrs(tuple(begin), tuple(strides), tuple(sizes), tuple(dropped))


def _slice_attrs(node: TfliteNode, shape: Shape) -> StridedSliceAttrs:
    """Of a SLICE, by begin and size along every axis; a size of -1 is all that is left."""
    begin, size = node.constant(1), node.constant(2)
    if begin is None or size is None:
        raise _unsupported(node, "begin and size must be constant", "")
    firsts, counts = begin.reshape(-1).tolist(), size.reshape(-1).tolist()
    if not len(firsts) == len(counts) == len(shape) or min((*firsts, 0)) < 0:
        value = f"{firsts} and {counts} of {shape}"
        rule = "begin and size must be one for every axis, and begin not negative"
        raise InvalidModelError(rule, layer=node.name, value=value)
    rest = [whole - first for whole, first in zip(shape, firsts, strict=True)]
    sizes = [left if count == -1 else count for count, left in zip(counts, rest, strict=True)]
    return StridedSliceAttrs(tuple(firsts), (1,) * len(shape), tuple(sizes))


def _unsupported(node: TfliteNode, rule: str, value: object) -> UnsupportedModelError:
    return UnsupportedModelError([Problem(rule, node.name, str(value), "x[:, a:b:c] with fixed numbers")])


OPERATOR = StridedSlice()
