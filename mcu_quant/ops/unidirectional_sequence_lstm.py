"""unidirectional_sequence_lstm: a long short-term memory along time, all steps of a run in one node.

Each step has four gates of x and of the step before's hidden state h:
    i, f, o = sigmoid(x . W^T + h . R^T + b); g = tanh(the same); c = f * c + i * g; h = o * tanh(c).
The bits are TFLM's (lstm_eval.h): ARITHMETIC section 25.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.fixed_point import (
    INT16_MAX,
    INT16_MIN,
    INT32_MAX,
    IntArray,
    quantize_multiplier,
    requantize,
    requantize_int64,
)
from mcu_quant.ir import BoundNode, QuantParams, Tensor
from mcu_quant.ops.base import (
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
from mcu_quant.ops.forms import FORMS, form_of
from mcu_quant.ops.gates import GATE_SCALE, gate_sigmoid, gate_tanh
from mcu_quant.ops.linear import INT64_ACCUMULATOR_MAX, widest
from mcu_quant.ops.logistic import OPERATOR as LOGISTIC
from mcu_quant.ops.tanh import OPERATOR as TANH

#: Of each of these inputs there are four: of the input gate, the forget gate, the cell gate, the output gate.
GATES = 4
WEIGHTS, RECURRENT_WEIGHTS, BIAS = 1, 5, 12
#: The state before the run, where it is kept from run to run; absent: every run begins at 0.
HIDDEN, CELL = 18, 19
_INPUTS = 24
#: The gate that is no sigmoid.
CELL_GATE = 2
#: Exponents of the cell state's scale: where all of TFLM's int32 hold what they must.
LEAST_CELL_EXPONENT, LARGEST_CELL_EXPONENT = -27, 2

#: What TFLite's operator can have beside these: first input, how many, and in words.
_OTHERS = (
    (9, 3, "peephole connections"),
    (16, 2, "a projection"),
    (20, 4, "normalization of its layers"),
)


@dataclass(frozen=True)
class LstmAttrs:
    """time_major: x is [steps, 1, size], not [1, steps, size]. cell_clip: bound of |c|; 0 for none.

    sequences: the output is h at every step; else, where code is generated, of the last one alone.
    """

    time_major: bool = False
    cell_clip: float = 0.0
    sequences: bool = True


class UnidirectionalSequenceLstm(Operator):
    """Inputs, as TFLite has them: x [1, steps, size]; 1..4 weights [units, size]; 5..8 recurrent weights
    [units, units]; 12..15 biases [units]; 18 hidden state and 19 cell state before the run, [1, units], or
    absent. Outputs: h at every step [1, steps, units], or the last [1, units]; hidden and cell state after.
    """

    name = "unidirectional_sequence_lstm"
    attrs_type = LstmAttrs
    tflite_builtins = ("UNIDIRECTIONAL_SEQUENCE_LSTM",)
    state_inputs = {HIDDEN: 1, CELL: 2}  # noqa: RUF012 - a Mapping that nothing writes to
    quant_rule = QuantRule(
        products=(
            *(Product(WEIGHTS + gate, factor=0, bias=BIAS + gate) for gate in range(GATES)),
            *(Product(RECURRENT_WEIGHTS + gate, factor=None) for gate in range(GATES)),
        ),
        cell=CELL,
    )

    def output_shapes(self, attrs: LstmAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        x, (units, size) = input_shapes[0], input_shapes[1]
        recurrent = input_shapes[RECURRENT_WEIGHTS : RECURRENT_WEIGHTS + GATES]
        if len(x) != 3 or x[2] != size or any(shape != (units, units) for shape in recurrent):
            raise ValueError(f"x of shape {x}, weights {(units, size)}, recurrent weights {recurrent}")
        return ((*x[:2], units) if attrs.sequences else (1, units)), (1, units), (1, units)

    def from_tflite(self, node: TfliteNode) -> tuple[LstmAttrs, tuple[Tensor | None, ...]]:
        inputs = (*node.inputs, *(None,) * (_INPUTS - len(node.inputs)))
        found = [what for first, count, what in _OTHERS if any(inputs[first : first + count])]
        found += [] if inputs[WEIGHTS] is not None else ["its input gate coupled with its forget gate"]
        if node.option("FusedActivationFunction") != _TANH:
            found.append("another activation than tanh")
        if found:
            problem = Problem("an LSTM must be a plain one", node.name, ", ".join(found), "keras.layers.LSTM")
            raise UnsupportedModelError([problem])
        attrs = LstmAttrs(bool(node.option("TimeMajor", False)), float(node.option("CellClip", 0.0)))
        return attrs, inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm | None:
        if not node.attrs.sequences:
            return None
        options = {
            "FusedActivationFunction": _TANH,
            "CellClip": node.attrs.cell_clip,
            "TimeMajor": node.attrs.time_major,
        }
        version = 1 if form_of(node) == "float" else 3
        return TfliteForm(
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            version,
            "UnidirectionalSequenceLSTMOptions",
            options,
            intermediates=_intermediates(node),
        )

    def macs(self, node: BoundNode) -> int:
        units, size = node.input(WEIGHTS).shape
        return steps_of(node) * GATES * units * (size + units)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return _outputs(node, list(_float_steps(node, inputs)))

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return _outputs(node, list(_integer_steps(node, inputs)))

    def within_run(
        self, node: BoundNode, inputs: Sequence[np.ndarray | None], outputs: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, ...]:
        """The hidden state is in the first output; the cell state at every step is recomputed."""
        cells = [cell for _, cell in _float_steps(node, inputs)]
        return outputs[0], outputs[1], np.stack(cells, axis=1)


#: TFLite's ActivationFunctionType (schema.fbs).
_TANH = 4

_Step = tuple[np.ndarray, np.ndarray]


def steps_of(node: BoundNode) -> int:
    return node.input(0).shape[0 if node.attrs.time_major else 1]


def _outputs(node: BoundNode, steps: list[_Step]) -> tuple[np.ndarray, ...]:
    """The three outputs, from h and c [N, units] after each step."""
    hidden, cell = steps[-1]
    y = np.stack([hidden for hidden, _ in steps], axis=1) if node.attrs.sequences else hidden
    results = (y, hidden, cell)
    return tuple(
        result.reshape(-1, *tensor.shape).astype(tensor.dtype)
        for result, tensor in zip(results, node.outputs, strict=True)
    )


def _operands(
    node: BoundNode, inputs: Sequence[np.ndarray | None], dtype: type
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x [N, steps, size]; weights [4 * units, size], recurrent ones [4 * units, units], bias [4 * units]."""
    x = inputs[0]
    assert x is not None
    weights, recurrent, bias = (
        np.concatenate([np.asarray(inputs[first + gate], dtype) for gate in range(GATES)])
        for first in (WEIGHTS, RECURRENT_WEIGHTS, BIAS)
    )
    return x.reshape(len(x), steps_of(node), -1).astype(dtype), weights, recurrent, bias


