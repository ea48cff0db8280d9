"""What constants and shapes give is computed by the .tflite reader; LiteRT, which runs it, gives the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ops.folding import MAX_ELEMENTS
from mcu_quant.ops.interpreter import run_graph
from tests.oracles import litert_ref, tflm
from tests.tflite_builder import Model, Subgraph
from tests.tflite_models import computed_reshape

SHAPE = (1, 2, 3)
#: Adds nodes that give a known tensor from x and constants; returns it.
Known = Callable[[Subgraph, int], int]


def plain(builtin: str, *operands: Any, out: str = "int32", options: str, **fields: Any) -> Known:
    """One operator of NumPy values; the output's type is `out`, its shape open."""

    def known(graph: Subgraph, x: int) -> int:
        inputs = [
            graph.constant(f"{builtin}_{i}", value, str(value.dtype)) for i, value in enumerate(operands)
        ]
        output = graph.tensor("known", (), out)
        graph.table.tensors[output].hasRank = False
        graph.op(builtin, inputs, [output], type=options, **fields)
        return output

    return known


def as_float(graph: Subgraph, known: int, shape: tuple[int, ...]) -> int:
    result = graph.tensor("real", shape)
    graph.op("CAST", [known], [result], type="CastOptions")
    return result


def model_of(known: Known, shape: tuple[int, ...]) -> bytes:
    """y = x + float32(known). shape: of what is known."""
    model = Model()
    main = Subgraph(model)
    x = main.input("x", SHAPE)
    value = as_float(main, known(main, x), shape)
    y = main.tensor("y", SHAPE)
    main.op("ADD", [x, value], [y], type="AddOptions")
    main.outputs(y)
    return model.file()


def i32(*values: Any) -> np.ndarray:
    return np.array(values, np.int32)


#: (the operator, the shape of what it gives): all broadcast to SHAPE.
CASES: dict[str, tuple[Known, tuple[int, ...]]] = {
    "rank": (lambda g, x: _of_input(g, x, "RANK", ()), ()),
    "shape": (lambda g, x: _of_input(g, x, "SHAPE", (3,)), (3,)),
    "range": (plain("RANGE", i32(2)[0], i32(11)[0], i32(3)[0], options="RangeOptions"), (3,)),
    "range down": (plain("RANGE", i32(7)[0], i32(0)[0], i32(-3)[0], options="RangeOptions"), (3,)),
    "fill": (plain("FILL", i32(2, 3), i32(-7)[0], options="FillOptions"), (2, 3)),
    "pack": (plain("PACK", i32(1, 2, 3), i32(4, 5, 6), options="PackOptions", valuesCount=2, axis=0), (2, 3)),
    "pack last": (
        plain("PACK", i32(1, 2), i32(3, 4), i32(5, 6), options="PackOptions", valuesCount=3, axis=-1),
        (2, 3),
    ),
    "concatenation": (
        plain("CONCATENATION", i32(1), i32(2, 3), options="ConcatenationOptions", axis=0),
        (3,),
    ),
    "concatenation of nothing": (
        plain("CONCATENATION", np.zeros(0, np.int32), i32(1, 2, 3), options="ConcatenationOptions", axis=0),
        (3,),
    ),
    "gather": (plain("GATHER", i32(5, 6, 7, 8), i32(3, 0, 0), options="GatherOptions", axis=0), (3,)),
    "slice": (plain("SLICE", i32(5, 6, 7, 8), i32(1), i32(-1), options="SliceOptions"), (3,)),
    "strided slice": (
        plain(
            "STRIDED_SLICE",
            i32(5, 6, 7, 8, 9),
            i32(4),
            i32(0),
            i32(-2),
            options="StridedSliceOptions",
            endMask=1,
        ),
        (3,),
    ),
    "strided slice, new axis": (
        plain(
            "STRIDED_SLICE",
            i32(5, 6),
            i32(0, 0),
            i32(2, 0),
            i32(1, 1),
            options="StridedSliceOptions",
            newAxisMask=2,
        ),
        (2, 1),
    ),
    "cast": (plain("CAST", np.array([1.9, -1.9, 2.5], np.float32), out="int32", options="CastOptions"), (3,)),
    "cast of bools": (plain("CAST", np.array([True, False, True]), out="int32", options="CastOptions"), (3,)),
    "add wraps": (plain("ADD", i32(2**31 - 1, 5, -5), i32(1, 1, 1), options="AddOptions"), (3,)),
    "sub": (plain("SUB", i32(1, 2, 3), i32([5], [7]), options="SubOptions"), (2, 3)),
    "mul": (plain("MUL", i32(1, -2, 3), i32(100), options="MulOptions"), (3,)),
    "div": (plain("DIV", i32(7, -7, 8), i32(2, 2, -3), options="DivOptions"), (3,)),
    "floor_div": (plain("FLOOR_DIV", i32(7, -7, 8), i32(2, 2, -3), options="FloorDivOptions"), (3,)),
    "floor_mod": (plain("FLOOR_MOD", i32(7, -7, 8), i32(2, 2, -3), options="FloorModOptions"), (3,)),
    "maximum": (plain("MAXIMUM", i32(7, -7, 8), i32(2), options="MaximumMinimumOptions"), (3,)),
    "minimum": (plain("MINIMUM", i32(7, -7, 8), i32(2), options="MaximumMinimumOptions"), (3,)),
    "reduce_prod": (plain("REDUCE_PROD", i32([2, 3, 4], [5, 6, 7]), i32(0), options="ReducerOptions"), (3,)),
    "sum": (plain("SUM", i32([2, 3, 4], [5, 6, 7]), i32(1), options="ReducerOptions", keepDims=True), (2, 1)),
    "reduce_max": (plain("REDUCE_MAX", i32([2, 3, 4], [5, 1, 7]), i32(0), options="ReducerOptions"), (3,)),
    "less": (plain("LESS", i32(1, 2, 3), i32(2), out="bool", options="LessOptions"), (3,)),
    "not_equal": (plain("NOT_EQUAL", i32(1, 2, 3), i32(2), out="bool", options="NotEqualOptions"), (3,)),
    "logical_not": (
        plain("LOGICAL_NOT", np.array([True, False, True]), out="bool", options="LogicalNotOptions"),
        (3,),
    ),
    "select_v2": (
        plain("SELECT_V2", np.array([True, False, True]), i32(1, 2, 3), i32(-1), options="SelectV2Options"),
        (3,),
    ),
    "zeros_like": (lambda g, x: _of_input(g, x, "ZEROS_LIKE", SHAPE, "float32"), SHAPE),
    "reshape": (plain("RESHAPE", i32(1, 2, 3), i32(1, 3), options="ReshapeOptions"), (1, 3)),
}


