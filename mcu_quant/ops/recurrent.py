"""What gru and simple_rnn share: MCU_QUANT_GRU and MCU_QUANT_SIMPLE_RNN, operators of our own.

docs/CUSTOM_OPERATORS.md is their schema, ARITHMETIC section 26 their arithmetic.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mcu_quant.errors import InvalidModelError
from mcu_quant.fixed_point import (
    INT32_MAX,
    IntArray,
    quantize_multiplier,
    requantize,
    requantize_int64,
    wrap_int32,
)
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import (
    FIXED_INT16,
    INTEGER_FORMS,
    Constraint,
    Operator,
    Product,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
    scale_ratio,
    to_output,
    without_axis,
)
from mcu_quant.ops.custom_options import write_options
from mcu_quant.ops.forms import FLOAT_FORMS, FORMS
from mcu_quant.ops.gates import GATE_SCALE
from mcu_quant.ops.linear import INT64_ACCUMULATOR_MAX, widest
from mcu_quant.ops.storage import STORED

#: Places of the inputs.
X, INPUT_WEIGHTS, RECURRENT_WEIGHTS, INPUT_BIAS, RECURRENT_BIAS, HIDDEN = range(6)
INPUTS = 6
#: The version of both custom operators.
VERSION = 1
#: Of the hidden state of integer forms, which is int16.
HIDDEN_QUANT = FIXED_INT16
#: A gate's sum is below this, whatever the input: two of them fit int32.
_LARGEST_SUM = 2.0**30
_LARGEST_INT64_RATIO = 2.0**7

#: [N, units], or [N, gates * units] of real or integer numbers, from [N, units].
Recurrent = Callable[[np.ndarray, slice], np.ndarray]

_PRODUCTS = (
    Product(INPUT_WEIGHTS, X, INPUT_BIAS, channel_axis=0),
    Product(RECURRENT_WEIGHTS, None, RECURRENT_BIAS, channel_axis=0),
)


def products(node: BoundNode) -> tuple[tuple[Tensor, Tensor, Tensor | None], ...]:
    """(what is multiplied, weights, bias or None) of the input's, and of the hidden state's, part of sums."""
    return (
        (node.input(X), node.input(INPUT_WEIGHTS), node.optional_input(INPUT_BIAS)),
        (node.output, node.input(RECURRENT_WEIGHTS), node.optional_input(RECURRENT_BIAS)),
    )


def gate_ratios(x: Tensor, weights: Tensor) -> list[float]:
    """What each row's accumulator is multiplied with to count in GATE_SCALE."""
    assert weights.quant is not None
    scales = weights.quant.scale
    scales = scales * weights.shape[0] if len(scales) == 1 else scales
    return [scale_ratio((x.scale, scale), GATE_SCALE) for scale in scales]


def gate_multipliers(x: Tensor, weights: Tensor) -> tuple[IntArray, IntArray]:
    """(multiplier, shift), each int64 [rows]."""
    pairs = [quantize_multiplier(ratio) for ratio in gate_ratios(x, weights)]
    multiplier, shift = zip(*pairs, strict=True)
    return np.array(multiplier, np.int64), np.array(shift, np.int64)


def output_multiplier(node: BoundNode) -> tuple[int, int]:
    """From the hidden state to the output."""
    return quantize_multiplier(scale_ratio((HIDDEN_QUANT.scale[0],), node.output.scale))


def to_steps(node: BoundNode, hidden: IntArray) -> IntArray:
    """The hidden state as the output has it, which is what the weights are multiplied with."""
    y = requantize(hidden, *output_multiplier(node)) + node.output.zero_point
    return to_output(y, node.output).astype(np.int64)


def gate_sums(
    x: IntArray, of: Tensor, weights: Tensor, bias: Tensor | None, rows: slice = slice(None)
) -> IntArray:
    """int64 [..., rows]: bias and products, in GATE_SCALE. x: int64 [..., columns], quantized as `of` is."""
    assert weights.data is not None
    multiplier, shift = (part[rows] for part in gate_multipliers(of, weights))
    # Integers below 2**53: float64 sums them exactly, in whatever order.
    acc = ((x - of.zero_point).astype(np.float64) @ weights.data[rows].T.astype(np.float64)).astype(np.int64)
    if bias is not None:
        assert bias.data is not None
        acc = acc + bias.data[rows].astype(np.int64)
    if of.dtype == "int16":
        return requantize_int64(acc, multiplier, shift)
    return requantize(wrap_int32(acc), multiplier, shift)


def accumulator_bounds(x: Tensor, weights: Tensor, bias: Tensor | None) -> np.ndarray:
    """float64 [rows]: the largest |accumulator| that any input can give."""
    assert weights.data is not None
    bounds = np.abs(weights.data.astype(np.float64)).sum(axis=1) * widest(x.zero_point, x.dtype)
    return bounds if bias is None or bias.data is None else bounds + np.abs(bias.data.astype(np.float64))