def _before(inputs: Sequence[np.ndarray | None], index: int, rows: int, start: int, units: int) -> np.ndarray:
    """A state before the run, [N, units]; `start` everywhere where it is absent."""
    value = inputs[index] if index < len(inputs) else None
    return np.full((rows, units), start) if value is None else value.reshape(-1, units)


def _float_steps(node: BoundNode, inputs: Sequence[np.ndarray | None]) -> Iterator[_Step]:
    """(h, c) after each step, float32 [N, units]."""
    x, weights, recurrent, bias = _operands(node, inputs, np.float32)
    units, clip = recurrent.shape[1], np.float32(node.attrs.cell_clip)
    hidden, cell = (_before(inputs, i, len(x), 0, units).astype(np.float32) for i in (HIDDEN, CELL))
    projected = x @ weights.T + bias
    for step in range(x.shape[1]):
        sums = projected[:, step] + hidden @ recurrent.T
        i, f, g, o = np.split(sums, GATES, axis=1)
        cell = LOGISTIC.meaning(node, f) * cell + LOGISTIC.meaning(node, i) * np.tanh(g)
        cell = np.clip(cell, -clip, clip) if clip > 0 else cell
        hidden = LOGISTIC.meaning(node, o) * np.tanh(cell)
        yield hidden, cell


def _integer_steps(node: BoundNode, inputs: Sequence[np.ndarray | None]) -> Iterator[_Step]:
    """(h, c) after each step, int64 [N, units]. Sums are exact in float64: they are below 2**47."""
    x, weights, recurrent, bias = _operands(node, inputs, np.float64)
    scaling, units = IntegerScaling.of(node), recurrent.shape[1]
    zero_point = node.output.zero_point
    hidden = _before(inputs, HIDDEN, len(x), zero_point, units).astype(np.int64)
    cell = _before(inputs, CELL, len(x), 0, units).astype(np.int64)
    sums = (x - node.input(0).zero_point) @ weights.T + bias
    projected = scaling.gate_inputs(sums, scaling.input)
    for step in range(x.shape[1]):
        sums = (hidden - zero_point).astype(np.float64) @ recurrent.T
        gates = projected[:, step] + scaling.gate_inputs(sums, scaling.recurrent)
        hidden, cell = scaling.cell_step(gates, cell)
        hidden = to_output(hidden + zero_point, node.output).astype(np.int64)
        yield hidden, cell


