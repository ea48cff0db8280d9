"""Of thumb-1's kernels."""

from __future__ import annotations

from tests.kernels.guards.guard import (
    Guard,
    binary,
    conv,
    depthwise,
    fully_connected,
    with_steep_channel,
    with_weights,
)

_IMAGE, _WEIGHTS = (1, 6, 6, 4), (8, 3, 3, 4)
_NEIGHBOURS = "two neighbouring weights must not both be -128"
_MOST = "most output channels must have a proven short requantization"


def _convolutions(kernel: str) -> list[Guard]:
    """Those that both convolutions have. Windows of an odd number of taps have one weight alone."""
    plain = conv(_IMAGE, _WEIGHTS)
    alone = with_weights(fully_connected((1, 3), (4, 3)), (-128, -127, -128))
    return [
        Guard(kernel, "a convolution must have one group", conv(_IMAGE, (8, 3, 3, 2)), plain),
        Guard(kernel, "dilation must be 1", conv(_IMAGE, _WEIGHTS, dilation=(2, 1)), plain),
        Guard(kernel, "dilation must be 1", conv(_IMAGE, _WEIGHTS, dilation=(1, 2)), plain),
        Guard(kernel, _NEIGHBOURS, with_weights(plain, (-128, -128)), with_weights(plain, (-128, -127))),
        Guard(kernel, _NEIGHBOURS, with_weights(alone, (-128, -128, 0)), alone),
        # Two of eight channels are not proved then, or one.
        Guard(kernel, _MOST, with_steep_channel(plain, 2**7), with_steep_channel(plain, 2**6)),
    ]


_PLANES = depthwise((1, 8, 8, 4), (1, 3, 3, 4))
_FILTERS = "filters must have 32 taps at most, images 500 rows"

GUARDS = [
    *_convolutions("conv_2d_pairs_s8"),
    Guard(
        "conv_2d_pairs_s8",
        "a depthwise convolution must have one input channel",
        depthwise((1, 6, 6, 2), (1, 3, 3, 4)),
        depthwise((1, 6, 6, 1), (1, 3, 3, 4)),
    ),
    Guard(
        "conv_2d_pairs_s8",
        "dilation must be 1",
        depthwise((1, 6, 6, 1), (1, 3, 3, 4), dilation=(2, 1)),
        depthwise((1, 6, 6, 1), (1, 3, 3, 4)),
    ),
    *_convolutions("conv_2d_four_pixels_s8"),
    # The scratch is 8 or 12 bytes for each input of a window.
    Guard(
        "conv_2d_four_pixels_s8",
        "windows must be small",
        fully_connected((1, 258), (4, 258)),
        fully_connected((1, 256), (4, 256)),
    ),
    Guard(
        "conv_2d_four_pixels_s8",
        "windows must be small",
        conv((1, 3, 3, 19), (4, 3, 3, 19), padding="valid"),
        conv((1, 3, 3, 18), (4, 3, 3, 18), padding="valid"),
    ),
    Guard(
        "depthwise_conv_2d_pairs_s8",
        "the depth multiplier must be 1",
        depthwise((1, 8, 8, 2), (1, 3, 3, 4)),
        _PLANES,
    ),
    Guard(
        "depthwise_conv_2d_pairs_s8",
        "dilation must be 1",
        depthwise((1, 8, 8, 4), (1, 3, 3, 4), dilation=(1, 2)),
        _PLANES,
    ),
    Guard(
        "depthwise_conv_2d_pairs_s8",
        _FILTERS,
        depthwise((1, 12, 3, 2), (1, 11, 3, 2)),
        depthwise((1, 12, 4, 2), (1, 8, 4, 2)),
    ),
    Guard(
        "depthwise_conv_2d_pairs_s8",
        _FILTERS,
        depthwise((1, 501, 1, 1), (1, 1, 1, 1)),
        depthwise((1, 500, 1, 1), (1, 1, 1, 1)),
    ),
    Guard(
        "depthwise_conv_2d_pairs_s8",
        _NEIGHBOURS,
        with_weights(_PLANES, (-128,)),
        with_weights(_PLANES, (-127,)),
    ),
    # Two of four channels are not proved then, or one.
    Guard(
        "depthwise_conv_2d_pairs_s8",
        "most channels must have a proven short requantization",
        with_steep_channel(_PLANES, 2**9),
        with_steep_channel(_PLANES, 2**8),
    ),
    Guard(
        "fully_connected_bytes_s8",
        "units must be a multiple of 4",
        fully_connected((1, 12), (7, 12)),
        fully_connected((1, 12), (8, 12)),
    ),
    Guard(
        "fully_connected_bytes_s8",
        "every unit must have a proven short requantization",
        with_steep_channel(fully_connected((1, 12), (8, 12)), 2**8),
        with_steep_channel(fully_connected((1, 12), (8, 12)), 2**7),
    ),
    Guard(
        "add_tables_s8",
        "operands must have the output's shape",
        binary("add", ((1, 16, 8, 8), (1, 1, 1, 8))),
        binary("add", ((1, 16, 8, 8), (1, 16, 8, 8))),
    ),
    Guard(
        "add_tables_s8",
        "the sum must be worth its tables",
        binary("sub", ((1, 1, 1, 1023), (1, 1, 1, 1023))),
        binary("sub", ((1, 1, 1, 1024), (1, 1, 1, 1024))),
    ),
    # The sum's range in steps of the output is 4096 long, or a little less.
    Guard(
        "add_tables_s8",
        "the sum must have tables",
        binary("add", ((1, 32, 32), (1, 32, 32)), (0.05, 0.05, 0.1 / 16.3)),
        binary("add", ((1, 32, 32), (1, 32, 32)), (0.05, 0.05, 0.1 / 15.9)),
    ),
]
