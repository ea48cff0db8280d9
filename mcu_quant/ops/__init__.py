"""All operators. A new one is its file, its test, one portable kernel, and a line here."""

from __future__ import annotations

from importlib import import_module

from mcu_quant.ops.bands import BANDS
from mcu_quant.ops.base import Operator
from mcu_quant.ops.lookup import LOOKUP
from mcu_quant.ops.slide import SLIDE
from mcu_quant.ops.normalize_rows import NORMALIZE_ROWS

_MODULES = (
    "fully_connected",
    "conv_2d",
    "depthwise_conv_2d",
    "transpose_conv",
    "batch_matmul",
    "unidirectional_sequence_lstm",
    "gru",
    "simple_rnn",
    "max_pool_2d",
    "average_pool_2d",
    "mean",
    "sum",
    "reduce_max",
    "reduce_min",
    "reduce_prod",
    "reduce_any",
    "reduce_all",
    "cumsum",
    "pad",
    "batch_normalization",
    "layer_normalization",
    "variance",
    "softmax",
    "log_softmax",
    "l2_normalization",
    "reshape",
    "add",
    "sub",
    "mul",
    "minimum",
    "maximum",
    "concatenation",
    "copy",
    "logistic",
    "tanh",
    "relu",
    "relu6",
    "leaky_relu",
    "quantize",
    "dequantize",
    "strided_slice",
    "transpose",
    "broadcast_to",
    "div",
    "squared_difference",
    "floor_div",
    "floor_mod",
    "pow",
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_not",
    "arg_max",
    "arg_min",
    "cast",
    "select_v2",
    "gather",
    "gather_nd",
    "one_hot",
    "mirror_pad",
    "resize_nearest_neighbor",
    "resize_bilinear",
    "exp",
    "log",
    "sqrt",
    "sin",
    "cos",
    "round",
    "floor",
    "ceil",
    "square",
    "neg",
    "sign",
    "abs",
    "rsqrt",
    "elu",
    "gelu",
    "hard_swish",
    "relu_n1_to_1",
    "relu_0_to_1",
    "prelu",
)

#: Every operator by its IR name, and what stands for several nodes of a deployment.
OPERATORS: dict[str, Operator] = {operator.name: operator for operator in (BANDS, LOOKUP, SLIDE)}
OPERATORS: dict[str, Operator] = {op.name: op for op in (BANDS, LOOKUP, NORMALIZE_ROWS)}
for _module in _MODULES:
    _operator: Operator = import_module(f"{__name__}.{_module}").OPERATOR
    OPERATORS[_operator.name] = _operator
