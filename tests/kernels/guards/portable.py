"""Of the portable kernels, which refuse what has no C at all or is not worth a table."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.softmax import SoftmaxAttrs
from tests.kernels.guards.guard import Guard, binary
from tests.ops.driver import Case, activation, unary_case


def _of_types(op: str, x: str, y: str) -> Case:
    values = np.linspace(-12, 12, 10)
    if x == "float32":
        data, tensor = values.astype(np.float32), Tensor("x", (1, 5), x)
    else:
        data, tensor = (values + 20).astype(x), activation("x", (1, 5), 0.1, 20, x)
    output = QuantParams.per_tensor(0.2, 10)
    return Case("guard", op, None, (tensor,), output, output_dtype=y, data=(data.reshape(2, 1, 5),))


def _softmax(elements: int, scale: float) -> Case:
    return unary_case("guard", "softmax", SoftmaxAttrs(), (1, elements), x=(scale, 0), y=(1 / 256, -128))


_ONE = binary("add", ((1, 4, 8), (1, 1, 1)), constant=True)
_VARIES = "one input must vary, and all others be constants of one element"
_BYTES = "input and output must be one byte each"
_FROM_FLOAT = "the input must be float32 and the output int8 or uint8"
_TO_FLOAT = "the input must be int8 or uint8 and the output float32"
_WORTH = "the table must be worth its bytes"

GUARDS = [
    Guard("lookup_s8", _VARIES, binary("add", ((1, 4, 8), (1, 1, 1))), _ONE),
    Guard("lookup_s8", _VARIES, binary("add", ((1, 4, 8), (1, 1, 8)), constant=True), _ONE),
    Guard(
        "lookup_s8", _BYTES, _of_types("quantize", "float32", "int8"), _of_types("quantize", "int8", "uint8")
    ),
    Guard("lookup_s8", _BYTES, _of_types("quantize", "int8", "int16"), _of_types("quantize", "int8", "int8")),
    *(
        Guard(
            "quantize_f32 quantize_f32_dsp",
            _FROM_FLOAT,
            _of_types("quantize", *types),
            _of_types("quantize", "float32", y),
        )
        for *types, y in (("int8", "int8", "int8"), ("float32", "int16", "uint8"))
    ),
    *(
        Guard(
            "dequantize_f32",
            _TO_FLOAT,
            _of_types("dequantize", *types),
            _of_types("dequantize", x, "float32"),
        )
        for *types, x in (("int16", "float32", "int8"), ("uint8", "int8", "uint8"))
    ),
    Guard(
        "softmax_table_s8 softmax_small_table_s8 softmax_smallest_table_s8",
        "rows must have at most 8191 elements",
        _softmax(8192, 0.3),
        _softmax(8191, 0.3),
    ),
    Guard("softmax_small_table_s8", _WORTH, _softmax(19, 0.09), _softmax(20, 0.09)),
    Guard("softmax_smallest_table_s8", _WORTH, _softmax(11, 0.18), _softmax(12, 0.18)),
]

#: Rules that no node breaks: a table of all 256 differences is no more than mode "time" allows.
NEVER = {"softmax_table_s8": {_WORTH}}
