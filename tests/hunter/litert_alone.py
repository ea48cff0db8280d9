"""Draws of what LiteRT has and TFLM has not, one operator a graph: LiteRT is asked then."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import Shape
from mcu_quant.ops.gelu import GeluAttrs
from mcu_quant.ops.one_hot import OneHotAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.ops.support import find_problems
from tests.hunter.build import LEAST_EXPONENT, QUANTS, SEEDS, Draw
from tests.hunter.graphs import SAMPLES, SHAPES, Case

Operands = tuple[Tensor, ...]
#: (attributes, inputs, output's quantization, its type).
Drawn = tuple[object, Operands, QuantParams | None, str]


def _unary(attrs: Callable[[Draw], object]) -> Callable[[Draw, Shape], Drawn]:
    """int8, to about the scale of its input."""

    def make(draw: Draw, shape: Shape) -> Drawn:
        x = draw(QUANTS)
        ratio = 2.0 ** draw(st.integers(-3, 3))
        scale = max(x.scale[0] * ratio, 2.0**LEAST_EXPONENT)
        y = QuantParams.per_tensor(scale, draw(st.integers(-128, 127)))
        return attrs(draw), (Tensor("x", shape, "int8", x),), y, "int8"

    return make


def _axes(draw: Draw, shape: Shape) -> ReductionAttrs:
    axes = draw(st.sets(st.integers(1, len(shape) - 1), min_size=1))
    return ReductionAttrs(tuple(sorted(axes)), draw(st.booleans()))


def _product(draw: Draw, shape: Shape) -> Drawn:
    """Of few factors: more do not fit int32."""
    small = (1, *(min(size, 3) for size in shape[1:]))
    x = QuantParams.per_tensor(2.0 ** draw(st.integers(-6, 1)), draw(st.integers(-128, 127)))
    y = QuantParams.per_tensor(2.0 ** draw(st.integers(-6, 8)), draw(st.integers(-128, 127)))
    return _axes(draw, small), (Tensor("x", small, "int8", x),), y, "int8"


def _conditions(draw: Draw, shape: Shape) -> Drawn:
    return _axes(draw, shape), (Tensor("x", shape, "bool"),), None, "bool"


def _one_hot(draw: Draw, shape: Shape) -> Drawn:
    quant, indices = draw(QUANTS), shape[:2]
    values = [Tensor.constant(name, np.array(draw(st.integers(-128, 127)), np.int8), quant) for name in "ab"]
    attrs = OneHotAttrs(draw(st.integers(1, 9)), draw(st.integers(1, len(indices))))
    return attrs, (Tensor("x", indices, "int32"), *values), quant, "int8"


def _floats(operands: int) -> Callable[[Draw, Shape], Drawn]:
    def make(draw: Draw, shape: Shape) -> Drawn:
        return None, tuple(Tensor(name, shape) for name in "xy"[:operands]), None, "float32"

    return make


MAKERS: dict[str, Callable[[Draw, Shape], Drawn]] = {
    "gelu": _unary(lambda draw: GeluAttrs(draw(st.booleans()))),
    "relu_0_to_1": _unary(lambda draw: None),
    "relu_n1_to_1": _unary(lambda draw: None),
    "reduce_prod": _product,
    "reduce_any": _conditions,
    "reduce_all": _conditions,
    "one_hot": _one_hot,
    "sign": _floats(1),
    "floor_div": _floats(2),
    "floor_mod": _floats(2),
}


@st.composite
def litert_cases(draw: Draw) -> Case:
    op = draw(st.sampled_from(sorted(MAKERS)))
    shape = draw(SHAPES.filter(lambda shape: len(shape) <= 4))
    attrs, inputs, quant, dtype = MAKERS[op](draw, shape)
    (y,) = OPERATORS[op].output_shapes(attrs, [tensor.shape for tensor in inputs])
    tensors = {tensor.name: tensor for tensor in (*inputs, Tensor("out", tuple(y), dtype, quant))}
    given = tuple(tensor.name for tensor in inputs if not tensor.is_constant)
    node = Node("out", op, attrs, tuple(tensor.name for tensor in inputs), ("out",))
    graph = check(Graph("hunted", (node,), tensors, given, ("out",)))
    assume(not find_problems(graph))
    rng = np.random.default_rng(draw(SEEDS))
    return Case(graph, tuple(_samples(tensors[name], rng) for name in given))


def _samples(tensor: Tensor, rng: np.random.Generator) -> np.ndarray:
    shape: Sequence[int] = (SAMPLES, *tensor.shape)
    if tensor.dtype == "float32":
        return (rng.normal(size=shape) * rng.choice([0.1, 1.0, 50.0])).astype(np.float32)
    if tensor.dtype == "bool":
        return rng.random(shape) < rng.choice([0.02, 0.5, 0.98])
    low, high = (-2, 10) if tensor.dtype == "int32" else (-128, 127)
    return rng.integers(low, high, shape, endpoint=True).astype(tensor.dtype)