def _of_input(graph: Subgraph, x: int, builtin: str, shape: tuple[int, ...], dtype: str = "int32") -> int:
    names = {"RANK": "RankOptions", "SHAPE": "ShapeOptions", "ZEROS_LIKE": "ZerosLikeOptions"}
    output = graph.tensor("known", shape, dtype)
    fields = {"outType": 2} if builtin == "SHAPE" else {}
    graph.op(builtin, [x], [output], type=names[builtin], **fields)
    return output


def sample() -> list[np.ndarray]:
    return [np.random.default_rng(0).normal(0, 100, (3, *SHAPE)).astype(np.float32)]


@pytest.mark.parametrize("case", CASES)
def test_folded(case: str) -> None:
    known, shape = CASES[case]
    file = model_of(known, shape)
    graph = read_tflite(file, "model")
    assert [node.op for node in graph.nodes] == ["add"]
    np.testing.assert_array_equal(run_graph(graph, sample()), litert_ref(file, sample()))


def test_a_shape_that_is_computed_from_the_shape() -> None:
    graph = read_tflite(computed_reshape().file(), "model")
    assert [node.op for node in graph.nodes] == ["reshape", "add"]
    assert graph.tensors["flat"].shape == graph.tensors["y"].shape == (1, 6)
    np.testing.assert_array_equal(run_graph(graph, sample())[0], 2 * sample()[0].reshape(3, 1, 6))


def test_a_reshape_to_a_scalar_and_back() -> None:
    """The shape of a scalar is an empty tensor, and has no buffer."""
    model = Model()
    main = Subgraph(model)
    x, scalar, y = main.input("x", (1, 1)), main.tensor("scalar", ()), main.tensor("y", (1, 1))
    main.op("RESHAPE", [x, main.constant("nothing", np.zeros(0))], [scalar], type="ReshapeOptions")
    main.op("RESHAPE", [scalar, main.constant("back", [1, 1])], [y], type="ReshapeOptions")
    main.outputs(y)
    graph = read_tflite(model.file(), "model")
    inputs = [np.ones((2, 1, 1), np.float32)]
    np.testing.assert_array_equal(run_graph(graph, inputs), litert_ref(model.file(), inputs))


