"""What each operator means, as Keras operations on batches [N, *shape[1:]]; no quantization here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import ACTIVATION_BOUNDS
from mcu_quant.ops.broadcast import BROADCASTS
from mcu_quant.ops.resize_bilinear import float_places
from mcu_quant.ops.resize_nearest_neighbor import nearest
from mcu_quant.training.arithmetic import KerasTensor

#: (attributes, operands) → output.
Function = Callable[[Any, Sequence[KerasTensor]], KerasTensor]
#: Their operands are aligned first.
BROADCASTING = tuple(name for name, operator in OPERATORS.items() if BROADCASTS in operator.constraints)


def clamped(y: KerasTensor, activation: str) -> KerasTensor:
    """A fused activation."""
    low, high = ACTIVATION_BOUNDS[activation]
    if low is not None:
        y = ops.maximum(y, low)
    return y if high is None else ops.minimum(y, high)


def aligned(x: KerasTensor, rank: int) -> KerasTensor:
    """A batch with axes of 1 behind the batch's, as broadcasting of single samples has it."""
    missing = rank - len(x.shape)
    return ops.reshape(x, (-1, *(1,) * missing, *x.shape[1:])) if missing > 0 else x


def _binary(combine: Callable[[KerasTensor, KerasTensor], KerasTensor]) -> Function:
    def function(attrs: Any, operands: Sequence[KerasTensor]) -> KerasTensor:
        return clamped(combine(*operands), getattr(attrs, "activation", "none"))

    return function


def _unary(apply: Callable[[Any, KerasTensor], KerasTensor]) -> Function:
    return lambda attrs, operands: apply(attrs, operands[0])


def _pool(pool: Callable[..., KerasTensor]) -> Function:
    def function(attrs: Any, operands: Sequence[KerasTensor]) -> KerasTensor:
        y = pool(operands[0], attrs.filter_size, attrs.strides, attrs.padding, data_format="channels_last")
        return clamped(y, attrs.activation)

    return function


def _reshape(attrs: Any, x: KerasTensor) -> KerasTensor:
    return ops.reshape(x, (-1, *attrs.shape[1:]))


def _pad(attrs: Any, operands: Sequence[KerasTensor]) -> KerasTensor:
    paddings = [list(pair) for pair in attrs.paddings]
    if len(operands) == 1:
        return ops.pad(operands[0], paddings)
    value = ops.reshape(operands[1], ())
    return ops.pad(operands[0] - value, paddings) + value


def _nearest(attrs: Any, x: KerasTensor) -> KerasTensor:
    rows, columns = nearest(attrs, x.shape[1], attrs.height), nearest(attrs, x.shape[2], attrs.width)
    return ops.take(ops.take(x, rows, axis=1), columns, axis=2)


def _bilinear(attrs: Any, x: KerasTensor) -> KerasTensor:
    """One axis after the other, which is the same product of weights."""
    for axis, size in ((1, attrs.height), (2, attrs.width)):
        low, high, part = float_places(attrs, x.shape[axis], size)
        weight = part.reshape(-1, *(1,) * (3 - axis))
        x = ops.take(x, low, axis=axis) * (1 - weight) + ops.take(x, high, axis=axis) * weight
    return x


def _slice(attrs: Any, x: KerasTensor) -> KerasTensor:
    index: list[Any] = [slice(None)]
    for first, stride, size in zip(attrs.begin[1:], attrs.strides[1:], attrs.sizes[1:], strict=True):
        last = first + size * stride
        index.append(slice(first, last if last >= 0 else None, stride))
    y = x[tuple(index)]
    return ops.squeeze(y, axis=attrs.dropped) if attrs.dropped else y


def _broadcast_to(attrs: Any, x: KerasTensor) -> KerasTensor:
    return ops.broadcast_to(aligned(x, len(attrs.shape)), (ops.shape(x)[0], *attrs.shape[1:]))