def _largest(node: BoundNode, what: Callable[[Tensor, Tensor, Tensor | None], Any]) -> float:
    """Of both parts; 0 where their weights break other rules."""
    known = [p for p in products(node) if p[1].data is not None and p[1].quant is not None]
    return max((float(np.max(what(*part))) for part in known), default=0.0)


def _largest_accumulator(node: BoundNode) -> float:
    return _largest(node, accumulator_bounds)


def _largest_ratio(node: BoundNode) -> float:
    return _largest(node, lambda x, weights, bias: gate_ratios(x, weights))


def _largest_gate_sum(node: BoundNode) -> float:
    return _largest(node, lambda *part: accumulator_bounds(*part) * np.array(gate_ratios(*part[:2])))


def _weights(node: BoundNode) -> list[Tensor]:
    return [node.input(INPUT_WEIGHTS), node.input(RECURRENT_WEIGHTS)]


def _biases(node: BoundNode) -> list[Tensor]:
    return [bias for i in (INPUT_BIAS, RECURRENT_BIAS) if (bias := node.optional_input(i)) is not None]


def _describe(tensors: Sequence[Tensor]) -> str:
    return ", ".join(f"{t.dtype}{'' if t.is_constant else ', computed'}" for t in tensors)


def _bias_rule(dtype: str, form: str) -> Constraint:
    return Constraint(
        f"both biases must be constant {dtype}, or absent",
        lambda node: all(bias.is_constant and bias.dtype == dtype for bias in _biases(node)),
        lambda node: _describe(_biases(node)),
        "quantize the model as mcu-quant quantize does",
        (form,),
    )


def _is_hidden_state(node: BoundNode) -> bool:
    states = [node.outputs[1], node.optional_input(HIDDEN)]
    return all(t is None or (t.dtype == "int16" and without_axis(t.quant) == HIDDEN_QUANT) for t in states)


def _symmetric(tensor: Tensor) -> bool:
    return tensor.quant is not None and not any(tensor.quant.zero_point)


CONSTRAINTS = (
    Constraint(
        "the batch must be 1",
        lambda node: node.input(X).shape[0] == 1,
        lambda node: node.input(X).shape,
        "one sequence at a time",
        FORMS,
    ),
    Constraint(
        "weights and biases must be constant",
        lambda node: all(t.is_constant for t in (*_weights(node), *_biases(node))),
        lambda node: _describe([*_weights(node), *_biases(node)]),
        "weights that training has fixed",
        forms=FORMS,
    ),
    Constraint(
        "weights must be float32, float16 or symmetric int8, a bias float",
        lambda node: (
            all(t.dtype in STORED and (t.dtype != "int8" or _symmetric(t)) for t in _weights(node))
            and all(t.dtype in ("float32", "float16") for t in _biases(node))
        ),
        lambda node: _describe([*_weights(node), *_biases(node)]),
        "weights that training has fixed",
        forms=FLOAT_FORMS,
    ),
    Constraint(
        "weights must be symmetric int8",
        lambda node: all(t.dtype == "int8" and _symmetric(t) for t in _weights(node)),
        lambda node: _describe(_weights(node)),
        "quantize the model as mcu-quant quantize does",
    ),
    _bias_rule("int32", "int8"),
    _bias_rule("int64", "int16"),
    Constraint(
        "the hidden state must be int16 of scale 1/32768",
        _is_hidden_state,
        lambda node: f"{node.outputs[-1].dtype}, {node.outputs[-1].quant}",
        "quantize the model as mcu-quant quantize does",
    ),
    Constraint(
        "the output's scale must be at least 2**-29",
        lambda node: node.output.scale >= 2.0**-29,
        lambda node: node.output.scale,
        "calibrate with representative data",
    ),
    Constraint(
        "no input may overflow the int32 accumulators",
        lambda node: _largest_accumulator(node) <= INT32_MAX,
        _largest_accumulator,
        "fewer inputs, or a smaller bias",
        ("int8",),
    ),
    Constraint(
        "no input may give an int64 accumulator of 2**47 or more",
        lambda node: _largest_accumulator(node) <= INT64_ACCUMULATOR_MAX,
        _largest_accumulator,
        "a smaller bias",
        ("int16",),
    ),
    Constraint(
        "scale(input) * scale(weights) must be below 2**-5 where accumulators are int64",
        lambda node: _largest_ratio(node) < _LARGEST_INT64_RATIO,
        lambda node: _largest_ratio(node) * GATE_SCALE,
        "inputs scaled as usual, to about -1 to 1",
        ("int16",),
    ),
    Constraint(
        "no gate's sum may reach 2**18, whatever the input",
        lambda node: _largest_gate_sum(node) < _LARGEST_SUM,
        lambda node: _largest_gate_sum(node) * GATE_SCALE,
        "inputs scaled as usual, to about -1 to 1",
    ),
)


def units_of(node: BoundNode) -> int:
    return node.input(RECURRENT_WEIGHTS).shape[1]


def _as_output(node: BoundNode, steps: list[np.ndarray]) -> np.ndarray:
    """The output, from what each step gives: [N, units]."""
    y = np.stack(steps, axis=1) if node.attrs.sequences else steps[-1]
    return y.reshape(-1, *node.output.shape).astype(node.output.dtype)


