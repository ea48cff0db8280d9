"""Draws for the operators that work element by element or move elements, and for the graph's edges."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.base import Shape
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.concatenation import ConcatenationAttrs
from mcu_quant.ops.leaky_relu import LeakyReluAttrs
from mcu_quant.ops.logistic import LogisticAttrs
from mcu_quant.ops.relu import ReluAttrs
from mcu_quant.ops.relu6 import Relu6Attrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.strided_slice import StridedSliceAttrs
from mcu_quant.ops.tanh import TanhAttrs
from tests.hunter.build import FUSED, LEAST_EXPONENT, QUANTS, ZERO_POINTS, GraphDraft, draw_output_quant

Emitter = Callable[[GraphDraft], Tensor | None]
#: TFLM broadcasts along at most so many axes.
MAX_BROADCAST_RANK = 4


def draw_input(draft: GraphDraft, shape: Shape, quant: QuantParams) -> Tensor | None:
    """An int8 activation: an input, or one that a QUANTIZE makes of a uint8 or float32 input."""
    dtype = draft.draw(st.sampled_from(["int8", "int8", "int8", "uint8", "float32"]))
    if dtype == "int8":
        return draft.input(shape, quant)
    outer = None if dtype == "float32" else QuantParams.per_tensor(quant.scale[0], quant.zero_point[0] + 128)
    return draft.add("quantize", None, [draft.input(shape, outer, dtype)], quant)


def draw_output_types(draft: GraphDraft) -> None:
    """Now and then the newest activation leaves as uint8 or float32."""
    dtype = draft.draw(st.sampled_from(["int8", "int8", "int8", "uint8", "float32"]))
    x = next(iter(draft.activations()), None)
    if x is None or x.quant is None or dtype == "int8":
        return
    if dtype == "float32":
        draft.add("dequantize", None, [x], None, "float32")
    else:
        quant = QuantParams.per_tensor(x.quant.scale[0], x.quant.zero_point[0] + 128)
        draft.add("quantize", None, [x], quant, "uint8")


def draw_operands(draft: GraphDraft, same_quant: bool = False) -> list[Tensor] | None:
    """Two operands that broadcast: an activation, and another or a constant; in either order."""
    draw = draft.draw
    x = draft.pick()
    if x is None or len(x.shape) > MAX_BROADCAST_RANK:
        return None
    quant = x.quant if same_quant else None
    fitting = [t for t in draft.activations(quant=quant) if broadcasts(t.shape, x.shape)]
    if draw(st.booleans()) or not fitting:
        shape = tuple(1 if draw(st.integers(0, 2)) == 2 else size for size in x.shape)
        shape = shape[draw(st.integers(0, len(shape) - 1)) :]
        data = draft.rng().integers(-128, 128, shape).astype(np.int8)
        other = draft.constant(data, x.quant if same_quant else draw(QUANTS))
    else:
        other = draw(st.sampled_from(fitting))
    return draw(st.sampled_from([[x, other], [other, x]]))


def broadcasts(a: Shape, b: Shape) -> bool:
    return len(a) <= MAX_BROADCAST_RANK and all(
        x == y or 1 in (x, y) for x, y in zip(reversed(a), reversed(b), strict=False)
    )


def scales_of(operands: Sequence[Tensor]) -> list[float]:
    return [tensor.quant.scale[0] for tensor in operands if tensor.quant is not None]


def _arithmetic(draft: GraphDraft, op: str, typical: Callable[[list[float]], float]) -> Tensor | None:
    operands = draw_operands(draft)
    if operands is None:
        return None
    quant = draw_output_quant(draft, typical(scales_of(operands)))
    return draft.add(op, ArithmeticAttrs(draft.draw(FUSED)), operands, quant)


def add(draft: GraphDraft) -> Tensor | None:
    return _arithmetic(draft, "add", lambda scales: 64 * max(scales))


def sub(draft: GraphDraft) -> Tensor | None:
    return _arithmetic(draft, "sub", lambda scales: 64 * max(scales))


def mul(draft: GraphDraft) -> Tensor | None:
    return _arithmetic(draft, "mul", lambda scales: 64 * 64 * math.prod(scales))


def squared_difference(draft: GraphDraft) -> Tensor | None:
    operands = draw_operands(draft)
    if operands is None:
        return None
    quant = draw_output_quant(draft, (64 * max(scales_of(operands))) ** 2)
    return draft.add("squared_difference", None, operands, quant)


def div(draft: GraphDraft) -> Tensor | None:
    """By constants that are not 0, at ratios of scales that TFLM shifts by less than 32 bits."""
    x = draft.pick()
    if x is None or len(x.shape) > MAX_BROADCAST_RANK:
        return None
    divisor = draft.draw(QUANTS)
    data = draft.rng().integers(-128, 128, x.shape[-1:]).astype(np.int8)
    data[data == divisor.zero_point[0]] = 100 if divisor.zero_point[0] < 0 else -100
    ratio = 2.0 ** draft.draw(st.integers(7, 14))
    scale = min(max(x.scale / divisor.scale[0] / ratio, 2.0**LEAST_EXPONENT), 1e30)
    if not 2**7 <= x.scale / (divisor.scale[0] * scale) < 2**20:
        return None
    quant = QuantParams.per_tensor(scale, draft.draw(ZERO_POINTS))
    return draft.add("div", ArithmeticAttrs(draft.draw(FUSED)), [x, draft.constant(data, divisor)], quant)


def _raw(draft: GraphDraft, op: str) -> Tensor | None:
    operands = draw_operands(draft, same_quant=True)
    return None if operands is None else draft.add(op, None, operands, operands[0].quant)


def minimum(draft: GraphDraft) -> Tensor | None:
    return _raw(draft, "minimum")


def maximum(draft: GraphDraft) -> Tensor | None:
    return _raw(draft, "maximum")


def concatenation(draft: GraphDraft) -> Tensor | None:
    """Of activations of one quantization that fit, the same one more than once if need be."""
    x = draft.pick()
    if x is None or len(x.shape) < 2:
        return None
    axis = draft.draw(st.integers(1, len(x.shape) - 1))

    def rest(shape: Shape) -> Shape:
        return (*shape[:axis], *shape[axis + 1 :])

    alike = draft.activations([len(x.shape)], x.quant)
    fitting = st.sampled_from([tensor for tensor in alike if rest(tensor.shape) == rest(x.shape)])
    others = draft.draw(st.lists(fitting, min_size=1, max_size=3))
    return draft.add("concatenation", ConcatenationAttrs(axis), [x, *others], x.quant)


def reshape(draft: GraphDraft) -> Tensor | None:
    x = draft.pick()
    if x is None:
        return None
    sizes, rest = [], x.elements
    for _ in range(draft.draw(st.integers(0, 3))):
        sizes.append(draft.draw(st.sampled_from([d for d in range(1, rest + 1) if rest % d == 0])))
        rest //= sizes[-1]
    return draft.add("reshape", ReshapeAttrs((1, *sizes, rest)), [x], x.quant)


def strided_slice(draft: GraphDraft) -> Tensor | None:
    draw = draft.draw
    x = draft.pick([2, 3, 4])
    if x is None:
        return None
    begin, strides, sizes, dropped = [0], [1], [1], []
    for axis, size in enumerate(x.shape[1:], start=1):
        stride = draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        first = draw(st.integers(0, size - 1))
        most = (size - 1 - first) // stride + 1 if stride > 0 else first // -stride + 1
        begin.append(first)
        strides.append(stride)
        sizes.append(draw(st.integers(1, most)))
        if (
            sizes[-1] == 1
            and stride == 1
            and len(x.shape) - len(dropped) > 2
            and draw(st.integers(0, 3)) == 3
        ):
            dropped.append(axis)
    attrs = StridedSliceAttrs(tuple(begin), tuple(strides), tuple(sizes), tuple(dropped))
    return draft.add("strided_slice", attrs, [x], x.quant)


def _unary(
    draft: GraphDraft, op: str, attrs: Any, output: Callable[[Tensor], QuantParams | None]
) -> Tensor | None:
    x = draft.pick()
    return None if x is None else draft.add(op, attrs, [x], output(x))


def _fixed(scale: float, zero_point: int) -> Callable[[Tensor], QuantParams]:
    return lambda x: QuantParams.per_tensor(scale, zero_point)


def logistic(draft: GraphDraft) -> Tensor | None:
    return _unary(draft, "logistic", LogisticAttrs(), _fixed(1 / 256, -128))


def tanh(draft: GraphDraft) -> Tensor | None:
    return _unary(draft, "tanh", TanhAttrs(), _fixed(1 / 128, 0))


def _rescaled(draft: GraphDraft) -> Callable[[Tensor], QuantParams]:
    return lambda x: draw_output_quant(draft, 40 * x.scale)


def relu(draft: GraphDraft) -> Tensor | None:
    return _unary(draft, "relu", ReluAttrs(), _rescaled(draft))


def relu6(draft: GraphDraft) -> Tensor | None:
    return _unary(draft, "relu6", Relu6Attrs(), lambda x: x.quant)


def leaky_relu(draft: GraphDraft) -> Tensor | None:
    alpha = draft.draw(st.sampled_from([0.5, 0.1, 0.3, -0.5, 2.0, 0.0]))
    return _unary(draft, "leaky_relu", LeakyReluAttrs(float(np.float32(alpha))), _rescaled(draft))


def quantize(draft: GraphDraft) -> Tensor | None:
    """From one int8 scale to another; sometimes to the same one with another zero_point."""
    same = draft.draw(st.integers(0, 3)) == 3

    def output(x: Tensor) -> QuantParams:
        if same:
            return QuantParams.per_tensor(x.scale, draft.draw(ZERO_POINTS))
        return draw_output_quant(draft, 40 * x.scale)

    return _unary(draft, "quantize", None, output)


EMITTERS: dict[str, Emitter] = {
    emitter.__name__: emitter
    for emitter in (
        add,
        sub,
        mul,
        squared_difference,
        div,
        minimum,
        maximum,
        concatenation,
        reshape,
        strided_slice,
        logistic,
        tanh,
        relu,
        relu6,
        leaky_relu,
        quantize,
    )
}
#: Operators that come with another's emitter, or with the graph's edges.
BY_THE_WAY = ("dequantize",)
