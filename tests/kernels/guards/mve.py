"""Of Helium's kernels."""

from __future__ import annotations

from typing import Any

from mcu_quant.ops.pooling import Pool2DAttrs
from tests.kernels.guards.guard import Guard, binary, conv, depthwise, fully_connected, one_ratio
from tests.ops.driver import Case, unary_case

_SHIFTS = "the multipliers' shifts must be at most "
_POINT = (1, 2, 2, 16), (4, 1, 1, 16)
_LAYER = (1, 6, 6, 16), (8, 3, 3, 16)


def _ratios(kernel: str, make: Any, *sizes: tuple[int, ...]) -> list[Guard]:
    """Multipliers shift to the right, by one where negative outputs count."""
    guards = []
    for outside, inside, fused, limit in ((0.51, 0.49, "none", -1), (1.01, 0.99, "relu", 0)):
        cases = (one_ratio(ratio, make, *sizes, activation=fused) for ratio in (outside, inside))
        guards.append(Guard(kernel, f"{_SHIFTS}{limit}", *cases))
    return guards


def _pool(shape: tuple[int, ...], size: tuple[int, int], padding: str = "valid") -> Case:
    return unary_case("guard", "average_pool_2d", Pool2DAttrs(size, (1, 1), padding), shape)


def _sum(first: float, second: float, output: float, fused: str = "none") -> Case:
    return binary("add", ((1, 3, 8), (1, 3, 8)), (first, second, output), fused=fused)


CONVOLUTIONS = [
    Guard(
        "conv_2d_s8_mve",
        "a depthwise convolution must have one input channel to be a convolution",
        depthwise((1, 6, 6, 2), (1, 3, 3, 4)),
        depthwise((1, 6, 6, 1), (1, 3, 3, 4)),
    ),
    Guard("conv_2d_s8_mve", "one group of channels only", conv(_LAYER[0], (8, 3, 3, 8)), conv(*_LAYER)),
    Guard(
        "conv_2d_s8_mve",
        "the output channels must be a multiple of 4",
        conv(_LAYER[0], (7, 3, 3, 16)),
        conv(*_LAYER),
    ),
    Guard("conv_2d_s8_mve", "no dilation", conv(*_LAYER, dilation=(2, 1)), conv(*_LAYER)),
    Guard("conv_2d_s8_mve", "no dilation", conv(*_LAYER, dilation=(1, 2)), conv(*_LAYER)),
    Guard(
        "conv_2d_s8_mve",
        "a filter of at most 16 rows",
        conv((1, 18, 2, 4), (4, 17, 1, 4)),
        conv((1, 18, 2, 4), (4, 16, 1, 4)),
    ),
    *_ratios("conv_2d_s8_mve", conv, *_POINT),
]

_ROW = (1, 4, 4, 4), (4, 3, 3, 4)
_COLUMNS = "filter rows of at most 12 bytes, 256 in all"

COLUMNS = [
    Guard("conv_2d_columns_s8_mve", _COLUMNS, conv((1, 4, 4, 13), (8, 3, 1, 13)), conv(*_ROW)),
    Guard(
        "conv_2d_columns_s8_mve",
        _COLUMNS,
        conv((1, 24, 4, 4), (4, 22, 3, 4)),
        conv((1, 24, 4, 4), (4, 16, 3, 4)),
    ),
    Guard(
        "conv_2d_columns_s8_mve",
        "a depthwise convolution must have one input channel to be a convolution",
        depthwise((1, 6, 6, 2), (1, 3, 3, 4)),
        depthwise((1, 6, 6, 1), (1, 3, 3, 4)),
    ),
    Guard(
        "conv_2d_columns_s8_mve", "one group of channels only", conv((1, 4, 4, 4), (4, 3, 3, 2)), conv(*_ROW)
    ),
    Guard(
        "conv_2d_columns_s8_mve",
        "the output channels must be a multiple of 4",
        conv((1, 4, 4, 4), (5, 3, 3, 4)),
        conv(*_ROW),
    ),
    Guard("conv_2d_columns_s8_mve", "no dilation", conv(*_ROW, dilation=(1, 2)), conv(*_ROW)),
    Guard(
        "conv_2d_columns_s8_mve",
        "a filter of at most 16 rows",
        conv((1, 18, 2, 4), (4, 17, 1, 4)),
        conv((1, 18, 2, 4), (4, 16, 1, 4)),
    ),
    *_ratios("conv_2d_columns_s8_mve", conv, (1, 2, 2, 4), (4, 1, 1, 4)),
]

