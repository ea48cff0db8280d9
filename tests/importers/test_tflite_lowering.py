"""TFLite operators that are read as several of ours: the bits are TFLM's, or LiteRT's where TFLM has none.

Every case is run in the types that its oracle has, zero points at the limits; what does not fit is refused.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, McuQuantError, UnsupportedModelError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.importers.tflite_lowering import LOWERINGS
from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.interpreter import run_graph
from tests.oracles import litert_ref, tflm
from tests.tflite_files import FileOp, integers, one_operator, outer_shape, tflite_file

#: Whose operands have several types, or that have rules of their own: test_select_v1.py, test_add_n.py.
APART = {"SELECT", "ADD_N"}
ORACLES = {"TFLM": tflm, "LiteRT": litert_ref}
QUANTS = {
    "int8": QuantParams.per_tensor(0.05, 127),
    "int16": QuantParams.per_tensor(0.001),
}


@dataclass(frozen=True)
class Move:
    """An operator of a file that moves elements.

    inputs: shapes of activations, or constants. outputs: shapes. oracles: by type, the types that there are.
    """

    name: str
    builtin: str
    inputs: tuple[Any, ...]
    outputs: tuple[tuple[int, ...], ...]
    options: Mapping[str, Any] | None = None
    oracles: Mapping[str, str] | None = None

    def file(self, dtype: str) -> bytes:
        inputs = [
            x if isinstance(x, Tensor) else Tensor(f"x{i}", x, dtype, QUANTS.get(dtype))
            for i, x in enumerate(self.inputs)
        ]
        inputs = [replace(x, quant=QUANTS.get(dtype)) if x.name.startswith("part") else x for x in inputs]
        outputs = [Tensor(f"y{i}", shape, dtype, QUANTS.get(dtype)) for i, shape in enumerate(self.outputs)]
        return one_operator(self.builtin, inputs, outputs, self.options)

    def data(self, dtype: str, samples: int = 2) -> list[np.ndarray]:
        rng = np.random.default_rng(zlib.crc32(f"{self.name} {dtype}".encode()))
        shapes = [(samples, *outer_shape(x)) for x in self.inputs if not isinstance(x, Tensor)]
        if dtype == "float32":
            return [rng.normal(size=shape).astype(dtype) for shape in shapes]
        if dtype == "bool":
            return [rng.integers(0, 2, shape).astype(dtype) for shape in shapes]
        limits = np.iinfo(dtype)
        return [rng.integers(limits.min, limits.max, shape, dtype, endpoint=True) for shape in shapes]


def _all(oracle: str, *types: str) -> dict[str, str]:
    return dict.fromkeys(types, oracle)


NUMBERS = _all("TFLM", "int8", "int16", "float32", "int32")


def split(name: str, shape: tuple[int, ...], axis: int, parts: int) -> Move:
    size = shape[axis] // parts
    output = tuple(size if i == axis % len(shape) else s for i, s in enumerate(shape))
    inputs = (integers("axis", axis), shape)
    return Move(name, "SPLIT", inputs, (output,) * parts, {"numSplits": parts}, NUMBERS)


def split_v(name: str, shape: tuple[int, ...], axis: int, sizes: Sequence[int], rest: int = 0) -> Move:
    """rest: what -1 among the sizes stands for."""
    outputs = tuple(
        tuple(
            (size if size > 0 else max(rest, 1)) if i == axis % len(shape) else s for i, s in enumerate(shape)
        )
        for size in sizes
    )
    inputs = (shape, integers("sizes", list(sizes)), integers("axis", axis))
    return Move(name, "SPLIT_V", inputs, outputs, {"numSplits": len(sizes)}, NUMBERS)


def unpack(name: str, shape: tuple[int, ...], axis: int) -> Move:
    at = axis % len(shape)
    outputs = ((*shape[:at], *shape[at + 1 :]),) * shape[at]
    options = {"num": shape[at], "axis": axis}
    return Move(name, "UNPACK", (shape,), outputs, options, NUMBERS)


def pack(name: str, shape: tuple[int, ...], axis: int, count: int, constant: int | None = None) -> Move:
    at = axis % (len(shape) + 1)
    output = (*shape[:at], count, *shape[at:])
    inputs: list[Any] = [shape] * count
    if constant is not None:
        inputs[constant] = Tensor.constant("part", np.arange(np.prod(shape)).reshape(shape).astype(np.int8))
    options = {"valuesCount": count, "axis": axis}
    types = {"int8": "TFLM"} if constant is not None else NUMBERS
    return Move(name, "PACK", tuple(inputs), (output,), options, types)


def reverse(name: str, shape: tuple[int, ...], *axes: int) -> Move:
    inputs = (shape, integers("axes", list(axes)))
    return Move(name, "REVERSE_V2", inputs, (shape,), {}, REVERSED)


def slice_of(name: str, shape: tuple[int, ...], begin: Sequence[int], sizes: Sequence[int]) -> Move:
    wanted = zip(shape, begin, sizes, strict=True)
    output = tuple(whole - first if size == -1 else size for whole, first, size in wanted)
    inputs = (shape, integers("begin", list(begin)), integers("size", list(sizes)))
    return Move(name, "SLICE", inputs, (output,), {}, SLICED)


def tile(name: str, shape: tuple[int, ...], *counts: int) -> Move:
    output = tuple(size * count for size, count in zip(shape, counts, strict=True))
    return Move(name, "TILE", (shape, integers("multiples", list(counts))), (output,), {}, TILED)


def space_to_depth(name: str, shape: tuple[int, ...], block: int) -> Move:
    batch, height, width, channels = shape
    output = (batch, height // block, width // block, channels * block**2)
    return Move(name, "SPACE_TO_DEPTH", (shape,), (output,), {"blockSize": block}, DEPTH)


def depth_to_space(name: str, shape: tuple[int, ...], block: int) -> Move:
    batch, height, width, channels = shape
    output = (batch, height * block, width * block, channels // block**2)
    return Move(name, "DEPTH_TO_SPACE", (shape,), (output,), {"blockSize": block}, DEPTH)


Pairs = Sequence[tuple[int, int]]


def space_to_batch(name: str, shape: tuple[int, ...], block: Sequence[int], paddings: Pairs) -> Move:
    sizes = zip(shape[1:], block, paddings, strict=False)
    space = [(size + before + after) // side for size, side, (before, after) in sizes]
    output = (shape[0] * int(np.prod(block)), *space, *shape[1 + len(block) :])
    inputs = (shape, integers("block", list(block)), integers("paddings", list(paddings)))
    # TFLM's border is whatever its memory holds: it never sets the value.
    oracles = _all("LiteRT", *NUMBERS) if np.any(paddings) else BATCHES
    return Move(name, "SPACE_TO_BATCH_ND", inputs, (output,), {"type": "SpaceToBatchNDOptions"}, oracles)


def batch_to_space(name: str, shape: tuple[int, ...], block: Sequence[int], crops: Pairs) -> Move:
    sizes = zip(shape[1:], block, crops, strict=False)
    space = [size * side - before - after for size, side, (before, after) in sizes]
    output = (shape[0] // int(np.prod(block)), *space, *shape[1 + len(block) :])
    inputs = (shape, integers("block", list(block)), integers("crops", list(crops)))
    return Move(name, "BATCH_TO_SPACE_ND", inputs, (output,), {"type": "BatchToSpaceNDOptions"}, BATCHES)


REVERSED = _all("TFLM", "int8", "int16", "float32", "int32", "bool")
SLICED = _all("TFLM", "int8", "int16", "float32", "int32", "bool")
TILED = _all("LiteRT", "int8", "int16", "float32", "int32", "bool")
DEPTH = _all("TFLM", "int8", "float32") | _all("LiteRT", "int32")
BATCHES = _all("TFLM", "int8", "float32") | _all("LiteRT", "int16", "int32")
CASES = [
    reverse("rows_r", (1, 5, 4, 3), 1),
    reverse("columns_r", (1, 5, 4, 3), 2),
    reverse("channels_r", (1, 5, 4, 3), 3),
    reverse("last_r", (1, 5, 4, 3), -1),
    reverse("vector_r", (1, 9), 1),
    reverse("rank_1_r", (7,), 0),
    reverse("time_r", (1, 6, 5), -2),
    reverse("one_r", (1, 1, 4), 1),
    reverse("batch_r", (3, 4), 0),
    reverse("rank_5_r", (1, 2, 3, 2, 4), 3),
    reverse("rank_5_last_r", (1, 2, 3, 2, 4), 4),
    slice_of("rows_l", (1, 5, 4, 3), [0, 1, 0, 0], [1, 3, 4, 3]),
    slice_of("columns_l", (1, 5, 4, 3), [0, 0, 2, 0], [1, 5, 1, 3]),
    slice_of("channels_l", (1, 5, 4, 3), [0, 0, 0, 1], [1, 5, 4, 2]),
    slice_of("block_l", (1, 5, 4, 3), [0, 2, 1, 1], [1, 2, 3, 1]),
    slice_of("rest_l", (1, 5, 4, 3), [0, 2, 1, 0], [-1, -1, -1, -1]),
    slice_of("whole_l", (1, 5, 4, 3), [0, 0, 0, 0], [1, 5, 4, 3]),
    slice_of("vector_l", (1, 9), [0, 4], [1, -1]),
    slice_of("rank_1_l", (7,), [2], [4]),
    slice_of("time_l", (1, 6, 5), [0, 5, 0], [1, 1, 5]),
    slice_of("batch_l", (4, 3), [1, 0], [2, 3]),
    slice_of("one_l", (1, 3, 3, 3), [0, 2, 2, 2], [1, 1, 1, 1]),
    slice_of("rank_5_l", (1, 2, 3, 2, 4), [0, 1, 0, 1, 2], [1, 1, 3, 1, 2]),
    tile("channels_t", (1, 3, 2, 4), 1, 1, 1, 3),
    tile("rows_t", (1, 3, 2, 4), 1, 2, 1, 1),
    tile("image_t", (1, 3, 2, 4), 1, 2, 3, 1),
    tile("rows_and_channels_t", (1, 3, 2, 4), 1, 2, 1, 2),
    tile("vector_t", (1, 5), 1, 4),
    tile("nothing_t", (1, 5, 2), 1, 1, 1),
    tile("rank_1_t", (4,), 3),
    tile("batch_t", (2, 3), 3, 1),
    tile("one_element_t", (1, 1), 1, 7),
    tile("two_axes_t", (1, 3, 2), 1, 4, 2),
    tile("three_axes_t", (1, 3, 2, 2), 1, 2, 3, 2),
    tile("rank_5_t", (1, 2, 3, 2, 2), 1, 2, 1, 1, 3),
    space_to_depth("two_s", (1, 4, 6, 3), 2),
    space_to_depth("three_s", (1, 3, 6, 2), 3),
    space_to_depth("one_channel_s", (1, 4, 4, 1), 2),
    space_to_depth("one_s", (1, 3, 2, 2), 1),
    space_to_depth("all_s", (1, 4, 4, 2), 4),
    space_to_depth("row_s", (1, 2, 8, 1), 2),
    space_to_depth("column_s", (1, 8, 2, 5), 2),
    space_to_depth("wide_s", (1, 2, 2, 17), 2),
    space_to_depth("batches_s", (2, 4, 2, 3), 2),
    space_to_depth("five_s", (1, 5, 10, 1), 5),
    depth_to_space("two_d", (1, 3, 2, 12), 2),
    depth_to_space("three_d", (1, 2, 3, 18), 3),
    depth_to_space("one_channel_d", (1, 4, 4, 4), 2),
    depth_to_space("one_d", (1, 3, 2, 2), 1),
    depth_to_space("pixel_d", (1, 1, 1, 32), 4),
    depth_to_space("row_d", (1, 1, 8, 4), 2),
    depth_to_space("column_d", (1, 8, 1, 20), 2),
    depth_to_space("wide_d", (1, 2, 2, 68), 2),
    depth_to_space("batches_d", (2, 2, 3, 8), 2),
    depth_to_space("five_d", (1, 2, 1, 25), 5),
    space_to_batch("plain_b", (1, 4, 6, 3), (2, 2), [(0, 0), (0, 0)]),
    space_to_batch("padded_b", (1, 5, 5, 2), (2, 3), [(0, 1), (2, 2)]),
    space_to_batch("rows_b", (1, 6, 3, 2), (3, 1), [(0, 0), (0, 0)]),
    space_to_batch("columns_b", (1, 3, 4, 2), (1, 2), [(1, 0), (0, 2)]),
    space_to_batch("one_b", (1, 3, 4, 2), (1, 1), [(0, 0), (0, 0)]),
    space_to_batch("whole_b", (1, 2, 2, 5), (2, 2), [(0, 0), (0, 0)]),
    space_to_batch("larger_than_space_b", (1, 1, 1, 3), (4, 4), [(1, 2), (2, 1)]),
    space_to_batch("batches_b", (2, 4, 2, 3), (2, 2), [(0, 0), (0, 0)]),
    space_to_batch("batches_padded_b", (3, 3, 4, 1), (2, 2), [(1, 0), (1, 1)]),
    space_to_batch("time_b", (1, 7, 3), (2,), [(0, 1)]),
    space_to_batch("wide_padding_b", (1, 2, 3, 1), (2, 3), [(4, 4), (3, 3)]),
    batch_to_space("plain_w", (4, 2, 3, 3), (2, 2), [(0, 0), (0, 0)]),
    batch_to_space("cropped_w", (6, 3, 3, 2), (2, 3), [(0, 1), (2, 2)]),
    batch_to_space("rows_w", (3, 2, 3, 2), (3, 1), [(0, 0), (0, 0)]),
    batch_to_space("columns_w", (2, 4, 3, 2), (1, 2), [(1, 0), (0, 2)]),
    batch_to_space("one_w", (1, 3, 4, 2), (1, 1), [(0, 0), (0, 0)]),
    batch_to_space("pixels_w", (4, 1, 1, 5), (2, 2), [(0, 0), (0, 0)]),
    batch_to_space("to_one_w", (16, 1, 1, 3), (4, 4), [(1, 2), (2, 1)]),
    batch_to_space("batches_w", (8, 2, 1, 3), (2, 2), [(0, 0), (0, 0)]),
    batch_to_space("batches_cropped_w", (12, 2, 3, 1), (2, 2), [(1, 0), (1, 1)]),
    batch_to_space("time_w", (2, 4, 3), (2,), [(0, 1)]),
    batch_to_space("one_channel_w", (9, 2, 2, 1), (3, 3), [(1, 1), (0, 4)]),
    split("halves", (1, 4, 3, 6), 3, 2),
    split("rows", (1, 6, 3, 2), 1, 3),
    split("columns", (1, 3, 4, 5), -2, 4),
    split("one_part", (1, 5, 3), 2, 1),
    split("every_channel", (1, 2, 2, 7), -1, 7),
    split("vector", (12,), 0, 3),
    split("rank_2", (1, 10), 1, 5),
    split("rank_3", (1, 8, 3), -2, 2),
    split("batch", (4, 2, 3), 0, 2),
    split("rank_5", (1, 2, 2, 3, 4), 4, 2),
    split("single_elements", (1, 1, 1, 2), 3, 2),
    split_v("unequal", (1, 4, 3, 7), 3, [1, 4, 2]),
    split_v("rest", (1, 4, 3, 7), 3, [2, -1], 5),
    split_v("rest_first", (1, 9, 2), 1, [-1, 1, 1], 7),
    split_v("rows_v", (1, 7, 3, 2), 1, [3, 3, 1]),
    split_v("columns_v", (1, 3, 5, 2), -2, [1, 4]),
    split_v("one_part_v", (1, 6), 1, [6]),
    split_v("vector_v", (11,), 0, [5, 6]),
    split_v("batch_v", (5, 2), 0, [2, 3]),
    split_v("negative_axis_v", (1, 3, 8), -1, [1, 2, 5]),
    split_v("rank_5_v", (1, 2, 2, 3, 4), 1, [1, 1]),
    split_v("ones_v", (1, 2, 3), 2, [1, 1, 1]),
    unpack("channels_u", (1, 3, 2, 4), 3),
    unpack("rows_u", (1, 3, 2, 4), 1),
    unpack("time_u", (1, 5, 6), 1),
    unpack("columns_u", (1, 3, 4, 2), -2),
    unpack("last_u", (1, 3, 4, 2), -1),
    unpack("batch_u", (1, 7), 0),
    unpack("leading_u", (3, 2, 2), 0),
    unpack("to_scalars", (4,), 0),
    unpack("one_u", (1, 1, 5), 1),
    unpack("rank_5_u", (1, 2, 3, 2, 2), 3),
    pack("new_channels", (1, 3, 2), 3, 3),
    pack("new_rows", (1, 3, 2), 1, 2),
    pack("time", (1, 6), 1, 5),
    pack("negative_axis", (1, 3, 2), -2, 2),
    pack("leading", (2, 3), 0, 4),
    pack("vector_p", (5,), 0, 2),
    pack("vector_last", (5,), 1, 3),
    pack("one_input", (1, 4), 1, 1),
    pack("eleven_inputs", (1, 2), 1, 11),
    pack("scalars", (), 0, 3),
    pack("a_constant", (1, 3), 2, 3, constant=1),
    pack("constant_first", (1, 2, 2), 1, 2, constant=0),
]
#: Builtins that an operator of ours reads itself, and writes as another.
DIRECT = {"SLICE": ("strided_slice",)}
RUNS = [
    pytest.param(case, dtype, id=f"{case.builtin}-{case.name}-{dtype}")
    for case in CASES
    for dtype in (case.oracles or {})
]


@pytest.mark.parametrize(("case", "dtype"), RUNS)
def test_bits_are_the_oracles(case: Move, dtype: str) -> None:
    file, inputs = case.file(dtype), case.data(dtype)
    assert case.oracles is not None
    expected = ORACLES[case.oracles[dtype]](file, inputs)
    graph = read_tflite(file, "net")
    into = DIRECT[case.builtin] if case.builtin in DIRECT else LOWERINGS[case.builtin].into
    assert {node.op for node in graph.nodes} <= {*into, "reshape"}
    for actual, wanted in zip(run_graph(graph, inputs), expected, strict=True):
        np.testing.assert_array_equal(actual, wanted)
        assert actual.dtype == wanted.dtype


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.builtin}-{case.name}")
def test_what_is_written_is_what_was_read(case: Move) -> None:
    graph, inputs = read_tflite(case.file("int8"), "net"), case.data("int8")
    again = read_tflite(write_tflite(graph), "net")
    for actual, expected in zip(run_graph(again, inputs), run_graph(graph, inputs), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.builtin}-{case.name}")
def test_what_is_written_runs_in_tflm(case: Move, dtype: str) -> None:
    """Also where it has no such operator (TILE), or not in that type (SPACE_TO_DEPTH in int16)."""
    if any(isinstance(x, Tensor) and x.name == "part" for x in case.inputs) and dtype != "int8":
        pytest.skip("the constant is int8")
    graph, inputs = read_tflite(case.file(dtype), "net"), case.data(dtype)
    for actual, expected in zip(run_graph(graph, inputs), tflm(write_tflite(graph), inputs), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_the_table_names_operators() -> None:
    for lowering in LOWERINGS.values():
        assert lowering.into and set(lowering.into) <= OPERATORS.keys()
    direct = {builtin for operator in OPERATORS.values() for builtin in operator.tflite_builtins}
    assert not direct & LOWERINGS.keys(), "read in two ways"
    assert LOWERINGS.keys() - APART | DIRECT.keys() == {case.builtin for case in CASES}, "without a case"


def test_nodes_are_called_like_the_outputs() -> None:
    graph = read_tflite(split("named", (1, 6), 1, 3).file("int8"), "net")
    assert [node.name for node in graph.nodes] == ["y0", "y1", "y2"] == list(graph.outputs)


def with_outputs(file: bytes, kept: Sequence[int]) -> bytes:
    """The file with only those of its outputs."""
    import flatbuffers

    from tests.tflite_builder import schema

    model = schema.ModelT.InitFromPackedBuf(file)
    graph = model.subgraphs[0]
    graph.outputs = [graph.outputs[index] for index in kept]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_parts_that_nobody_reads_are_not_computed() -> None:
    graph = read_tflite(with_outputs(unpack("some", (1, 5, 2), 1).file("int8"), [1, 3]), "net")
    assert [node.name for node in graph.nodes] == ["y1", "y3"] == list(graph.outputs)


def test_parts_of_constants_are_constants() -> None:
    x = Tensor.constant("x", np.arange(6, dtype=np.float32).reshape(1, 6))
    other = Tensor("other", (1, 3))
    outputs = [Tensor("a", (1, 3)), Tensor("b", (1, 3))]
    file = one_operator("SPLIT", [integers("axis", 1), x, other], outputs, {"numSplits": 2})
    graph = read_tflite(file, "net")
    assert not graph.nodes and graph.tensors["b"].data is not None
    np.testing.assert_array_equal(graph.tensors["b"].data, [[3, 4, 5]])


def test_constants_that_only_move_are_constants() -> None:
    """Weights behind a TRANSPOSE and a RESHAPE, as some converters leave them."""
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    weights, flipped = Tensor.constant("weights", values), Tensor("flipped", (3, 2))
    x, y = Tensor("x", (1, 2)), Tensor("y", (1, 3))
    transpose = FileOp("TRANSPOSE", [weights, integers("order", [1, 0])], [flipped])
    dense = FileOp("FULLY_CONNECTED", [x, flipped, None], [y], {})
    graph = read_tflite(tflite_file([transpose, dense], [y]), "net")
    assert [node.op for node in graph.nodes] == ["fully_connected"]
    np.testing.assert_array_equal(graph.tensors["flipped"].data, values.T)


@pytest.mark.parametrize("scale", [0.05, 0.07])
def test_constants_of_another_scale_are_not_moved(scale: float) -> None:
    part = Tensor.constant("part", np.arange(3, dtype=np.int8).reshape(1, 3), QuantParams.per_tensor(0.05))
    line = Tensor("line", (3,), "int8", QuantParams.per_tensor(scale))
    x, y = (Tensor(name, (1, 3), "int8", QuantParams.per_tensor(scale)) for name in "xy")
    ops = [FileOp("RESHAPE", [part, integers("sizes", [3])], [line]), FileOp("MAXIMUM", [x, line], [y], {})]
    ops[1] = replace(ops[1], options={"type": "MaximumMinimumOptions"})
    file = tflite_file(ops, [y])
    if scale == 0.05:
        assert [node.op for node in read_tflite(file, "net").nodes] == ["maximum"]
    else:
        with pytest.raises(UnsupportedModelError, match=r"not constant|same scale"):
            read_tflite(file, "net")


def test_nothing_but_a_shape_may_be_empty() -> None:
    empty, x, y = integers("empty", []), Tensor("x", (1, 3)), Tensor("y", (1, 3))
    add = FileOp("ADD", [x, empty], [y], {})
    shape = FileOp("RESHAPE", [Tensor("one", (1, 1)), empty], [Tensor("z", ())])
    output = FileOp("RELU", [x], [y])
    for ops, outputs in (([add], [y]), ([output, shape], [y, empty])):
        with pytest.raises(InvalidModelError, match=r"must not be empty|fit together"):
            read_tflite(tflite_file(ops, outputs), "net")


computed = Tensor("computed", (), "int32")
REFUSED: dict[str, tuple[Move, str]] = {
    "unequal parts": (
        replace(split("", (1, 6), 1, 3), outputs=((1, 1),) * 4),
        "parts of a split must be equal",
    ),
    "split axis": (replace(split("", (1, 6), 1, 3), inputs=(integers("axis", 2), (1, 6))), "within 2 axes"),
    "computed axis": (replace(split("", (1, 6), 1, 3), inputs=(computed, (1, 6))), "axis must be constant"),
    "two axes": (replace(split("", (1, 6), 1, 3), inputs=(integers("axis", [1, 1]), (1, 6))), "fit together"),
    "no input": (replace(split("", (1, 6), 1, 3), inputs=(integers("axis", 1),)), "different tensors"),
    "shape": (replace(split("", (1, 6), 1, 3), outputs=((1, 3),) * 3), "declared shape"),
    "sizes": (split_v("", (1, 6), 1, [2, 3]), "the whole together"),
    "negative size": (split_v("", (1, 6), 1, [8, -2]), "the whole together"),
    "two rests": (split_v("", (1, 6), 1, [-1, -1, 2]), "the whole together"),
    "too many sizes": (replace(split_v("", (1, 6), 1, [2, 4]), outputs=((1, 2),)), "as many as its outputs"),
    "indices": (replace(unpack("", (1, 3, 2), 1), outputs=((1, 2),) * 2), "an output for each index"),
    "unpack axis": (replace(unpack("", (1, 3), 1), options={"num": 3, "axis": -3}), "within 2 axes"),
    "pack axis": (replace(pack("", (1, 3), 1, 2), options={"valuesCount": 2, "axis": 3}), "within 3 axes"),
    "pack shapes": (replace(pack("", (1, 3), 1, 2), inputs=((1, 3), (1, 4))), "fit together"),
    "pack shape": (replace(pack("", (1, 3), 1, 2), outputs=((1, 3, 2),)), "declared shape"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    case, message = REFUSED[name]
    with pytest.raises((InvalidModelError, UnsupportedModelError), match=message):
        read_tflite(case.file("int8"), "net")


@pytest.mark.parametrize("builtin", sorted(LOWERINGS.keys() - APART | DIRECT.keys()))
def test_random_operands_are_no_traceback(builtin: str) -> None:
    """Whatever the inputs and the numbers in them are."""
    rng = np.random.default_rng(zlib.crc32(builtin.encode()))
    cases = [case for case in CASES if case.builtin == builtin]
    for _ in range(60):
        case = cases[rng.integers(len(cases))]
        inputs = list(case.inputs)
        for index, x in enumerate(inputs):
            if isinstance(x, Tensor) and x.data is not None and rng.integers(2):
                values = rng.choice([-(2**31), -5, -1, 0, 1, 2, 7, 2**31 - 1], x.data.shape)
                inputs[index] = integers(x.name, values)
        if rng.integers(3) == 0:
            inputs.pop(rng.integers(len(inputs)))
        options = {k: v if k == "type" else int(rng.integers(-4, 9)) for k, v in (case.options or {}).items()}
        outputs = case.outputs[: rng.integers(1, len(case.outputs) + 1)]
        changed = replace(case, inputs=tuple(inputs), options=options, outputs=outputs)
        try:
            read_tflite(changed.file("int8"), "net")
        except McuQuantError as error:
            assert str(error)