def _saturated(x: IntArray) -> IntArray:
    return np.clip(x, INT16_MIN, INT16_MAX)


#: (multiplier, shift) of quantize_multiplier.
Scale = tuple[int, int]


@dataclass(frozen=True)
class IntegerScaling:
    """Every rescaling of an integer node.

    input, recurrent: of the sums of each gate, to GATE_SCALE. forget: of f * c, to the cell state.
    added: of i * g. hidden: of o * tanh(c). cell_tanh: (multiplier, right shift) from the cell state to steps
    of 1 / 12288. clip: the largest |c|, None where all of int16 is allowed. is_int64: sums are int64.
    """

    input: tuple[Scale, ...]
    recurrent: tuple[Scale, ...]
    forget: Scale
    added: Scale
    hidden: Scale
    cell_tanh: Scale
    clip: int | None
    is_int64: bool

    @classmethod
    def of(cls, node: BoundNode) -> IntegerScaling:
        cell = node.outputs[2].scale
        exponent = cell_exponent(node)
        clip = node.attrs.cell_clip
        return cls(
            input=tuple(quantize_multiplier(r) for r in gate_ratios(node, WEIGHTS)),
            recurrent=tuple(quantize_multiplier(r) for r in gate_ratios(node, RECURRENT_WEIGHTS)),
            forget=quantize_multiplier(2.0**-15),
            added=quantize_multiplier(2.0**-30 / cell),
            hidden=quantize_multiplier(2.0**-30 / node.output.scale),
            cell_tanh=(3 << (12 + exponent), 0) if exponent >= -12 else (3, -12 - exponent),
            clip=int(min(clip / cell, INT16_MAX)) if clip > 0 else None,
            is_int64=node.input(0).dtype == "int16",
        )

    def gate_inputs(self, sums: np.ndarray, scales: tuple[Scale, ...]) -> IntArray:
        """Sums [..., 4 * units] as int16 of GATE_SCALE."""
        rescale = requantize_int64 if self.is_int64 else requantize
        parts = np.split(sums.astype(np.int64), GATES, axis=-1)
        scaled = [rescale(part, *scale) for part, scale in zip(parts, scales, strict=True)]
        return _saturated(np.concatenate(scaled, axis=-1))

    def cell_step(self, gates: IntArray, cell: IntArray) -> tuple[IntArray, IntArray]:
        """(h less its zero_point, unlimited; c) [N, units] from what the gates take [N, 4 * units]."""
        i, f, g, o = (
            (gate_tanh if gate == CELL_GATE else gate_sigmoid)(sums)
            for gate, sums in enumerate(np.split(gates, GATES, axis=-1))
        )
        kept = _saturated(requantize(f * cell, *self.forget))
        cell = _saturated(kept + _saturated(requantize(i * g, *self.added)))
        if self.clip is not None:
            cell = np.clip(cell, -self.clip, self.clip)
        multiplier, shift = self.cell_tanh
        squashed = TANH.interpolated((cell * multiplier + ((1 << shift) >> 1)) >> shift)
        return requantize(squashed * o, *self.hidden), cell


def gate_ratios(node: BoundNode, first: int) -> list[float]:
    """For each gate, what its sums are multiplied with. first: WEIGHTS or RECURRENT_WEIGHTS."""
    factor = node.input(0) if first == WEIGHTS else node.output
    return [scale_ratio((factor.scale, node.input(first + gate).scale), GATE_SCALE) for gate in range(GATES)]


def cell_exponent(node: BoundNode) -> int:
    """log2 of the cell state's scale, rounded, as TFLM's CheckedLog2."""
    exponent = np.float32(np.log2(node.outputs[2].scale))
    return int(np.copysign(np.floor(np.abs(exponent) + np.float32(0.5)), exponent))


def largest_sum(node: BoundNode) -> int:
    """The largest |sum| of a gate's inputs, bias included, or of its recurrent part."""
    largest = 0
    for product in UnidirectionalSequenceLstm.quant_rule.products:
        factor = node.output if product.factor is None else node.input(product.factor)
        weights = node.input(product.weights).data
        assert weights is not None
        sums = np.abs(weights.astype(np.int64)).sum(axis=1) * widest(factor.zero_point, factor.dtype)
        bias = None if product.bias is None else node.inputs[product.bias]
        if bias is not None and bias.data is not None:
            sums = sums + np.abs(np.clip(bias.data.astype(np.int64), -(2**62), 2**62))
        largest = max(largest, int(sums.max()))
    return largest


