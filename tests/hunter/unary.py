"""Draws for functions of one value, those among floats between converters included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from mcu_quant.ir import Graph, Node, QuantParams, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.relu import ReluAttrs
from tests.hunter.build import ZERO_POINTS, GraphDraft, draw_output_quant

Emitter = Callable[[GraphDraft], Tensor | None]
#: Functions that are float alone, and that TFLM has.
FUNCTIONS = ("exp", "log", "sqrt", "sin", "cos", "round", "floor", "ceil", "square", "neg")
#: Those of positive numbers: of x * x + 1 here.
_POSITIVE = ("log", "sqrt")
#: How far, in steps, values must be from the border of two: another library's functions may differ so much.
_BORDER = 1e-3


def float_function(op: str) -> Emitter:
    """DEQUANTIZE, the function and perhaps another one, QUANTIZE: a table. None where it is not sharp."""

    def emit(draft: GraphDraft) -> Tensor | None:
        x = draft.pick()
        if x is None:
            return None
        ops = [op, *draft.draw(st.lists(st.sampled_from([*FUNCTIONS, "logistic", "tanh"]), max_size=2))]
        steps = [step for name in ops for step in ((*_TO_POSITIVE, name) if name in _POSITIVE else (name,))]
        values = _values(x, steps)
        largest = max(float(np.abs(values).max()), 1e-3)
        scale = largest / 2.0 ** draft.draw(st.integers(5, 8))
        quant = QuantParams.per_tensor(scale, draft.draw(ZERO_POINTS))
        if not _is_sharp(values, quant):
            return None
        y = draft.add("dequantize", None, [x], None, "float32")
        for step in steps:
            y = _add(draft, step, y)
        return draft.add("quantize", None, [y], quant)

    return emit


_TO_POSITIVE = ("square", "add")


def _add(draft: GraphDraft, op: str, x: Tensor | None) -> Tensor | None:
    operands = [x, draft.constant(np.ones(1, np.float32))] if op == "add" else [x]
    return draft.add(op, _attrs(op), operands, None, "float32")


def _attrs(op: str) -> object:
    kind = OPERATORS[op].attrs_type
    return ArithmeticAttrs() if op == "add" else None if kind is None else kind()


def _values(x: Tensor, steps: list[str]) -> np.ndarray:
    """float32 [256]: the chain, of every byte."""
    one = Tensor.constant("one", np.ones(1, np.float32))
    tensors = {"t0": Tensor("t0", (1,), "int8", x.quant), "one": one}
    nodes = []
    for index, op in enumerate(("dequantize", *steps)):
        inputs = (f"t{index}", "one") if op == "add" else (f"t{index}",)
        output = Tensor(f"t{index + 1}", (1,))
        tensors[output.name] = output
        nodes.append(Node(output.name, op, _attrs(op), inputs, (output.name,)))
    graph = Graph("values", tuple(nodes), tensors, ("t0",), (nodes[-1].name,))
    with np.errstate(all="ignore"):
        (values,) = run_graph(graph, [np.arange(-128, 128).astype(np.int8).reshape(256, 1)])
    return values.reshape(256)


def _is_sharp(values: np.ndarray, quant: QuantParams) -> bool:
    """Whether all values are finite, and rounded alike however the last digits of the functions are."""
    if not np.isfinite(values).all():
        return False
    steps = np.abs(values.astype(np.float64) / quant.scale[0])
    return bool((np.abs(steps % 1.0 - 0.5) > _BORDER).all())


def abs_(draft: GraphDraft) -> Tensor | None:
    x = draft.pick()
    return None if x is None else draft.add("abs", None, [x], draw_output_quant(draft, 40 * x.scale))


def hard_swish(draft: GraphDraft) -> Tensor | None:
    """Of scales that its products of 16 bits bear."""
    x = draft.pick()
    if x is None or not 2.0**-20 < x.scale < 2.0**7:
        return None
    quant = draw_output_quant(draft, 40 * x.scale)
    fits = 2.0**-8 < x.scale / quant.scale[0] < 64
    return draft.add("hard_swish", None, [x], quant) if fits else None


def elu(draft: GraphDraft) -> Tensor | None:
    """Its table is made of floats, in TFLM by another library."""
    x = draft.pick()
    if x is None:
        return None
    quant = draw_output_quant(draft, 40 * x.scale)
    return draft.add("elu", None, [x], quant) if _is_sharp(_values(x, ["elu"]), quant) else None


def rsqrt(draft: GraphDraft) -> Tensor | None:
    """Behind a relu whose zero point is the lowest: TFLM gives an error for what is negative."""
    x = draft.pick()
    if x is None:
        return None
    positive = draft.add("relu", ReluAttrs(), [x], QuantParams.per_tensor(x.scale, -128))
    return draft.add("rsqrt", None, [positive], draw_output_quant(draft, 0.2 / x.scale**0.5))


def prelu(draft: GraphDraft) -> Tensor | None:
    x = draft.pick()
    if x is None or len(x.shape) > 4:
        return None
    shape = tuple(1 if draft.draw(st.booleans()) else size for size in x.shape[1:]) or (1,)
    data = draft.rng().integers(-128, 128, shape).astype(np.int8)
    alpha = draft.constant(data, QuantParams.per_tensor(0.02, draft.draw(ZERO_POINTS)))
    return draft.add("prelu", None, [x, alpha], draw_output_quant(draft, 40 * x.scale))


EMITTERS: dict[str, Emitter] = {
    **{op: float_function(op) for op in FUNCTIONS},
    "abs": abs_,
    "elu": elu,
    "hard_swish": hard_swish,
    "prelu": prelu,
    "rsqrt": rsqrt,
}
