"""Of the kernels of int16."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.batch_matmul import BatchMatmulAttrs
from tests.kernels.guards.guard import Guard, conv, depthwise, fully_connected
from tests.ops import test_batch_matmul
from tests.ops.driver import Case, activation
from tests.ops.int16 import as_int16

_SUMS = "sums must be proven to fit int32"


def _sums(kernel: str, outside: Case, inside: Case) -> Guard:
    return Guard(kernel, _SUMS, as_int16(outside), as_int16(inside))


def _quantize(x: str, y: str) -> Case:
    values = np.linspace(-100, 100, 8).astype(x)
    tensor = Tensor("x", (1, 8), x) if x == "float32" else activation("x", (1, 8), 0.1, 0, x)
    output = QuantParams.per_tensor(0.2, 0)
    return Case("guard", "quantize", None, (tensor,), output, output_dtype=y, data=(values.reshape(1, 1, 8),))


_IMAGE, _DEPTHWISE = (1, 5, 5, 4), depthwise((1, 5, 5, 4), (1, 3, 3, 4))
_ROW = fully_connected((1, 8), (3, 8))

GUARDS = [
    *(
        Guard("rescale_s16", "input and output must be int16", outside, _quantize("int16", "int16"))
        for outside in (_quantize("int8", "int16"), _quantize("int16", "int8"))
    ),
    *(
        Guard("quantize_s16", "one of input and output must be int8, the other int16", *cases)
        for cases in (
            (_quantize("int16", "int16"), _quantize("int16", "int8")),
            (_quantize("int8", "int8"), _quantize("int8", "int16")),
        )
    ),
    *(
        Guard(
            "quantize_f32_s16",
            "the input must be float32 and the output int16",
            outside,
            _quantize("float32", "int16"),
        )
        for outside in (_quantize("int16", "int16"), _quantize("float32", "int8"))
    ),
    *(
        Guard(
            "batch_matmul_s16_dsp",
            "both operands must lie in rows of factors",
            as_int16(test_batch_matmul.case("outside", a, b, BatchMatmulAttrs(adj_x, adj_y))),
            as_int16(test_batch_matmul.case("inside", (1, 4, 5), (1, 6, 5), BatchMatmulAttrs(False, True))),
        )
        for adj_x, adj_y, a, b in (
            (False, False, (1, 4, 5), (1, 5, 6)),
            (True, True, (1, 5, 4), (1, 6, 5)),
        )
    ),
    Guard(
        "conv_2d_dsp_s16",
        "it must be one group",
        as_int16(conv(_IMAGE, (4, 3, 3, 2))),
        as_int16(conv(_IMAGE, (4, 3, 3, 4))),
    ),
    # 517 or 516 taps of 127 times 2**15.
    _sums(
        "conv_2d_dsp_s16",
        conv((1, 1, 2, 517), (4, 1, 1, 517), fill=127, bias=False),
        conv((1, 1, 2, 516), (4, 1, 1, 516), fill=127, bias=False),
    ),
    Guard(
        "fully_connected_dsp_s16",
        "its inputs must be a multiple of 4",
        as_int16(fully_connected((1, 7), (3, 7))),
        as_int16(_ROW),
    ),
    _sums(
        "fully_connected_dsp_s16",
        fully_connected((1, 520), (3, 520), fill=127, bias=False),
        fully_connected((1, 516), (3, 516), fill=127, bias=False),
    ),
    Guard(
        "depthwise_conv_2d_dsp_s16",
        "its channels must be those of the input, and a multiple of 4",
        as_int16(depthwise((1, 5, 5, 2), (1, 3, 3, 4))),
        as_int16(_DEPTHWISE),
    ),
    Guard(
        "depthwise_conv_2d_dsp_s16",
        "its channels must be those of the input, and a multiple of 4",
        as_int16(depthwise((1, 5, 5, 6), (1, 3, 3, 6))),
        as_int16(_DEPTHWISE),
    ),
    _sums(
        "depthwise_conv_2d_dsp_s16",
        depthwise((1, 13, 48, 4), (1, 11, 47, 4), fill=127, bias=False, padding="valid"),
        depthwise((1, 13, 48, 4), (1, 12, 43, 4), fill=127, bias=False, padding="valid"),
    ),
]
