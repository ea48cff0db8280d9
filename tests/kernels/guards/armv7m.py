"""Of Cortex-M3's kernels."""

from __future__ import annotations

from tests.kernels.guards.guard import (
    Guard,
    binary,
    conv,
    depthwise,
    fully_connected,
    one_ratio,
    with_weights,
)

_CONVOLUTIONS = "conv_2d_s8_armv7m conv_2d_bytes_s8_armv7m"
_FORM = "no short exact form fits the weights or scales"
_FORM_OF_STRIPS = "no short exact form fits the weights, scales or sizes"
_POINT = (1, 1, 5, 8), (4, 1, 1, 8)


def _ratios(kernels: str, rule: str, *layer: object) -> list[Guard]:
    """layer: a maker and its sizes. Multipliers shift to the right, by one where negative outputs count."""
    pairs = ((0.51, 0.49, "none"), (1.01, 0.99, "relu"))
    return [
        Guard(kernels, rule, *(one_ratio(r, *layer, zero_points=(3, -5), activation=fused) for r in ratios))
        for *ratios, fused in pairs
    ]


_TWO_TAPS = conv((1, 5, 5, 1), (4, 1, 2, 1))
_BESIDE = fully_connected((1, 6), (4, 6))
_BELOW = depthwise((1, 6, 4, 2), (1, 2, 1, 2))

GUARDS = [
    Guard(
        _CONVOLUTIONS,
        "groups have no fast kernel",
        conv((1, 5, 5, 4), (4, 3, 3, 2)),
        conv((1, 5, 5, 4), (4, 3, 3, 4)),
    ),
    # The kernel that keeps weights bytes adds no products in one word.
    Guard(
        "conv_2d_s8_armv7m",
        _FORM,
        with_weights(_TWO_TAPS, (-128, -128)),
        with_weights(_TWO_TAPS, (-128, -127)),
    ),
    *_ratios(_CONVOLUTIONS, _FORM, conv, *_POINT),
    Guard(
        "fully_connected_s8_armv7m",
        _FORM,
        with_weights(_BESIDE, (-128, -128)),
        with_weights(_BESIDE, (-128, -127)),
    ),
    *_ratios("fully_connected_s8_armv7m", _FORM, fully_connected, (2, 8), (4, 8)),
    Guard(
        "pointwise_bytes_s8_armv7m",
        "the filter must be one pixel of all channels",
        conv((1, 1, 5, 8), (4, 1, 2, 8)),
        conv(*_POINT),
    ),
    Guard(
        "pointwise_bytes_s8_armv7m",
        "the filter must be one pixel of all channels",
        conv((1, 5, 1, 8), (4, 2, 1, 8)),
        conv((1, 5, 1, 8), (4, 1, 1, 8)),
    ),
    Guard(
        "pointwise_bytes_s8_armv7m",
        "the filter must be one pixel of all channels",
        conv((1, 1, 5, 8), (4, 1, 1, 4)),
        conv(*_POINT),
    ),
    Guard("pointwise_bytes_s8_armv7m", "strides must be 1", conv(*_POINT, strides=(1, 2)), conv(*_POINT)),
    Guard("pointwise_bytes_s8_armv7m", "strides must be 1", conv(*_POINT, strides=(2, 1)), conv(*_POINT)),
    *_ratios("pointwise_bytes_s8_armv7m", _FORM, conv, *_POINT),
    Guard(
        "depthwise_conv_2d_s8_armv7m",
        _FORM_OF_STRIPS,
        with_weights(_BELOW, (-128,)),
        with_weights(_BELOW, (-128, -128, -127, -127)),
    ),
    *_ratios("depthwise_conv_2d_s8_armv7m", _FORM_OF_STRIPS, depthwise, (1, 4, 4, 2), (1, 3, 3, 2)),
    # The last tap is 2 * 171 or 2 * 170 columns of three words away; loads reach 4095 bytes.
    Guard(
        "depthwise_conv_2d_s8_armv7m",
        _FORM_OF_STRIPS,
        depthwise((1, 3, 345, 1), (1, 3, 3, 1), dilation=(1, 171), padding="valid"),
        depthwise((1, 3, 345, 1), (1, 3, 3, 1), dilation=(1, 170), padding="valid"),
    ),
    Guard(
        "add_s8_armv7m",
        "both operands must vary",
        binary("add", ((1, 4, 8), (1, 4, 8)), constant=True),
        binary("add", ((1, 4, 8), (1, 4, 8))),
    ),
    Guard(
        "add_s8_armv7m",
        "operands that broadcast have no fast kernel",
        binary("sub", ((1, 4, 8), (1, 1, 8))),
        binary("sub", ((1, 4, 8), (1, 4, 8))),
    ),
    Guard(
        "add_s8_armv7m",
        "two tables do not give the exact bytes",
        binary("add", ((1, 4, 8), (1, 4, 8)), (0.05, 0.035, 0.05 / 3)),
        binary("add", ((1, 4, 8), (1, 4, 8)), (0.05, 0.035, 0.05 / 2)),
    ),
]
