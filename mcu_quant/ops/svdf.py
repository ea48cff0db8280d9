"""svdf: a fully connected layer over the last frames of a stream, of low rank.

Every filter is a product over a frame, of which the last values are kept from run to run (its memory), and a
product over those; `rank` filters in a row make a unit:
    value[f] = x . feature[f]; y[u] = bias[u] + the sum of memory[f] . time[f] over the filters of u
The bits are TFLM's (svdf_common.cc): ARITHMETIC section 27.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import quantize_multiplier, requantize, wrap_int32
from mcu_quant.ir import BoundNode, QuantParams, Tensor
from mcu_quant.ops.base import (
    ACTIVATIONS,
    Constraint,
    Operator,
    Product,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
    activation_range,
    float_activation,
    scale_ratio,
    to_output,
    type_limits,
)
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.linear import is_hybrid

X, FEATURE, TIME, BIAS, STATE = range(5)


@dataclass(frozen=True)
class SvdfAttrs:
    """rank: filters of a unit. activation: of the float form; integers have it in the output's range.

    hybrid: float32 meets int8 weights that no DEQUANTIZE widens.
    """

    rank: int
    activation: str = "none"
    hybrid: bool = False


class Svdf(Operator):
    """Inputs: x [rows, size], feature weights [filters, size], time weights [filters, memory], bias
    [filters / rank] or absent, and the state [rows, filters * memory], oldest values first. Outputs: y
    [rows, filters / rank] and the state after the run. Rows are streams of their own.
    """

    name = "svdf"
    attrs_type = SvdfAttrs
    tflite_builtins = ("SVDF",)
    state_inputs = {STATE: 1}  # noqa: RUF012 - a Mapping that nothing writes to
    quant_rule = QuantRule(products=(Product(FEATURE, X), Product(TIME, None, BIAS)))
    quantized_in_float = True
    absent_forms = {  # noqa: RUF012
        "int16": "its activations are int8 wherever it is of integers; its state may be int16",
        "hybrid": "TFLM refuses it; convert without dynamic-range quantization",
    }

    def output_shapes(self, attrs: SvdfAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        x, feature, time, *bias, state = input_shapes
        filters, size = feature
        if len(x) != 2 or x[1] != size or time[0] != filters or filters % attrs.rank:
            raise ValueError(f"x {x}, feature weights {feature}, time weights {time}, rank {attrs.rank}")
        if state != (x[0], filters * time[1]) or bias not in ([], [(filters // attrs.rank,)]):
            raise ValueError(f"state {state} and bias {bias} for x {x} and time weights {time}")
        return (x[0], filters // attrs.rank), state

    def from_tflite(self, node: TfliteNode) -> tuple[SvdfAttrs, tuple[Tensor | None, ...]]:
        activation = node.choice("FusedActivationFunction", ACTIVATIONS)
        attrs = SvdfAttrs(int(node.option("Rank")), activation, is_hybrid(node))
        if attrs.rank < 1:
            raise ValueError(f"rank {attrs.rank}")
        return attrs, _with_bias(node, attrs.rank)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        options = {
            "Rank": node.attrs.rank,
            "FusedActivationFunction": ACTIVATIONS.index(node.attrs.activation),
        }
        return TfliteForm("SVDF", 1 if form_of(node) == "float" else 3, "SVDFOptions", options)

    def macs(self, node: BoundNode) -> int:
        return node.input(X).shape[0] * (node.input(FEATURE).elements + node.input(TIME).elements)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        x, feature, time, bias, memory = _operands(node, inputs)
        memory = _moved_on(memory, x @ feature.T)
        sums = _of_units(node, np.einsum("nrfm,fm->nrf", memory, time))
        y = sums if bias is None else sums + bias
        return float_activation(y, node.attrs.activation), memory.reshape(-1, *node.outputs[1].shape)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        x, feature, time, bias, memory = _operands(node, inputs)
        y, after = node.outputs
        value, unit = multipliers(node)
        steps = x.astype(np.int64) - node.input(X).zero_point
        sums = (steps @ feature.astype(np.int64).T).astype(np.int64)
        limited = np.clip(requantize(wrap_int32(sums), *value), *type_limits(after))
        # The state's type wraps where its zero_point is added at last.
        memory = _moved_on(memory, (limited + after.zero_point).astype(after.dtype))
        products = (memory.astype(np.int64) - after.zero_point) * time.astype(np.int64)
        acc = _of_units(node, products.sum(axis=-1))
        acc = acc if bias is None else acc + bias.astype(np.int64)
        scaled = requantize(wrap_int32(acc), *unit) + y.zero_point
        return to_output(scaled, y), memory.reshape(-1, *after.shape)


def multipliers(node: BoundNode) -> tuple[tuple[int, int], tuple[int, int]]:
    """(multiplier, shift) of a filter's value to the state's scale, and of a unit's sum to the output's."""
    first, second = _ratios(node)
    return quantize_multiplier(first), quantize_multiplier(second)


def _ratios(node: BoundNode) -> tuple[float, float]:
    state = node.outputs[1].scale
    return (
        scale_ratio((node.input(X).scale, node.input(FEATURE).scale), state),
        scale_ratio((state, node.input(TIME).scale), node.output.scale),
    )


def _operands(
    node: BoundNode, inputs: Sequence[np.ndarray | None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """x, both weights, the bias, and the state as [N, rows, filters, memory]."""
    x, feature, time, bias, state = inputs
    assert x is not None and feature is not None and time is not None and state is not None
    return x, feature, time, bias, state.reshape(len(state), node.input(X).shape[0], *time.shape)


def _moved_on(memory: np.ndarray, newest: np.ndarray) -> np.ndarray:
    """The memory [N, rows, filters, memory] with its oldest values out and the newest in."""
    return np.concatenate([memory[..., 1:], newest[..., None]], axis=-1)


def _of_units(node: BoundNode, sums: np.ndarray) -> np.ndarray:
    """Sums of filters [N, rows, filters] as those of units."""
    rows, units = node.output.shape
    return sums.reshape(-1, rows, units, node.attrs.rank).sum(axis=-1)


def _with_bias(node: TfliteNode, rank: int) -> tuple[Tensor | None, ...]:
    """The five inputs; a bias of zeros where the file has none: TFLM crashes without one."""
    inputs = (*node.inputs, *(None,) * (5 - len(node.inputs)))
    _, feature, time, bias, state = inputs
    if bias is not None or feature is None or time is None or state is None:
        return inputs
    zeros = np.zeros(feature.shape[0] // rank, np.float32 if state.quant is None else np.int32)
    quant = None
    if state.quant is not None and time.quant is not None:
        quant = QuantParams.per_tensor(state.quant.scale[0] * time.quant.scale[0])
    return (*inputs[:BIAS], Tensor.constant(f"{node.name}/bias", zeros, quant), state)


def _state(node: BoundNode) -> Tensor | None:
    return node.optional_input(STATE)


def _types(node: BoundNode) -> list[str]:
    """Of both weights, the state and the bias."""
    tensors = [node.inputs[index] for index in (FEATURE, TIME, STATE, BIAS)]
    return [tensor.dtype for tensor in tensors if tensor is not None]


def _are_constant(node: BoundNode) -> bool:
    return all(t is None or t.is_constant for t in node.inputs[FEATURE:STATE])


def _have_one_scale(node: BoundNode) -> bool:
    weights = [node.input(FEATURE), node.input(TIME)]
    scales = [t.quant for t in weights if t.dtype in ("int8", "int16")]
    return all(q is not None and len(q.scale) == 1 and not any(q.zero_point) for q in scales)


_QUANTIZE = "quantize the model with a LiteRT-8-bit-specification quantizer"
Svdf.constraints = (
    Constraint(
        "its state must be a variable tensor",
        lambda node: _state(node) is not None,
        hint="export the model again",
        forms=("int8", "float"),
    ),
    Constraint(
        "weights and bias must be constant",
        _are_constant,
        hint="weights that training has fixed",
        forms=("int8", "float"),
    ),
    Constraint(
        "state and bias must be float32; weights may be stored as float16 or int8",
        lambda node: not {"int8", "int16"} & {tensor.dtype for tensor in node.inputs[BIAS:] if tensor},
        _types,
        "float32 activations, or all of int8",
        ("float",),
    ),
    Constraint(
        "feature weights must be int8, time weights and state both int8 or both int16, the bias int32",
        lambda node: _types(node) in (["int8", "int8", "int8", "int32"], ["int8", "int16", "int16", "int32"]),
        _types,
        _QUANTIZE,
    ),
    Constraint(
        "weights must have one scale, and zero_point 0",
        _have_one_scale,
        lambda node: [node.input(FEATURE).quant, node.input(TIME).quant],
        _QUANTIZE,
        ("int8", "float"),
    ),
    Constraint(
        "a fused activation must be one that the output's range has already: TFLM computes none",
        lambda node: activation_range(node.attrs.activation, node.output) == type_limits(node.output),
        lambda node: f"{node.attrs.activation}, output {node.output.quant}",
        f"{_QUANTIZE}; or the activation as a layer of its own",
    ),
    Constraint(
        "no ratio of scales, of a frame to the state and of that to the output, may be 2**30 or more",
        lambda node: not _have_one_scale(node) or max(_ratios(node)) < 2.0**30,
        _ratios,
        "calibrate with representative data",
    ),
)

OPERATOR = Svdf()