_WHOLE = (1, 3, 3, 4), (5, 3, 3, 4)
_LARGE = "the filter must be as large as the input"
_ON_IT = "the filter must lie on the input, tap for tap"

FULLY_CONNECTED = [
    Guard(
        "fully_connected_s8_mve",
        _LARGE,
        conv((1, 4, 3, 4), (5, 3, 3, 4), padding="valid"),
        conv(*_WHOLE, padding="valid"),
    ),
    Guard("fully_connected_s8_mve", _LARGE, conv(*_WHOLE, padding="same"), conv(*_WHOLE, padding="valid")),
    # Strides as large as the input leave one output; its filter begins in the padding, or skips inputs.
    Guard(
        "fully_connected_s8_mve",
        _ON_IT,
        conv((1, 2, 2, 4), (5, 1, 4, 4), strides=(2, 2)),
        conv((1, 2, 2, 4), (5, 2, 2, 4), strides=(2, 2)),
    ),
    Guard(
        "fully_connected_s8_mve",
        _ON_IT,
        conv((1, 2, 1, 8), (5, 2, 1, 8), strides=(2, 1), dilation=(2, 1)),
        conv((1, 2, 1, 8), (5, 2, 1, 8), strides=(2, 1)),
    ),
    Guard(
        "fully_connected_s8_mve",
        "at least 16 inputs, or 8",
        fully_connected((1, 15), (4, 15)),
        fully_connected((1, 16), (4, 16)),
    ),
    Guard(
        "fully_connected_s8_mve",
        "at least 16 inputs, or 8",
        fully_connected((1, 9), (4, 9)),
        fully_connected((1, 8), (4, 8)),
    ),
    Guard(
        "fully_connected_s8_mve",
        "at least 16 inputs, or 8",
        fully_connected((1, 7), (4, 7)),
        fully_connected((1, 8), (4, 8)),
    ),
    *_ratios("fully_connected_s8_mve", fully_connected, (2, 16), (4, 16)),
]

_IMAGE, _FILTER = (1, 9, 9, 16), (1, 3, 3, 16)
_LINE = (1, 40, 1, 16)
_CHANNELS = "at least 16 channels, or rows of 16 bytes"
_STRIDE = "a stride of 1 and filters of at most 13, or strides that are multiples of 4"


def _line(taps: int, stride: int, shape: tuple[int, ...] = _LINE, **options: Any) -> Case:
    return depthwise(shape, (1, taps, 1, shape[3]), strides=(stride, 1), **options)