def quantized_chain(builtins: list[str]) -> bytes:
    """y = x + f(g(c)), int8: the constant goes through operators of scales of their own."""
    model = Model()
    main = Subgraph(model)
    x = main.input("x", (1, 9), "int8", scale=0.1, zero_point=5)
    last = main.constant("c", np.arange(-128, 127, 30).reshape(1, 9), "int8", scale=0.03, zero_point=-128)
    outputs = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}
    options = {"LEAKY_RELU": {"type": "LeakyReluOptions", "alpha": 0.3}}
    for builtin in builtins:
        scale, zero_point = outputs.get(builtin, (0.07, 127))
        new = main.tensor(builtin, (1, 9), "int8", scale=scale, zero_point=zero_point)
        main.op(builtin, [last], [new], **options.get(builtin, {}))
        last = new
    y = main.tensor("y", (1, 9), "int8", scale=0.2, zero_point=-7)
    main.op("ADD", [x, last], [y], type="AddOptions")
    main.outputs(y)
    return model.file()


@pytest.mark.parametrize(
    "builtins", [["LOGISTIC"], ["TANH"], ["LEAKY_RELU"], ["LEAKY_RELU", "TANH"]], ids=str
)
def test_quantized_constants_keep_their_scale(builtins: list[str]) -> None:
    file = quantized_chain(builtins)
    graph = read_tflite(file, "model")
    assert [node.op for node in graph.nodes] == ["add"]
    inputs = [np.random.default_rng(0).integers(-128, 128, (20, 1, 9)).astype(np.int8)]
    np.testing.assert_array_equal(run_graph(graph, inputs), tflm(file, inputs))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_quantized_zeros_are_filled_in(dtype: str) -> None:
    """tf.zeros of a size that was left open, in a quantized file."""
    model = Model()
    main = Subgraph(model)
    quant = {"dtype": dtype, "scale": 0.05, "zero_point": -9 if dtype == "int8" else 0}
    x, y = main.input("x", SHAPE, **quant), main.tensor("y", (1, 4, 3), **quant)
    zero = main.constant("zero", quant["zero_point"], **quant)
    zeros = main.tensor("zeros", (1, 1, 1), signature=(-1, -1, -1), **quant)
    main.op("FILL", [main.constant("sizes", SHAPE), zero], [zeros], type="FillOptions")
    main.op("CONCATENATION", [x, zeros], [y], type="ConcatenationOptions", axis=1)
    main.outputs(y)
    graph = read_tflite(model.file(), "model")
    assert [node.op for node in graph.nodes] == ["concatenation"]
    inputs = [np.random.default_rng(0).integers(-128, 128, (20, *SHAPE)).astype(dtype)]
    np.testing.assert_array_equal(run_graph(graph, inputs), litert_ref(model.file(), inputs))


def zeros_of_scale_0(computed: bool) -> bytes:
    """y = x + zeros, int16: the converter gives zeros the scale 0, and requantizes them."""
    model = Model()
    main = Subgraph(model)
    x = main.input("x", SHAPE, "int16", scale=0.01)
    zeros = main.constant("zeros", np.zeros(SHAPE), "int16", scale=0.0)
    again = main.tensor("again", SHAPE, "int16", scale=0.0 if computed else 0.01)
    y = main.tensor("y", SHAPE, "int16", scale=0.01)
    main.op("QUANTIZE", [x if computed else zeros], [again], type="QuantizeOptions")
    main.op("ADD", [x, again], [y], type="AddOptions")
    main.outputs(y)
    return model.file()


def test_zeros_may_have_scale_0() -> None:
    graph = read_tflite(zeros_of_scale_0(computed=False), "model")
    inputs = [np.random.default_rng(0).integers(-32768, 32768, (20, *SHAPE)).astype(np.int16)]
    np.testing.assert_array_equal(run_graph(graph, inputs), inputs)
    with pytest.raises(InvalidModelError, match="again: a scale must be positive and finite"):
        read_tflite(zeros_of_scale_0(computed=True), "model")