def _intermediates(node: BoundNode) -> tuple[tuple[str, QuantParams], ...]:
    """What LiteRT wants to know of an integer LSTM: the types and scales of the gates' inputs, and of h."""
    if form_of(node) == "float":
        return ()
    assert node.output.quant is not None
    gates = (("int16", QuantParams.per_tensor(GATE_SCALE)),) * GATES
    return (*gates, (node.output.dtype, node.output.quant))


def _weights_are_stored(node: BoundNode) -> bool:
    tensors = [node.inputs[p.weights] for p in UnidirectionalSequenceLstm.quant_rule.products]
    return all(
        tensor is not None
        and tensor.is_constant
        and (tensor.quant is None or (len(tensor.quant.scale) == 1 and not any(tensor.quant.zero_point)))
        for tensor in tensors
    )


def _biases(node: BoundNode) -> list[Tensor | None]:
    return [node.inputs[BIAS + gate] for gate in range(GATES)]


def _biases_are(types: tuple[str, ...], form: str) -> Constraint:
    return Constraint(
        f"biases must be constant {' or '.join(types)}",
        lambda node: all(b is not None and b.is_constant and b.dtype in types for b in _biases(node)),
        lambda node: [None if bias is None else bias.dtype for bias in _biases(node)],
        "quantize the model as mcu-quant quantize does",
        (form,),
    )


def _weights_types(node: BoundNode) -> set[str]:
    return {node.input(product.weights).dtype for product in UnidirectionalSequenceLstm.quant_rule.products}


def _states_match(node: BoundNode) -> bool:
    """Whether state tensors are of the types and scales that the formulas have."""
    y, hidden, cell = node.outputs
    same = [(hidden, y)]
    same += [
        (state, after)
        for index, after in ((HIDDEN, hidden), (CELL, cell))
        if (state := node.optional_input(index)) is not None
    ]
    return all((a.dtype, without_axis(a.quant)) == (b.dtype, without_axis(b.quant)) for a, b in same)


_QUANTIZE = "quantize the model as mcu-quant quantize does"
UnidirectionalSequenceLstm.constraints = (
    Constraint(
        "the batch must be 1",
        lambda node: node.input(0).shape[1 if node.attrs.time_major else 0] == 1,
        lambda node: node.input(0).shape,
        "one sequence at a time",
        FORMS,
    ),
    Constraint(
        "weights must be constant, with one scale for all weights of a gate",
        _weights_are_stored,
        lambda node: "",
        _QUANTIZE,
        FORMS,
    ),
    Constraint(
        "weights must be int8",
        lambda node: _weights_types(node) == {"int8"},
        _weights_types,
        _QUANTIZE,
    ),
    Constraint(
        "weights must be float32, float16 or int8, all of one type",
        lambda node: len(_weights_types(node)) == 1,
        _weights_types,
        _QUANTIZE,
        ("float",),
    ),
    _biases_are(("float32", "float16"), "float"),
    _biases_are(("int32",), "int8"),
    _biases_are(("int64",), "int16"),
    Constraint(
        "the hidden state must have the output's type and scale, and states after a run those before it",
        _states_match,
        lambda node: [str(tensor.quant) for tensor in node.outputs],
        _QUANTIZE,
        FORMS,
    ),
    Constraint(
        "the cell state must be int16, its scale a power of two from 2**-27 to 2**2",
        lambda node: (
            node.outputs[2].dtype == "int16"
            and LEAST_CELL_EXPONENT <= cell_exponent(node) <= LARGEST_CELL_EXPONENT
        ),
        lambda node: node.outputs[2].quant,
        _QUANTIZE,
    ),
    Constraint(
        "no sum of a gate may overflow int32",
        lambda node: largest_sum(node) <= INT32_MAX,
        largest_sum,
        _QUANTIZE,
        ("int8",),
    ),
    Constraint(
        "no sum of a gate may overflow 2**47",
        lambda node: largest_sum(node) <= INT64_ACCUMULATOR_MAX,
        largest_sum,
        _QUANTIZE,
        ("int16",),
    ),
    Constraint(
        "scale(input) * scale(weights) * 2**12 must be below 2**30 in int8, 2**7 in int16",
        lambda node: (
            max(gate_ratios(node, WEIGHTS) + gate_ratios(node, RECURRENT_WEIGHTS))
            < (2.0**30 if form_of(node) == "int8" else 2.0**7)
        ),
        lambda node: max(gate_ratios(node, WEIGHTS) + gate_ratios(node, RECURRENT_WEIGHTS)),
        _QUANTIZE,
    ),
)

OPERATOR = UnidirectionalSequenceLstm()
