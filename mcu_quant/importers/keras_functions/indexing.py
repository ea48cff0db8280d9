"""Functions that take parts: x[:, 1:], split, unstack, take, slice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from mcu_quant.importers.keras_functions.arguments import (
    Arguments,
    Function,
    FunctionTable,
    TensorName,
    axis_of,
    integers,
    is_integer,
)
from mcu_quant.importers.keras_functions.nodes import (
    MOST_PARTS,
    add,
    attrs,
    binary,
    cast,
    require_few,
    reshape,
)
from mcu_quant.importers.keras_functions.shapes import sliced
from mcu_quant.importers.keras_layers import ImportBuilder
from mcu_quant.ops.keras import LayerRefused
from mcu_quant.ops.strided_slice import attrs_of


def _get_item(arguments: Arguments, builder: ImportBuilder) -> str:
    """x[index], of slices, numbers, new axes and an ellipsis."""
    x = arguments.tensor(0, "tensor", "x")
    shape = builder.shape(x)
    index = _full_index(arguments.get(1, "slice_spec", "key"), len(shape))
    try:
        part = attrs_of([entry for entry in index if entry is not None], shape)
    except (ValueError, TypeError) as error:
        raise LayerRefused("a slice must lie within the tensor", value=error) from error
    if 0 in part.dropped or index[0] is None or part.sizes[0] != shape[0]:
        raise LayerRefused("a slice must keep the batch", value=index[0], hint="x[:, …]")
    y = x if part.sizes == shape and set(part.strides) == {1} and not part.dropped else ""
    new_axes = [entry for entry in index if not isinstance(entry, int)]
    if y and None not in new_axes:
        return y
    name = f"{arguments.name}/slice" if None in new_axes else arguments.name
    y = y or builder.add("strided_slice", name, part, [x])
    if None not in new_axes:
        return y
    sizes = iter(builder.shape(y))
    target = [1 if entry is None else next(sizes) for entry in new_axes]
    return reshape(builder, arguments.name, y, target)


def _full_index(index: Any, rank: int) -> list[slice | int | None]:
    """The index with its ellipsis (or its end) spelled out: one entry for each axis, None for new ones."""
    entries = list(index) if isinstance(index, list | tuple) else [index]
    if not all(entry is None or entry is ... or isinstance(entry, slice | int) for entry in entries):
        raise LayerRefused("an index must be constant slices and numbers", value=f"{index!r:.60}")
    missing = rank - sum(entry is not None and entry is not ... for entry in entries)
    if missing < 0 or entries.count(...) > 1:
        raise LayerRefused("an index must not have more entries than there are axes", value=f"{index!r:.60}")
    place = entries.index(...) if ... in entries else len(entries)
    return [*entries[:place], *[slice(None)] * missing, *entries[place + 1 :]]


def _split(arguments: Arguments, builder: ImportBuilder) -> list[str]:
    x, name = arguments.tensor(0, "value", "x"), arguments.name
    axis = axis_of(arguments.get(2, "axis", default=0), len(builder.shape(x)))
    parts = arguments.get(1, "num_or_size_splits", "indices_or_sections")
    is_sizes = "num_or_size_splits" in arguments.kwargs and not is_integer(parts)
    require_few(int(parts) if is_integer(parts) else len(list(parts)), MOST_PARTS, "parts")
    bounds = _bounds(parts, builder.shape(x)[axis], is_sizes)
    return [sliced(builder, name, x, axis, slice(*ends)) for ends in itertools.pairwise(bounds)]


def _bounds(parts: Any, size: int, is_sizes: bool) -> list[int]:
    """Where parts begin, and where the last ends: from their number, sizes (TensorFlow) or places."""
    if is_integer(parts):
        if parts < 1 or size % parts:
            raise LayerRefused("a split must be into equal parts", value=f"{size} into {parts}")
        return list(range(0, size + 1, size // int(parts)))
    places = integers(parts, "the places of a split")
    if is_sizes:
        rest = size - sum(part for part in places if part >= 0)
        places = np.cumsum([part if part >= 0 else rest for part in places])[:-1].tolist()
    bounds = [0, *(place if place >= 0 else place + size for place in places), size]
    if any(first >= last for first, last in itertools.pairwise(bounds)):
        raise LayerRefused("the places of a split must ascend within the axis", value=parts)
    return bounds


def _split_along(axis: int) -> Function:
    """hsplit and dsplit."""

    def lower(arguments: Arguments, builder: ImportBuilder) -> list[str]:
        x, parts = arguments.tensor(0, "x"), arguments.get(1, "indices_or_sections")
        return _split(Arguments(arguments.name, [x, parts, axis], {}), builder)

    return lower


def _array_split(arguments: Arguments, builder: ImportBuilder) -> list[str]:
    """Into so many parts, the first of which may be longer by one."""
    x, parts = arguments.tensor(0, "x"), arguments.get(1, "indices_or_sections")
    axis = axis_of(arguments.get(2, "axis", default=0), len(builder.shape(x)))
    if is_integer(parts):
        require_few(int(parts), MOST_PARTS, "parts")
        length, longer = divmod(builder.shape(x)[axis], int(parts))
        parts = np.cumsum([length + (index < longer) for index in range(int(parts))])[:-1].tolist()
    return _split(Arguments(arguments.name, [x, parts, axis], {}), builder)


def _unstack(arguments: Arguments, builder: ImportBuilder) -> list[str]:
    x = arguments.tensor(0, "value", "x")
    axis = axis_of(arguments.get(2, "axis", default=0), len(builder.shape(x)))
    require_few(builder.shape(x)[axis], MOST_PARTS, "parts")
    return [sliced(builder, arguments.name, x, axis, index) for index in range(builder.shape(x)[axis])]


def _slice(arguments: Arguments, builder: ImportBuilder) -> str:
    """From start indices on, so many of each axis; -1: all that follow. The batch is kept."""
    x = arguments.tensor(0, "input_", "inputs")
    shape = builder.shape(x)
    starts = integers(arguments.get(1, "begin", "start_indices"), "the start of a slice")
    sizes = arguments.get(2, "size", "shape")
    if not isinstance(sizes, list | tuple) or not len(starts) == len(sizes) == len(shape) or starts[0]:
        raise LayerRefused("a slice must have a start and a size for each axis", value=f"{starts}, {sizes}")
    index = [slice(None)]
    for start, size in zip(starts[1:], integers(list(sizes[1:]), "the size of a slice"), strict=True):
        index.append(slice(start, None if size == -1 else start + size))
    return _get_item(Arguments(arguments.name, [x, index], {}), builder)


def _take(arguments: Arguments, builder: ImportBuilder) -> str:
    """Entries of an axis by their constant indices; or those of a constant table by computed ones."""
    indices, axis, name = arguments.get(1, "indices"), arguments.get(2, "axis", default=0), arguments.name
    if isinstance(indices, TensorName):
        return _looked_up(builder, name, arguments.constant(0, "params", "x"), indices, axis)
    x = arguments.tensor(0, "params", "x")
    axis = axis_of(axis, len(builder.shape(x)))
    size, places = builder.shape(x)[axis], np.asarray(indices)
    if places.dtype.kind not in "iu" or not np.all((-size <= places) & (places < size)):
        raise LayerRefused("indices must be integers within the axis", value=f"{indices!r:.60}")
    if places.ndim == 0:
        return sliced(builder, name, x, axis, int(places) % size)
    chosen = builder.constant(f"{name}/indices", (places % size).astype(np.int32))
    return add(builder, "gather", name, [x, chosen], attrs(builder, "gather", axis))


def _looked_up(
    builder: ImportBuilder, name: str, table: np.ndarray, indices: TensorName, axis: object
) -> str:
    if axis not in (0, -table.ndim):
        raise LayerRefused("computed indices must be of a table's first axis", value=axis, hint="axis=0")
    chosen = cast(builder, f"{name}/cast", indices, "int32")
    inputs = [builder.constant(f"{name}/table", table), chosen]
    return add(builder, "gather", name, inputs, attrs(builder, "gather", 0))


def _difference(arguments: Arguments, builder: ImportBuilder) -> str:
    """Each entry of an axis less the one before it, n times."""
    x, name = arguments.tensor(0, "a"), arguments.name
    axis = axis_of(arguments.get(2, "axis", default=-1), len(builder.shape(x)))
    times = int(arguments.get(1, "n", default=1))
    require_few(times, MOST_PARTS, "differences")
    for _ in range(times):
        if builder.shape(x)[axis] < 2:
            raise LayerRefused("there must be two entries to differ", value=builder.shape(x))
        later, earlier = (
            sliced(builder, f"{name}/slice", x, axis, part) for part in (slice(1, None), slice(0, -1))
        )
        x = binary(builder, "sub", name, later, earlier)
    return x


def crop(builder: ImportBuilder, name: str, x: str, pairs: Sequence[Sequence[int]]) -> str:
    """Without so many entries before and after, for each axis but the batch's."""
    shape = builder.shape(x)
    index = [slice(before, size - after) for (before, after), size in zip(pairs, shape[1:], strict=True)]
    return _get_item(Arguments(name, [TensorName(x), [slice(None), *index]], {}), builder)


FUNCTIONS: FunctionTable = {
    _get_item: ("__operators__.getitem", "GetItem"),
    _split: ("split", "Split"),
    _array_split: ("ArraySplit",),
    _split_along(1): ("Hsplit",),
    _split_along(2): ("Dsplit",),
    _unstack: ("unstack", "Unstack"),
    _slice: ("slice", "Slice"),
    _take: ("gather", "compat.v1.gather", "Take"),
    _difference: ("Diff",),
}