def _matrix_product(attrs: Any, operands: Sequence[KerasTensor]) -> KerasTensor:
    turned = (
        ops.swapaxes(x, -1, -2) if t else x for x, t in zip(operands, (attrs.adj_x, attrs.adj_y), strict=True)
    )
    return ops.matmul(*turned)


#: By the operator's name in the graph. Linear operators have a layer of their own (linear.py).
FUNCTIONS: dict[str, Function] = {
    "add": _binary(ops.add),
    "sub": _binary(ops.subtract),
    "mul": _binary(ops.multiply),
    "div": _binary(ops.divide),
    "squared_difference": _binary(lambda a, b: ops.square(a - b)),
    "pow": _binary(ops.power),
    "minimum": _binary(ops.minimum),
    "maximum": _binary(ops.maximum),
    "equal": _binary(ops.equal),
    "not_equal": _binary(ops.not_equal),
    "less": _binary(ops.less),
    "less_equal": _binary(ops.less_equal),
    "greater": _binary(ops.greater),
    "greater_equal": _binary(ops.greater_equal),
    "logical_and": _binary(ops.logical_and),
    "logical_or": _binary(ops.logical_or),
    "logical_not": _unary(lambda attrs, x: ops.logical_not(x)),
    "batch_matmul": _matrix_product,
    "max_pool_2d": _pool(ops.max_pool),
    "average_pool_2d": _pool(ops.average_pool),
    "mean": _unary(lambda attrs, x: ops.mean(x, axis=attrs.axes, keepdims=attrs.keepdims)),
    "sum": _unary(lambda attrs, x: ops.sum(x, axis=attrs.axes, keepdims=attrs.keepdims)),
    "reduce_max": _unary(lambda attrs, x: ops.max(x, axis=attrs.axes, keepdims=attrs.keepdims)),
    "reduce_min": _unary(lambda attrs, x: ops.min(x, axis=attrs.axes, keepdims=attrs.keepdims)),
    "pad": _pad,
    "mirror_pad": _unary(
        lambda attrs, x: ops.pad(x, [list(pair) for pair in attrs.paddings], mode=attrs.mode)
    ),
    "resize_nearest_neighbor": _unary(_nearest),
    "resize_bilinear": _unary(_bilinear),
    "reshape": _unary(_reshape),
    "strided_slice": _unary(_slice),
    "transpose": _unary(lambda attrs, x: ops.transpose(x, attrs.permutation)),
    "broadcast_to": _unary(_broadcast_to),
    "concatenation": lambda attrs, operands: ops.concatenate(operands, axis=attrs.axis),
    "select_v2": lambda attrs, operands: ops.where(*operands),
    "softmax": _unary(lambda attrs, x: ops.softmax(x * attrs.beta, axis=-1)),
    "log_softmax": _unary(lambda attrs, x: ops.log_softmax(x, axis=-1)),
    "logistic": _unary(lambda attrs, x: ops.sigmoid(x)),
    "tanh": _unary(lambda attrs, x: ops.tanh(x)),
    "relu": _unary(lambda attrs, x: ops.maximum(x, 0.0)),
    "relu6": _unary(lambda attrs, x: clamped(x, "relu6")),
    "leaky_relu": _unary(lambda attrs, x: ops.maximum(x, 0.0) + attrs.alpha * ops.minimum(x, 0.0)),
    "abs": _unary(lambda attrs, x: ops.absolute(x)),
    "rsqrt": _unary(lambda attrs, x: ops.rsqrt(x)),
    "elu": _unary(lambda attrs, x: ops.elu(x)),
    "gelu": _unary(lambda attrs, x: ops.gelu(x, approximate=attrs.approximate)),
    "hard_swish": _unary(lambda attrs, x: x * clamped(x + 3.0, "relu6") / 6.0),
    "prelu": _binary(lambda x, alpha: ops.maximum(x, 0.0) + alpha * ops.minimum(x, 0.0)),
    "quantize": _unary(lambda attrs, x: x),
}