def test_constants_that_are_quantized_in_the_file() -> None:
    model = Model()
    main = Subgraph(model)
    quant = {"scale": 0.02, "zero_point": -7}
    x = main.input("x", SHAPE, "int8", **quant)
    c = main.constant("c", np.linspace(-3, 3, 6).reshape(SHAPE), "float32")
    q, y = main.tensor("q", SHAPE, "int8", **quant), main.tensor("y", SHAPE, "int8", **quant)
    main.op("QUANTIZE", [c], [q], type="QuantizeOptions")
    main.op("ADD", [x, q], [y], type="AddOptions")
    main.outputs(y)
    graph = read_tflite(model.file(), "model")
    assert graph.tensors["q"].is_constant and graph.tensors["q"].scale == np.float32(0.02)
    inputs = [np.random.default_rng(0).integers(-128, 128, (20, *SHAPE)).astype(np.int8)]
    np.testing.assert_array_equal(run_graph(graph, inputs), tflm(model.file(), inputs))


def test_dead_operators_are_not_even_looked_at() -> None:
    model = Model()
    main = Subgraph(model)
    x, dead, y = main.input("x", SHAPE), main.tensor("dead", SHAPE), main.tensor("y", SHAPE)
    main.op("ATAN2", [x, x], [dead])
    main.op("ADD", [x, x], [y], type="AddOptions")
    main.outputs(y)
    graph = read_tflite(model.file(), "model")
    assert [node.name for node in graph.nodes] == ["y"] and set(graph.tensors) == {"x", "y"}


def test_what_only_shapes_needed_goes() -> None:
    """z = fill(shape(conv(x))): the value of what has that shape counts for nothing."""
    model = Model()
    main = Subgraph(model)
    x, big, y = main.input("x", SHAPE), main.tensor("big", SHAPE), main.tensor("y", SHAPE)
    shape, filled = main.tensor("shape", (3,), "int32"), main.tensor("filled", SHAPE)
    main.op("ADD", [x, x], [big], type="AddOptions")
    main.op("SHAPE", [big], [shape], type="ShapeOptions", outType=2)
    main.op("FILL", [shape, main.constant("two", 2.5, "float32")], [filled], type="FillOptions")
    main.op("MUL", [x, filled], [y], type="MulOptions")
    main.outputs(y)
    graph = read_tflite(model.file(), "model")
    assert [node.op for node in graph.nodes] == ["mul"]
    np.testing.assert_array_equal(run_graph(graph, sample()), litert_ref(model.file(), sample()))


LARGE: dict[str, Known] = {
    "fill": plain("FILL", i32(2**15, 2**15), i32(1)[0], options="FillOptions"),
    "range": plain("RANGE", i32(0)[0], i32(2**31 - 1)[0], i32(1)[0], options="RangeOptions"),
    "broadcast": plain(
        "ADD", np.ones((2**15, 1), np.int32), np.ones((1, 2**15), np.int32), options="AddOptions"
    ),
    "gather": plain(
        "GATHER", np.zeros((1, 2**16), np.int32), np.zeros(2**8, np.int32), options="GatherOptions"
    ),
    "negative fill": plain("FILL", i32(-1, 3), i32(1)[0], options="FillOptions"),
    "step 0": plain("RANGE", i32(0)[0], i32(9)[0], i32(0)[0], options="RangeOptions"),
    "div by 0": plain("FLOOR_DIV", i32(1), i32(0), options="FloorDivOptions"),
    "axis": plain("PACK", i32(1), i32(0), options="PackOptions", axis=7),
    "outside": plain("GATHER", i32(1), i32(1), options="GatherOptions"),
    "shapes": plain("ADD", i32(1, 2), i32(1, 2, 3), options="AddOptions"),
}


@pytest.mark.parametrize("case", LARGE)
def test_what_cannot_be_computed_is_refused_quickly(case: str) -> None:
    start = time.process_time()
    with pytest.raises((InvalidModelError, UnsupportedModelError)):
        read_tflite(model_of(LARGE[case], SHAPE), "model")
    assert time.process_time() - start < 1


def test_work_is_bounded_over_the_whole_file() -> None:
    """Each operator is small enough; a thousand of them are not."""
    model = Model()
    main = Subgraph(model)
    x, last = main.input("x", (1, 1)), main.constant("c", np.ones((1, 2**19)), "float32")
    for index in range(200):
        new = main.tensor(f"t{index}", (1, 2**19))
        main.op("ADD", [last, last], [new], type="AddOptions")
        last = new
    y = main.tensor("y", (1, 2**19))
    main.op("ADD", [x, last], [y], type="AddOptions")
    main.outputs(y)
    file = model.file()
    start = time.process_time()
    with pytest.raises(UnsupportedModelError, match="small enough to be computed at import"):
        read_tflite(file, "model")
    assert time.process_time() - start < 5
    assert MAX_ELEMENTS < 2**19 * 200