class RecurrentOperator(Operator):
    """A layer of units that read, at each step, the input and what they gave at the step before.

    Inputs: x [1, steps, columns], input weights [gates * units, columns], recurrent weights
    [gates * units, units], input bias and recurrent bias [gates * units] or absent, hidden state before the
    run [1, units] or absent (it is 0). Outputs: y [1, steps, units], hidden state after the run [1, units].
    attrs.sequences: False where code is generated and only the last step is read; y is [1, units] then.
    """

    #: How many sums each unit has.
    gates: ClassVar[int]
    quant_rule = QuantRule(products=_PRODUCTS, state=HIDDEN_QUANT)
    constraints = CONSTRAINTS
    state_inputs = {HIDDEN: 1}  # noqa: RUF012 - a Mapping that nothing writes to
    absent_forms: ClassVar[Mapping[str, str]] = {"hybrid": "its weights are widened where they are used"}
    oracles: ClassVar[Mapping[str, str]] = dict.fromkeys((*INTEGER_FORMS, "float"), "CUSTOM_OPERATORS.md")

    def output_shapes(self, attrs: Any, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        x, weights, (rows, units), *others = input_shapes
        biases = [shape for shape in others if len(shape) == 1]
        states = [shape for shape in others if len(shape) != 1]
        sizes = len(x) == 3 and weights == (rows, x[2]) and rows == self.gates * units
        if not sizes or any(shape != (rows,) for shape in biases) or states not in ([], [(1, units)]):
            raise ValueError(f"inputs of shapes {', '.join(map(str, input_shapes))}")
        return (*x[:2], units) if attrs.sequences else (1, units), (1, units)

    def least_output_scale(self, attrs: Any, input_scales: Sequence[float], dtype: str) -> float:
        """The hidden state is shifted to the left by at most 14."""
        return 2.0**-29

    def macs(self, node: BoundNode) -> int:
        steps, columns = node.input(X).shape[1:]
        rows, units = node.input(RECURRENT_WEIGHTS).shape
        return steps * rows * (columns + units)

    @abstractmethod
    def float_step(
        self, node: BoundNode, sums: np.ndarray, h: np.ndarray, recurrent: Recurrent
    ) -> np.ndarray:
        """The hidden state [N, units] after a step. sums: the input's part, [N, gates * units].

        recurrent(h, rows): the hidden state's part of those sums.
        """

    @abstractmethod
    def integer_step(self, node: BoundNode, sums: IntArray, h: IntArray, recurrent: Recurrent) -> IntArray:
        """The same of sums in GATE_SCALE and a hidden state in Q0.15; recurrent takes one, too."""

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        x, weights, recurrent_weights, bias, recurrent_bias, hidden = inputs
        assert x is not None and weights is not None and recurrent_weights is not None

        def recurrent(h: np.ndarray, rows: slice) -> np.ndarray:
            sums = h @ recurrent_weights[rows].T
            return sums if recurrent_bias is None else sums + recurrent_bias[rows]

        sums = x[:, 0] @ weights.T
        sums = sums if bias is None else sums + bias
        h = np.zeros((len(x), units_of(node)), np.float32) if hidden is None else hidden[:, 0]
        steps = []
        with np.errstate(over="ignore"):
            for step in range(x.shape[2]):
                h = self.float_step(node, sums[:, step], h, recurrent)
                steps.append(h)
        return _as_output(node, steps), h[:, None]

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        x, hidden = inputs[X], inputs[HIDDEN]
        assert x is not None
        of_input, of_output = products(node)

        def recurrent(h: np.ndarray, rows: slice) -> np.ndarray:
            return gate_sums(to_steps(node, h), *of_output, rows=rows)

        sums = gate_sums(x[:, 0].astype(np.int64), *of_input)
        h = np.zeros((len(x), units_of(node)), np.int64) if hidden is None else hidden[:, 0].astype(np.int64)
        steps = []
        for step in range(x.shape[2]):
            h = self.integer_step(node, sums[:, step], h, recurrent)
            steps.append(to_steps(node, h))
        return _as_output(node, steps), h[:, None].astype(np.int16)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm(
            "CUSTOM", VERSION, custom=self.tflite_custom, custom_options=write_options(self.options(node))
        )

    def options(self, node: BoundNode) -> Mapping[str, bool]:
        """What the custom operator's options say."""
        return {}


def all_inputs(node: TfliteNode) -> tuple[Tensor | None, ...]:
    """The inputs of a node of a file, with None for those that it leaves out at the end."""
    if not INPUT_BIAS <= len(node.inputs) <= INPUTS or None in node.inputs[:INPUT_BIAS]:
        rule = (
            f"{node.builtin} must have {INPUT_BIAS} to {INPUTS} inputs, the first {INPUT_BIAS} of them there"
        )
        raise InvalidModelError(rule, layer=node.name, value=len(node.inputs), hint="export the model again")
    return (*node.inputs, *(None,) * (INPUTS - len(node.inputs)))
