"""Of the kernels for the DSP extension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcu_quant.ops.batch_matmul import BatchMatmulAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from tests.kernels.dsp import normalization_cases
from tests.kernels.guards.guard import (
    Guard,
    binary,
    conv,
    depthwise,
    fully_connected,
    one_ratio,
    with_steep_channel,
)
from tests.ops import test_batch_matmul, test_transpose_conv
from tests.ops.driver import Case, unary_case

_CONVOLUTIONS = "conv_2d_dsp_s8 conv_2d_dsp_fast_s8 conv_2d_dsp_small_s8"
_FULLY_CONNECTED = "fully_connected_dsp_s8 fully_connected_dsp_fast_s8 fully_connected_dsp_small_s8"
_PLANAR = "depthwise_planar_s8 depthwise_planar_small_s8"


def _long_rows(units: int, size: int) -> Case:
    return fully_connected((1, size), (units, size))


def _product(a: Sequence[int], b: Sequence[int], attrs: BatchMatmulAttrs | None = None) -> Case:
    return test_batch_matmul.case("guard", tuple(a), tuple(b), attrs or BatchMatmulAttrs())


def _normalization(*, center: bool, class_name: str = "LayerNormalization") -> Case:
    return normalization_cases.case_of("guard", class_name, center)


LINEAR = [
    Guard(
        _CONVOLUTIONS,
        "it has groups",
        conv((1, 5, 5, 4), (4, 3, 3, 2)),
        conv((1, 5, 5, 4), (4, 3, 3, 4)),
    ),
    Guard(
        _CONVOLUTIONS,
        "its inputs are whole words, so that it needs no scratch",
        fully_connected((2, 8), (4, 8)),
        fully_connected((2, 7), (4, 7)),
    ),
    # Two pixels of int16 in 64 kB.
    Guard(
        _CONVOLUTIONS,
        "its windows are too large to be expanded",
        conv((1, 1, 2, 16388), (4, 1, 1, 16388)),
        conv((1, 1, 2, 16384), (4, 1, 1, 16384)),
    ),
    Guard(
        _FULLY_CONNECTED,
        "its inputs are not whole words",
        fully_connected((2, 7), (4, 7)),
        fully_connected((2, 8), (4, 8)),
    ),
    # Immediates have 20 bits.
    Guard(
        _FULLY_CONNECTED,
        "its rows are too long for the assembly",
        _long_rows(1, 2**20),
        _long_rows(1, 2**20 - 4),
        runs=False,
    ),
    Guard(
        _FULLY_CONNECTED,
        "its rows are too long for the assembly",
        _long_rows(2**20 - 4, 4),
        _long_rows(2**20 - 5, 4),
        runs=False,
    ),
]

_IMAGE, _FILTER = (1, 6, 6, 4), (1, 3, 3, 4)
_EXACT = "no short requantization is exact for all channels"
_SHORT = "its requantization is not proved in the short form"


def _ratios(kernels: str, rule: str, make: Any, *sizes: tuple[int, ...]) -> Guard:
    """Multipliers times 2**8 shift by less than 2**6 to the left."""
    return Guard(kernels, rule, one_ratio(65, make, *sizes), one_ratio(63, make, *sizes))


DEPTHWISE = [
    # 9 rows of 8 words of weights; 8 rows of 7.
    Guard(
        _PLANAR,
        "the filter must be small",
        depthwise((1, 9, 9, 4), (1, 9, 9, 4)),
        depthwise((1, 9, 9, 4), (1, 8, 8, 4)),
    ),
    # 3 lines of 86 or 85 words, of four channels.
    Guard(
        _PLANAR,
        "lines must be short",
        depthwise((1, 9, 169, 4), _FILTER),
        depthwise((1, 9, 168, 4), _FILTER),
    ),
    Guard(
        _PLANAR,
        "there must not be so many channels",
        depthwise((1, 3, 3, 2048), (1, 3, 3, 2048)),
        depthwise((1, 3, 3, 2047), (1, 3, 3, 2047)),
    ),
    _ratios(_PLANAR, _EXACT, depthwise, _IMAGE, _FILTER),
    _ratios("depthwise_lines_s8", _SHORT, depthwise, _IMAGE, _FILTER),
    # One shift for all channels; the planar kernels may have one for each.
    Guard(
        "depthwise_lines_s8",
        _SHORT,
        with_steep_channel(depthwise(_IMAGE, _FILTER), 2**6),
        with_steep_channel(depthwise(_IMAGE, _FILTER), 2**5),
    ),
]

_LAYER = (1, 6, 6, 8), (4, 3, 3, 8)
_SQUARE, _WORDS = "it is not 3x3 at stride 1", "its channels are not whole words"
_LONG = "its rows are too long for the assembly"

WINOGRAD = [
    *(
        Guard("winograd_dsp_s8", _SQUARE, outside, conv(*_LAYER))
        for outside in (
            conv(_LAYER[0], (4, 3, 1, 8)),
            conv(_LAYER[0], (4, 5, 3, 8)),
            conv(*_LAYER, strides=(2, 1)),
            conv(*_LAYER, strides=(1, 2)),
            conv(*_LAYER, dilation=(2, 1)),
            conv(*_LAYER, dilation=(1, 2)),
        )
    ),
    *(
        Guard("winograd_dsp_s8", _WORDS, outside, conv(*_LAYER))
        for outside in (
            conv(_LAYER[0], (4, 3, 3, 4)),
            conv((1, 6, 6, 7), (4, 3, 3, 7)),
            conv(_LAYER[0], (5, 3, 3, 8)),
        )
    ),
    Guard(
        "winograd_dsp_s8",
        _LONG,
        conv((1, 3, 3, 132), (4, 3, 3, 132), fill=3),
        conv((1, 3, 3, 128), (4, 3, 3, 128), fill=3),
    ),
    Guard(
        "winograd_dsp_s8",
        _LONG,
        one_ratio(0.01, conv, (1, 3, 3, 4), (1024, 3, 3, 4)),
        one_ratio(0.01, conv, (1, 3, 3, 4), (1020, 3, 3, 4)),
    ),
    Guard(
        "winograd_dsp_s8",
        _LONG,
        one_ratio(0.01, conv, (1, 1, 1029, 4), (1020, 3, 3, 4)),
        one_ratio(0.01, conv, (1, 1, 1028, 4), (1020, 3, 3, 4)),
        runs=False,
    ),
    _ratios("winograd_dsp_s8", _SHORT, conv, *_LAYER),
]


def _shift(op: str, first: float, second: float, output: float) -> Case:
    return binary(op, ((1, 3, 8), (1, 3, 8)), (first, second, output), zero_points=(3, -8, -128))


_RIGHT, _TERM = (
    f"{what} shift must be {bits} to the right"
    for what, bits in (("the output's", "0 to 22"), ("an operand's", "1 to 30"))
)
_SAME = ((1, 3, 8), (1, 3, 8))

ELEMENTWISE = [
    Guard(
        "add_s8_dsp",
        "operands must not broadcast",
        binary("sub", ((1, 3, 8), (1, 1, 8)), (0.05, 0.03, 0.05)),
        binary("sub", _SAME, (0.05, 0.03, 0.05)),
    ),
    Guard(
        "add_s8_dsp",
        "no linear function is exact for all pairs of inputs",
        binary("add", _SAME, (0.05, 0.05 * 0.7, 0.05)),
        binary("add", _SAME, (0.05, 0.05 * 0.7, 0.05 / 1.1)),
    ),
    Guard("binary_s8_dsp", _RIGHT, _shift("mul", 1, 1, 1 / 1.01), _shift("mul", 1, 1, 1 / 0.99)),
    Guard("binary_s8_dsp", _RIGHT, _shift("mul", 1, 1, 2**23.5), _shift("mul", 1, 1, 2**22.5)),
    Guard("binary_s8_dsp", _RIGHT, _shift("add", 1, 1, 2**4.5), _shift("add", 1, 1, 2**3.5)),
    Guard("binary_s8_dsp", _TERM, _shift("sub", 1, 1.01 * 2**-31, 1), _shift("sub", 1, 1.01 * 2**-29, 1)),
]

_CHANNELS = "there must be 4 to 1023 channels"
_RUN = "the axes must be one run, with four channels or more behind them"


def _pool(channels: int) -> Case:
    return unary_case("guard", "max_pool_2d", Pool2DAttrs((2, 2), (2, 2)), (1, 4, 4, channels))


def _mean(axes: tuple[int, ...], shape: tuple[int, ...]) -> Case:
    return unary_case("guard", "mean", ReductionAttrs(axes), shape)


POOLING = [
    Guard("max_pool_2d_s8_dsp", _CHANNELS, _pool(3), _pool(4)),
    Guard("max_pool_2d_s8_dsp", _CHANNELS, _pool(1024), _pool(1023)),
    Guard("mean_s8_dsp", _RUN, _mean((1, 2), (1, 3, 5, 3)), _mean((1, 2), (1, 3, 5, 4))),
    Guard("mean_s8_dsp", _RUN, _mean((1, 3), (1, 3, 5, 4)), _mean((1, 2), (1, 3, 5, 4))),
    Guard("mean_s8_dsp", _RUN, _mean((2, 3), (1, 3, 5, 4)), _mean((2,), (1, 3, 5, 4))),
]

#: The rules look at shapes alone, so int8 nodes stand for hybrid ones.
HYBRID = [
    Guard(
        "conv_2d_dsp_hybrid",
        "it must be one group",
        conv((1, 4, 4, 4), (4, 1, 1, 2)),
        conv((1, 4, 4, 4), (4, 1, 1, 4)),
        runs=False,
    ),
    Guard(
        "fully_connected_dsp_hybrid",
        "its inputs must be a multiple of 4",
        fully_connected((1, 6), (3, 6)),
        fully_connected((1, 8), (3, 8)),
        runs=False,
    ),
]

_DEEP = "the first operand must lie in rows of four or more"

PRODUCTS = [
    Guard(
        "transpose_conv_s8_dsp",
        "there must be four input channels or more",
        test_transpose_conv.case("three", (4, 4), (2, 2), (3, 2, 3), (2, 2, 2, 3)),
        test_transpose_conv.case("four", (4, 4), (2, 2), (3, 2, 4), (2, 2, 2, 4)),
    ),
    Guard("batch_matmul_s8_dsp", _DEEP, _product((1, 4, 3), (1, 3, 5)), _product((1, 4, 4), (1, 4, 5))),
    Guard(
        "batch_matmul_s8_dsp",
        _DEEP,
        _product((1, 6, 4), (1, 6, 5), BatchMatmulAttrs(adj_x=True)),
        _product((1, 4, 6), (1, 6, 5)),
    ),
    Guard(
        "batch_matmul_pairs_s8_dsp",
        "sums must be of four products or more",
        _product((1, 4, 3), (1, 3, 5)),
        _product((1, 4, 4), (1, 4, 5)),
    ),
    Guard(
        "batch_matmul_pairs_s8_dsp",
        "sums must be shifted to the right, and not too far",
        test_batch_matmul.case("half", (1, 4, 4), (1, 4, 5), scale_y=0.0019),
        test_batch_matmul.case("less", (1, 4, 4), (1, 4, 5), scale_y=0.0021),
    ),
    Guard(
        "normalize_rows_s8_dsp",
        "the mean must be taken off",
        _normalization(center=True, class_name="RMSNormalization"),
        _normalization(center=True),
    ),
    Guard(
        "normalize_rows_s8_dsp",
        "what leaves must be shifted to the right alone",
        _normalization(center=False),
        _normalization(center=True),
    ),
    Guard(
        "batch_matmul_s8_dsp",
        "too few rows share the second operand to turn it round",
        _product((1, 3, 4), (1, 4, 5)),
        _product((1, 4, 4), (1, 4, 5)),
    ),
]

GUARDS = [*PRODUCTS, *LINEAR, *HYBRID, *DEPTHWISE, *WINOGRAD, *ELEMENTWISE, *POOLING]