DEPTHWISE = [
    Guard(
        "depthwise_conv_2d_s8_mve",
        "a depth multiplier of 1 only",
        depthwise((1, 9, 9, 8), _FILTER),
        depthwise(_IMAGE, _FILTER),
    ),
    *(
        Guard(
            "depthwise_conv_2d_s8_mve",
            "no dilation",
            depthwise(_IMAGE, _FILTER, dilation=dilation),
            depthwise(_IMAGE, _FILTER),
        )
        for dilation in ((2, 1), (1, 2))
    ),
    *(
        Guard(
            "depthwise_conv_2d_s8_mve",
            "filters of at most 4 x 4",
            depthwise(_IMAGE, (1, *large, 16)),
            depthwise(_IMAGE, (1, *small, 16)),
        )
        for large, small in (((5, 3), (4, 3)), ((3, 5), (3, 4)))
    ),
    Guard(
        "depthwise_conv_2d_s8_mve",
        _CHANNELS,
        depthwise((1, 9, 3, 5), (1, 3, 3, 5)),
        depthwise((1, 9, 4, 5), (1, 3, 3, 5)),
    ),
    Guard(
        "depthwise_conv_2d_s8_mve",
        _CHANNELS,
        depthwise((1, 9, 1, 15), (1, 3, 1, 15)),
        depthwise((1, 9, 1, 16), (1, 3, 1, 16)),
    ),
    # From a patch to the next one: 8 or 7 words of 64 bytes.
    Guard(
        "depthwise_conv_2d_s8_mve",
        "the output's rows are too long, or the stride too large",
        depthwise((1, 16, 16, 16), _FILTER, strides=(8, 8)),
        depthwise((1, 16, 16, 16), _FILTER, strides=(7, 7)),
    ),
    *_ratios("depthwise_conv_2d_s8_mve", depthwise, _IMAGE, _FILTER),
    Guard(
        "depthwise_conv_1d_s8_mve",
        "a depth multiplier of 1 and at least 16 channels",
        _line(3, 1, (1, 40, 1, 15)),
        _line(3, 1),
    ),
    Guard(
        "depthwise_conv_1d_s8_mve",
        "a depth multiplier of 1 and at least 16 channels",
        depthwise(_LINE, (1, 3, 1, 32)),
        _line(3, 1),
    ),
    *(
        Guard(
            "depthwise_conv_1d_s8_mve", "height or width must be 1, the filter's, too", outside, _line(3, 1)
        )
        for outside in (
            depthwise((1, 40, 2, 16), (1, 3, 1, 16)),
            depthwise((1, 40, 2, 16), (1, 3, 2, 16), padding="valid"),
        )
    ),
    Guard(
        "depthwise_conv_1d_s8_mve",
        "filters of at most 16, no dilation",
        _line(17, 4),
        _line(16, 4),
    ),
    Guard(
        "depthwise_conv_1d_s8_mve",
        "filters of at most 16, no dilation",
        _line(3, 1, dilation=(2, 1)),
        _line(3, 1),
    ),
    Guard("depthwise_conv_1d_s8_mve", _STRIDE, _line(14, 1), _line(13, 1)),
    Guard("depthwise_conv_1d_s8_mve", _STRIDE, _line(3, 2), _line(3, 4)),
    # 65 or 64 words of four inputs.
    Guard(
        "depthwise_conv_1d_s8_mve",
        "the axis or the stride is too long",
        _line(3, 1, (1, 245, 1, 16)),
        _line(3, 1, (1, 244, 1, 16)),
    ),
    *_ratios("depthwise_conv_1d_s8_mve", depthwise, _LINE, (1, 3, 1, 16)),
]

ELEMENTWISE = [
    Guard(
        "average_pool_2d_s8_mve",
        "windows of 2 to 255 elements",
        _pool((1, 4, 4, 8), (1, 1)),
        _pool((1, 4, 4, 8), (1, 2)),
    ),
    Guard(
        "average_pool_2d_s8_mve",
        "windows of 2 to 255 elements",
        _pool((1, 16, 16, 8), (16, 16)),
        _pool((1, 16, 16, 8), (15, 16)),
    ),
    Guard(
        "average_pool_2d_s8_mve",
        "windows inside the input only",
        _pool((1, 4, 4, 8), (2, 2), "same"),
        _pool((1, 4, 4, 8), (2, 2)),
    ),
    Guard(
        "average_pool_2d_s8_mve",
        "the channels must be a multiple of 8",
        _pool((1, 4, 4, 12), (2, 2)),
        _pool((1, 4, 4, 8), (2, 2)),
    ),
    Guard(
        "add_s8_mve",
        "operands of one shape only",
        binary("add", ((1, 3, 8), (1, 1, 8))),
        binary("add", ((1, 3, 8), (1, 3, 8))),
    ),
    # The output's multiplier is twice the larger operand's scale to the output's, times 2**-20.
    Guard("add_s8_mve", _SHIFTS + "-1", _sum(0.05, 0.03, 0.1 * 2**-20), _sum(0.05, 0.03, 0.21 * 2**-20)),
    Guard(
        "add_s8_mve",
        _SHIFTS + "0",
        _sum(0.05, 0.03, 0.09 * 2**-20, "relu"),
        _sum(0.05, 0.03, 0.11 * 2**-20, "relu"),
    ),
    *(
        Guard(
            "mul_s8_mve",
            f"the multiplier's shift must be at most {limit}",
            *(
                binary("mul", ((1, 3, 8), (1, 3, 8)), (0.1, 0.1, 0.01 / ratio), fused=fused)
                for ratio in (outside, inside)
            ),
        )
        for outside, inside, fused, limit in ((0.51, 0.49, "none", -1), (1.01, 0.99, "relu", 0))
    ),
]

GUARDS = [*CONVOLUTIONS, *COLUMNS, *FULLY_CONNECTED, *DEPTHWISE, *ELEMENTWISE]
