"""Every operator's table of cases once more in int16: near the float meaning, TFLM's bytes, and C's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import BoundNode, QuantParams, Tensor
from mcu_quant.kernels.portable.linear_s16 import is_narrow
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.linear import sums_in_int64
from mcu_quant.ops.logistic import LogisticAttrs
from mcu_quant.ops.relu import ReluAttrs
from mcu_quant.ops.support import node_problems
from mcu_quant.ops.tanh import TanhAttrs
from tests.ops import (
    test_abs,
    test_add,
    test_average_pool_2d,
    test_batch_matmul,
    test_broadcast_to,
    test_cast,
    test_concatenation,
    test_conv_2d,
    test_depthwise_conv_2d,
    test_fully_connected,
    test_gather,
    test_gather_nd,
    test_gru,
    test_leaky_relu,
    test_logistic,
    test_max_pool_2d,
    test_maximum,
    test_mean,
    test_minimum,
    test_mirror_pad,
    test_mul,
    test_pad,
    test_prelu,
    test_quantize,
    test_reduce_max,
    test_reduce_min,
    test_reduce_prod,
    test_relu,
    test_relu6,
    test_resize_bilinear,
    test_resize_nearest_neighbor,
    test_rsqrt,
    test_select_v2,
    test_simple_rnn,
    test_softmax,
    test_squared_difference,
    test_strided_slice,
    test_sub,
    test_sum,
    test_tanh,
    test_transpose,
    test_transpose_conv,
    test_unidirectional_sequence_lstm,
)
from tests.ops.driver import (
    CHECKS,
    Case,
    activation,
    c_equals_reference,
    check_name,
    linear_case,
    reference,
)
from tests.ops.int16 import EVERY_INT16, as_int16
from tests.oracles import tflm

#: Cases of ratios of scales that int16 does not bear.
_NOT_IN_INT16 = {"left_shift", "left_shift_of_12", "finest_output", "no_middle", "steepest"}


def _with_litert(cases: Sequence[Case]) -> list[Case]:
    """Where TFLM has no int16."""
    return [replace(case, oracle=case.oracle and "LiteRT") for case in cases]


def _cases(table: Sequence[Case], *also_not: str, **options: Any) -> list[Case]:
    left_out = _NOT_IN_INT16.union(also_not)
    return [as_int16(case, **options) for case in table if case.name not in left_out]


def _above_0(case: Case) -> Case:
    """TFLM gives an error for what is negative, and 0 is infinite in float."""
    return replace(case, data=tuple(np.maximum(x, 1) for x in case.data or ()))


def _recurrent(table: Sequence[Case]) -> list[Case]:
    """Half a thousandth from the meaning, but where limits decide, as in the int8 case."""
    return [
        as_int16(case, float_steps=16.0 if case.float_steps <= 1 else 65535.0)
        for case in table
        if case.name not in _NOT_IN_INT16
    ]


# softmax, logistic and tanh interpolate in tables: several steps of 1/32768 from their meaning.
TABLES: dict[str, list[Case]] = {
    "abs": _cases(test_abs.CASES),
    "add": _cases(test_add.CASES),
    "average_pool_2d": _cases(test_average_pool_2d.CASES),
    "broadcast_to": _cases(test_broadcast_to.CASES),
    "batch_matmul": _cases(test_batch_matmul.CASES),
    "cast": test_cast.INT16,
    "squared_difference": _cases(test_squared_difference.CASES, float_steps=16.0),
    "concatenation": _cases(test_concatenation.CASES),
    "conv_2d": _cases(test_conv_2d.CASES),
    "conv_2d_int32": _cases(test_conv_2d.CASES, "float64_sums", bias="int32"),
    "depthwise_conv_2d": _cases(test_depthwise_conv_2d.CASES),
    "fully_connected": _cases(test_fully_connected.CASES),
    "fully_connected_int32": _cases(test_fully_connected.CASES, "float64_sums", bias="int32"),
    "gather": _with_litert(_cases(test_gather.CASES)),
    "gather_nd": _with_litert(_cases(test_gather_nd.CASES)),
    "gru": _recurrent(test_gru.CASES),
    "leaky_relu": _cases(test_leaky_relu.CASES),
    "logistic": _cases(test_logistic.CASES, float_steps=2.0),
    "max_pool_2d": _cases(test_max_pool_2d.CASES),
    "maximum": _cases(test_maximum.CASES),
    "mean": _cases(test_mean.CASES),
    "minimum": _cases(test_minimum.CASES),
    "mirror_pad": _with_litert(_cases(test_mirror_pad.CASES)),
    "mul": _cases(test_mul.CASES),
    "pad": _cases(test_pad.CASES),
    "prelu": _cases(test_prelu.CASES),
    "quantize": _cases(test_quantize.INT8),
    # TFLM reduces no int16 to its largest.
    "reduce_max": _cases(test_reduce_max.CASES, oracle="LiteRT"),
    "reduce_min": _cases(test_reduce_min.CASES, oracle="LiteRT"),
    # 15 bits of multiplier for each factor.
    "reduce_prod": _cases(test_reduce_prod.CASES, float_steps=300.0),
    "relu": _cases(test_relu.CASES),
    "relu6": _cases(test_relu6.CASES),
    "rsqrt": [_above_0(case) for case in _cases(test_rsqrt.CASES)],
    "resize_bilinear": _with_litert(_cases(test_resize_bilinear.CASES, float_steps=600.0)),
    "resize_nearest_neighbor": _cases(test_resize_nearest_neighbor.CASES),
    "select_v2": _cases(test_select_v2.CASES),
    "simple_rnn": _recurrent(test_simple_rnn.CASES),
    "softmax": _cases(test_softmax.CASES, float_steps=24.0),
    "strided_slice": _cases(test_strided_slice.CASES),
    "sub": _cases(test_sub.CASES),
    "sum": _cases(test_sum.CASES),
    "tanh": _cases(test_tanh.CASES, float_steps=3.0),
    "transpose": _cases(test_transpose.CASES),
    "transpose_conv": _cases(test_transpose_conv.CASES),
    # Gates and cell states are as coarse as in int8: a few of their steps of 2**-12.
    "unidirectional_sequence_lstm": [
        as_int16(case, float_steps=64.0 if case.float_steps < 255 else 65535.0)
        for case in test_unidirectional_sequence_lstm.CASES
    ],
}
CASES = [pytest.param(case, id=f"{op}-{case}") for op, table in TABLES.items() for case in table]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES)
def test_int16(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def _wide(case: Case) -> Case:
    """The same with biases that no int32 holds, and an output scale for them."""
    bias = case.inputs[2]
    assert bias is not None and bias.data is not None
    data = bias.data.copy()
    data[::2] += 2**36 + 12345
    data[1::2] -= 2**35
    output = QuantParams.per_tensor(case.output_quant.scale[0] * 2**12)
    inputs = (*case.inputs[:2], replace(bias, data=data))
    return replace(case, name=f"{case.name}_wide", inputs=inputs, output_quant=output)


#: Sums beyond int32: more taps than any int32 sum of them is proven for, or biases of two words.
WIDE = [
    as_int16(
        linear_case("conv_deep", "conv_2d", test_conv_2d.VALID, (1, 5, 5, 64), (5, 3, 3, 64), fill=-127)
    ),
    as_int16(
        linear_case("conv_dilated", "conv_2d", Conv2DAttrs(dilation=(2, 2)), (1, 7, 7, 90), (6, 3, 3, 90))
    ),
    as_int16(
        linear_case("dense_2000", "fully_connected", FullyConnectedAttrs(), (1, 2000), (6, 2000), fill=127)
    ),
    as_int16(
        linear_case(
            "depthwise_625",
            "depthwise_conv_2d",
            DepthwiseConv2DAttrs(),
            (1, 26, 26, 5),
            (1, 25, 25, 5),
            fill=127,
        )
    ),
    _wide(as_int16(linear_case("bias_conv", "conv_2d", test_conv_2d.SAME, (1, 4, 3, 5), (6, 3, 3, 5)))),
    _wide(as_int16(linear_case("bias_dense", "fully_connected", FullyConnectedAttrs(), (1, 40), (7, 40)))),
    _wide(
        as_int16(
            linear_case("bias_dw", "depthwise_conv_2d", DepthwiseConv2DAttrs(), (1, 6, 5, 6), (1, 3, 3, 6))
        )
    ),
]


@pytest.mark.parametrize("check", CHECKS[1:], ids=check_name)
@pytest.mark.parametrize("case", WIDE, ids=str)
def test_sums_beyond_int32(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def test_sums_are_narrow_where_that_is_proven() -> None:
    by_name = {case.name: is_narrow(case.node()) for case in WIDE}
    assert not by_name["conv_deep_int16"] and not by_name["dense_2000_int16"]
    assert not by_name["depthwise_625_int16"]
    assert by_name["bias_conv_int16_wide"], "the bias does not count: it is added in 64 bits"
    assert all(is_narrow(case.node()) for case in TABLES["conv_2d_int32"])


@pytest.mark.parametrize("check", CHECKS[1:], ids=check_name)
@pytest.mark.parametrize("op", ["conv_2d", "depthwise_conv_2d", "fully_connected"])
def test_drawn_geometry(op: str, check: Callable[[Case], None]) -> None:
    rng = np.random.default_rng(3)
    for index in range(15):
        depth, outputs = int(rng.integers(1, 9)), int(rng.integers(1, 10))
        size = tuple(int(v) for v in rng.integers(1, 4, 2))
        height, width = (int(v) for v in rng.integers(4, 9, 2))
        window = {"strides": tuple(map(int, rng.integers(1, 3, 2))), "padding": ("same", "valid")[index % 2]}
        shapes: tuple[Any, tuple[int, ...], tuple[int, ...]] = {
            "conv_2d": (Conv2DAttrs(**window), (1, height, width, depth), (outputs, *size, depth)),
            "depthwise_conv_2d": (
                DepthwiseConv2DAttrs(**window),
                (1, height, width, depth),
                (1, *size, depth * int(rng.integers(1, 3))),
            ),
            "fully_connected": (FullyConnectedAttrs(), (1, depth * 9), (outputs, depth * 9)),
        }[op]
        drawn = linear_case(f"{op}_{index}", op, *shapes, gain=float(rng.uniform(0.5, 4)), samples=1)
        check(as_int16(drawn))


def _mixed(name: str, x: Tensor, dtype: str, scale: float, zero_point: int, data: np.ndarray) -> Case:
    output = QuantParams.per_tensor(scale, zero_point)
    inputs = (replace(x, shape=(1, data.size)),)
    return Case(name, "quantize", None, inputs, output, output_dtype=dtype, data=(data.reshape(1, 1, -1),))


EVERY_INT8 = np.arange(-128, 128, dtype=np.int8)
CONVERSIONS = [
    _mixed(f"{x}_{y}_{s_x:g}_{s_y:g}", activation("x", (1, 1), s_x, z_x, x), y, s_y, z_y, data)
    for x, y, data in (("int8", "int16", EVERY_INT8), ("int16", "int8", EVERY_INT16))
    for s_x, s_y, z in ((0.05, 0.05 / 256, 3), (0.1, 0.07, -128), (1e-4, 0.3, 127), (20.0, 0.001, -5))
    for z_x, z_y in [(z, 0) if x == "int8" else (0, z)]
]


@pytest.mark.parametrize("check", CHECKS[1:], ids=check_name)
@pytest.mark.parametrize("case", CONVERSIONS, ids=str)
def test_between_int8_and_int16(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def _hard_floats(scale: float) -> np.ndarray:
    halves = (np.concatenate([np.arange(-300, 300), [-32769, -32768, 32766, 32767]]) + 0.5) * scale
    halves = halves.astype(np.float32)
    beside = [np.nextafter(halves, np.float32(side)) for side in (-np.inf, np.inf)]
    random = (np.random.default_rng(7).normal(size=2000) * 20000 * scale).astype(np.float32)
    return np.concatenate(
        [halves, *beside, random, np.float32([0.0, -0.0, 1e-45, 1e9 * scale, -1e9 * scale])]
    )


FLOATS = [
    _mixed(f"float_{scale:g}", Tensor("x", (1, 1)), "int16", scale, 0, _hard_floats(scale))
    for scale in (0.05, 1.0, 1 / 3, 3e-5)
]


@pytest.mark.parametrize("check", CHECKS[1:], ids=check_name)
@pytest.mark.parametrize("case", FLOATS, ids=str)
def test_floats_to_int16(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def _to_float(scale: float) -> Case:
    x = activation("x", (1, EVERY_INT16.size), scale, 0, "int16")
    data = (EVERY_INT16.reshape(1, 1, -1),)
    no_quant: Any = None
    return Case(f"{scale:g}", "dequantize", None, (x,), no_quant, output_dtype="float32", data=data)


TO_FLOATS = [
    _to_float(scale) for scale in (0.05, 1 / 3, 1e-30, 1e33, 1e-44, 1.0, 1 / 32768, 7e-5, 123.456, 3e-38)
]


@pytest.mark.parametrize("check", CHECKS[1:], ids=check_name)
@pytest.mark.parametrize("case", TO_FLOATS, ids=str)
def test_int16_to_floats(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def test_c_equals_reference_where_c_itself_says_nothing() -> None:
    special = np.array([np.nan, -np.nan, np.inf, -np.inf, 3e38, -3e38, 2.0**31, 1e30], np.float32)
    case = _mixed("special", Tensor("x", (1, 1)), "int16", 0.05, 0, special)
    c_equals_reference(case)
    top, bottom = 2**15 - 1, -(2**15)
    assert reference(case)[0].ravel().tolist() == [0, 0, top, bottom, top, bottom, top, top]


@pytest.mark.parametrize("exponent", [-13, -12, -11, -10])
@pytest.mark.parametrize("op", ["logistic", "tanh"])
@pytest.mark.parametrize("factor", [1.0, 1.0006, 1.0008, 0.9994])
def test_scales_that_are_nearly_powers_of_two(op: str, exponent: int, factor: float) -> None:
    attrs: Any = {"logistic": LogisticAttrs(), "tanh": TanhAttrs()}[op]
    x = activation("x", (1, EVERY_INT16.size), factor * 2.0**exponent, 0, "int16")
    output = QuantParams.per_tensor(1 / 32768)
    data = (EVERY_INT16.reshape(1, 1, -1),)
    case = Case("power", op, attrs, (x,), output, output_dtype="int16", data=data)
    for check in CHECKS[1:3]:
        check(case)


@pytest.mark.parametrize("op", ["conv_2d", "fully_connected"])
def test_a_bias_that_is_only_a_type(op: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """quantized_bias_type INT32 and no bias: TFLM sums in int32; so do we, with a bias of zeros."""
    table = {"conv_2d": test_conv_2d.CASES, "fully_connected": test_fully_connected.CASES}[op]
    case = as_int16(next(case for case in table if case.name == "no_bias"))
    operator = OPERATORS[op]
    plain = operator.to_tflite

    def with_type(node: BoundNode) -> TfliteForm:
        form = plain(node)
        assert form is not None
        return replace(form, options={**form.options, "QuantizedBiasType": 2})

    monkeypatch.setattr(operator, "to_tflite", with_type)
    file = write_tflite(case.graph())
    monkeypatch.undo()
    graph = read_tflite(file, "typed")
    (node,) = graph.bound_nodes()
    assert node.input(2).dtype == "int32" and not sums_in_int64(node)
    inputs = case.samples_of_inputs()
    expected = tflm(file, inputs)
    np.testing.assert_array_equal(run_graph(graph, inputs)[0], expected[0])
    np.testing.assert_array_equal(tflm(write_tflite(graph), inputs)[0], expected[0])
    assert (reference(case)[0] != expected[0]).any(), "the two roundings differ somewhere"


def _problem(case: Case) -> str:
    (problem,) = node_problems(case.node())
    return problem.rule


def test_refusals() -> None:
    dw = test_depthwise_conv_2d.CASES[0]
    assert "int64, or absent" in _problem(as_int16(dw, bias="int32"))
    steep = next(case for case in test_conv_2d.CASES if case.name == "left_shift_of_12")
    assert "2**7 where accumulators are int64" in _problem(as_int16(steep))
    overflow = linear_case("overflow", "fully_connected", FullyConnectedAttrs(), (1, 600), (3, 600), fill=127)
    assert "overflow the int32 accumulator" in _problem(as_int16(overflow, bias="int32"))
    huge = as_int16(linear_case("huge", "fully_connected", FullyConnectedAttrs(), (1, 6), (3, 6)))
    bias = huge.inputs[2]
    assert bias is not None
    for value in (2**47, -(2**63)):
        data = np.array([0, value, 0], np.int64)
        assert "2**47" in _problem(replace(huge, inputs=(*huge.inputs[:2], replace(bias, data=data))))
    shifted = as_int16(test_max_pool_2d.CASES[0])
    quant = QuantParams.per_tensor(0.05, 3)
    shifted = replace(shifted, inputs=(activation("x", (1, 6, 5, 3), 0.05, 3, "int16"),), output_quant=quant)
    rules = {problem.rule for problem in node_problems(shifted.node())}
    assert rules == {"int16 tensors must have zero_point 0"}
    x = activation("x", (1, 8), 0.05, 131, "uint8")
    uint8 = Case("uint8", "quantize", None, (x,), QuantParams.per_tensor(0.05), output_dtype="int16")
    assert "between uint8 and int16" in _problem(uint8)
    mixed = Case(
        "mixed", "relu", ReluAttrs(), (activation("x", (1, 8), 0.05, 0),), QuantParams.per_tensor(0.05)
    )
    assert "must be int16" in _problem(replace(mixed, output_dtype="int16"))
    fixed = as_int16(test_softmax.CASES[0])
    assert "1/32768" in _problem(replace(fixed, output_quant=QuantParams.per_tensor(1 / 256)))
    finest = next(case for case in test_add.CASES if case.name == "finest_output")
    assert "2**15" in _problem(as_int16(finest))
    steepest = next(case for case in test_softmax.CASES if case.name == "steepest")
    assert node_problems(
        replace(as_int16(steepest), inputs=(activation("x", (1, 4), 6.0, 0, "int16"),)).node()
    )
