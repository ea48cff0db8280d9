"""What convolutions and fully_connected share: exact sums, requantization, limits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from mcu_quant.fixed_point import (
    INT32_MAX,
    IntArray,
    quantize_multiplier,
    reduced_multiplier,
    requantize,
    requantize_int64,
    wrap_int32,
)
from mcu_quant.ir import BoundNode, Tensor, ValueRange
from mcu_quant.ops.base import (
    Constraint,
    Operator,
    TfliteNode,
    activation_range,
    float_activation,
    scale_ratio,
)
from mcu_quant.ops.forms import FLOAT_FORMS, form_of
from mcu_quant.ops.hybrid import quantize_rows
from mcu_quant.ops.ranges import full_range, range_of
from mcu_quant.ops.storage import STORED, real_values
from mcu_quant.ops.windows import BandPadding, FilterAxis, sample_chunks, transposed_axes, window_axes

#: Largest magnitudes up to which floating-point sums of integers are exact.
_EXACT_FLOAT32, _EXACT_FLOAT64 = 2**24, 2**53

#: Of TensorType (schema.fbs).
_INT32 = 2

#: What an int64 accumulator may hold: its product with a multiplier of 15 bits fits 63.
INT64_ACCUMULATOR_MAX = 2**47 - 1


def is_hybrid(node: TfliteNode) -> bool:
    """Whether a file says that float32 activations meet int8 weights: they are then quantized on the fly."""
    x, weights = node.inputs[:2]
    return x is not None and weights is not None and (x.dtype, weights.dtype) == ("float32", "int8")


class LinearOperator(Operator):
    """Sums of inputs times constant weights, plus a bias, then a fused activation.

    Among floats, weights may be stored as halves or int8 and are widened, unless attrs.hybrid is set: the
    input is then quantized to int8 for each sample, or row, and the sums are those of integers.

    Inputs: x, weights, bias or absent. The sums are the same for the float meaning and for the
    bits: integers are summed in floating point, exactly, because that is what BLAS is fast at.
    """

    @abstractmethod
    def sums(self, node: BoundNode, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The sums for x [N, *shape], 0 where padded; same floating type in and out: [N, *output shape]."""

    @abstractmethod
    def temporary_elements(self, node: BoundNode) -> int:
        """How many elements `sums` holds for each sample, for choosing how many go at once."""

    def value_range(self, node: BoundNode) -> tuple[ValueRange | None, ...]:
        """Requantization is monotone, where the accumulator's left shift does not wrap."""
        if form_of(node) in FLOAT_FORMS:
            return (full_range(node.output),)
        low, high = accumulator_range(node)
        ends = requantize_accumulator(node, np.stack([low, high]), None).astype(np.int64)
        wraps = _wraps(node, np.maximum(-low, high))
        least, largest = activation_range(node.attrs.activation, node.output)
        return (ValueRange(np.where(wraps, least, ends[0]), np.where(wraps, largest, ends[1])),)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        x, weights, bias = operands(inputs)
        y = np.empty((len(x), *node.output.shape), np.float32)
        for part in sample_chunks(len(x), self.temporary_elements(node)):
            sums = self.sums(node, x[part], weights)
            if bias is not None:
                sums += bias
            y[part] = float_activation(sums, node.attrs.activation)
        return (y,)

    def run_hybrid(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        """float32 throughout but for the sums: acc * (s_x * s_w[c]) + bias[c]. ARITHMETIC section 14."""
        x, weights, bias = operands(inputs)
        dtype, channels = exact_dtype(hybrid_bound(node)), node.output.shape[-1]
        exact_weights = weights.astype(dtype)
        scales = node.input(1).quant
        assert scales is not None
        scale_w = np.broadcast_to(np.asarray(scales.scale, np.float32), (channels,))
        rows = self.hybrid_rows(node)
        y = np.empty((len(x), *node.output.shape), np.float32)
        for part in sample_chunks(len(x), self.temporary_elements(node)):
            values = np.ascontiguousarray(x[part]).reshape(len(x[part]) * rows, -1)
            q, scale_x, zero_point = quantize_rows(values, getattr(node.attrs, "asymmetric", True))
            steps = (q.astype(np.int32) - zero_point).astype(dtype).reshape(x[part].shape)
            sums = self.sums(node, steps, exact_weights).astype(np.float32).reshape(len(values), -1, channels)
            sums *= scale_x[:, None] * scale_w
            if bias is not None:
                sums += real_values(node.input(2), bias)
            y[part] = float_activation(sums, node.attrs.activation).reshape(-1, *node.output.shape)
        return (y,)

    def hybrid_rows(self, node: BoundNode) -> int:
        """How many parts of an input are quantized apart from each other."""
        return 1

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        x, weights, bias = operands(inputs)
        dtype = exact_dtype(accumulator_bound(node, with_bias=False))
        exact_weights, zero_point = weights.astype(dtype), dtype(node.input(0).zero_point)
        y = np.empty((len(x), *node.output.shape), node.output.dtype)
        for part in sample_chunks(len(x), self.temporary_elements(node)):
            sums = self.sums(node, x[part].astype(dtype) - zero_point, exact_weights)
            y[part] = requantize_accumulator(node, sums.astype(np.int64), bias)
        return (y,)


def operands(inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(x, weights, bias or None)."""
    x, weights = inputs[0], inputs[1]
    assert x is not None and weights is not None
    return x, weights, inputs[2] if len(inputs) > 2 else None


def hybrid_bound(node: BoundNode) -> int:
    """The largest |sum| of a hybrid node: inputs are at most 255 steps from their zero_point."""
    return int(_absolute_sums_of_channels(node).max()) * 255


def exact_dtype(bound: int) -> type[np.float32] | type[np.float64]:
    """The smallest floating type that sums integers of |sum| <= bound exactly, in whatever order."""
    assert bound <= _EXACT_FLOAT64
    return np.float32 if bound <= _EXACT_FLOAT32 else np.float64


def widest(zero_point: int, dtype: str = "int8") -> int:
    """The largest |q - zero_point| of a q of that type."""
    limits = np.iinfo(dtype)
    return max(int(limits.max) - zero_point, zero_point - int(limits.min))


def sums_in_int64(node: BoundNode) -> bool:
    """Whether the accumulator is an int64 and rounded once: int16 activations without an int32 bias.

    Else it is an int32, and rounded twice. ARITHMETIC section 12.
    """
    bias = node.optional_input(2)
    return node.input(0).dtype == "int16" and (bias is None or bias.dtype != "int32")


def bias_dtype(node: BoundNode) -> str:
    """The type of the node's bias, or of one that it is given: the accumulator stays what it is."""
    return "int64" if sums_in_int64(node) else "int32"


def channel_multipliers(node: BoundNode) -> tuple[IntArray, IntArray]:
    """(multiplier, shift), each int64 [output channels]; ratio s_in * s_w[c] / s_out in double."""
    weights = node.input(1)
    assert weights.quant is not None
    channels = node.output.shape[-1]
    pairs = [
        quantize_multiplier(scale_ratio((node.input(0).scale, scale), node.output.scale))
        for scale in weights.quant.scale
    ]
    pairs *= channels if len(pairs) == 1 else 1
    multiplier, shift = zip(*pairs, strict=True)
    return np.array(multiplier, np.int64), np.array(shift, np.int64)


def requantize_accumulator(node: BoundNode, acc: IntArray, bias: np.ndarray | None) -> np.ndarray:
    """acc int64 [..., channels] plus bias, as outputs of their type. ARITHMETIC section 5."""
    multiplier, shift = channel_multipliers(node)
    if bias is not None:
        acc = acc + bias.astype(np.int64)
    low, high = activation_range(node.attrs.activation, node.output)
    if sums_in_int64(node):
        y = requantize_int64(acc, multiplier, shift)
    else:
        y = requantize(wrap_int32(acc), multiplier, shift)
    return np.clip(y + node.output.zero_point, low, high).astype(node.output.dtype)


def _wraps(node: BoundNode, bound: IntArray) -> IntArray:
    """Whether an accumulator of that magnitude could leave int32 while it is scaled: bool [channels]."""
    multiplier, shift = channel_multipliers(node)
    if sums_in_int64(node):
        wraps = bound * reduced_multiplier(multiplier) >> (15 - shift) >= INT32_MAX
    else:
        wraps = bound << np.maximum(shift, 0) > INT32_MAX
    return np.asarray(wraps)


def accumulator_bound(node: BoundNode, with_bias: bool = True) -> int:
    """The largest |accumulator| that any input can give."""
    x, bias = node.input(0), node.optional_input(2)
    sums = _absolute_sums_of_channels(node) * widest(x.zero_point, x.dtype)
    if with_bias and bias is not None and bias.data is not None:
        # The magnitude of the least int64 is none: half of it is beyond every limit, too.
        sums = sums + np.abs(np.clip(bias.data.astype(np.int64), -(2**62), 2**62))
    return int(sums.max())


def _absolute_sums_of_channels(node: BoundNode) -> IntArray:
    """The sum of |weights| for each output channel, int64."""
    weights = node.input(1)
    assert weights.data is not None
    # Weights that have a filter for each output channel have that channel first; 1HWO has it last.
    channel_axis = 3 if node.node.op == "depthwise_conv_2d" else 0
    others = tuple(axis for axis in range(len(weights.shape)) if axis != channel_axis)
    return np.abs(weights.data.astype(np.int64)).sum(axis=others)


def accumulator_range(node: BoundNode) -> tuple[IntArray, IntArray]:
    """(low, high), each int64 [output channels]: what any input gives, bias included.

    As narrow as intervals allow: windows cut by padding count as they are. Uses what is known of the
    input (Tensor.value_range), else all of its type.
    """
    x, bias = node.input(0), node.optional_input(2)
    filters, channels = filters_of(node)
    low_x, high_x = _steps_of_taps(x, node)
    ends = [filters * end[channels][:, None, None] for end in (low_x, high_x)]
    low, high = np.minimum(*ends).sum(axis=3), np.maximum(*ends).sum(axis=3)
    rows, columns = tap_cases(node)
    sums = [np.einsum("okl,yk,xl->oyx", part, rows, columns, optimize=True) for part in (low, high)]
    low, high = sums[0].min(axis=(1, 2)), sums[1].max(axis=(1, 2))
    if bias is not None and bias.data is not None:
        low, high = low + bias.data, high + bias.data
    return low, high


def filters_of(node: BoundNode) -> tuple[IntArray, IntArray]:
    """(weights int64 [output channels, filter_h, filter_w, depth], which input each depth reads).

    The second, [output channels or 1, depth], holds channels of the input; of a fully_connected's input,
    taken as rows, it holds the columns.
    """
    weights = node.input(1)
    assert weights.data is not None
    data = weights.data.astype(np.int64)
    if node.node.op == "fully_connected":
        return data[:, None, None], np.arange(data.shape[1])[None]
    if node.node.op == "depthwise_conv_2d":
        multiplier = data.shape[3] // node.input(0).shape[3]
        return data[0].transpose(2, 0, 1)[..., None], np.arange(data.shape[3])[:, None] // multiplier
    outputs, depth = len(data), data.shape[3]
    per_group = outputs // (node.input(0).shape[3] // depth)
    return data, np.arange(outputs)[:, None] // per_group * depth + np.arange(depth)[None]


def input_channels(node: BoundNode, channels: int) -> np.ndarray:
    """Which input channel each weight multiplies: integers that broadcast against the weights."""
    shape = node.input(1).shape
    if node.node.op == "depthwise_conv_2d":
        return np.arange(shape[3]) // (shape[3] // channels)
    if node.node.op == "fully_connected":
        return np.arange(shape[1]) % channels
    per_group = shape[3]
    group = np.arange(shape[0]) // (shape[0] // (channels // per_group))
    return group[:, None, None, None] * per_group + np.arange(per_group)


def tap_cases(node: BoundNode) -> tuple[IntArray, IntArray]:
    """Which taps lie inside the input: the cases (1 or 0) along height and width, [cases, filter size].

    A band of rows counts all cases of its image: each band then has the same constants.
    """
    if node.node.op == "fully_connected":
        return np.ones((1, 1), np.int64), np.ones((1, 1), np.int64)
    attrs, x, weights = node.attrs, node.input(0).shape, node.input(1).shape
    axes: tuple[FilterAxis, FilterAxis]
    if node.node.op == "transpose_conv":
        axes = transposed_axes(attrs.padding, x, (weights[1], weights[2]), attrs.strides, attrs.output_size)
    else:
        axes = window_axes(attrs.padding, x, (weights[1], weights[2]), attrs.strides, attrs.dilation)
    height = attrs.padding.image if isinstance(attrs.padding, BandPadding) else axes[0]
    return height.inside().astype(np.int64), axes[1].inside().astype(np.int64)


def _steps_of_taps(x: Tensor, node: BoundNode) -> tuple[IntArray, IntArray]:
    """(low, high) of the inputs that filters_of names, less the zero_point."""
    known = range_of(x)
    low, high = known.low - x.zero_point, known.high - x.zero_point
    columns = node.input(1).shape[1]
    if node.node.op == "fully_connected" and columns != len(low):
        low = np.broadcast_to(low, x.shape).reshape(-1, columns).min(axis=0)
        high = np.broadcast_to(high, x.shape).reshape(-1, columns).max(axis=0)
    return low, high


def _largest_ratio(node: BoundNode) -> float:
    weights = node.input(1)
    assert weights.quant is not None
    return scale_ratio((node.input(0).scale, max(weights.quant.scale)), node.output.scale)


def bias_rule(types: tuple[str, ...], form: str) -> Constraint:
    """The bias must be constant and of one of those types, if there is one."""
    return Constraint(
        f"the bias must be constant {' or '.join(types)}, or absent",
        lambda node: (bias := node.optional_input(2)) is None or (bias.is_constant and bias.dtype in types),
        lambda node: node.input(2).dtype,
        "quantize the model as mcu-quant quantize does",
        (form,),
    )


def _is_storable(node: BoundNode) -> bool:
    """Whether the constants of a float node have a form here."""
    weights, bias = node.input(1), node.optional_input(2)
    symmetric = weights.dtype != "int8" or (weights.quant is not None and not any(weights.quant.zero_point))
    stored = weights.is_constant and weights.dtype in STORED and symmetric
    return stored and (bias is None or (bias.is_constant and bias.dtype in ("float32", "float16")))


_COMMON = (
    Constraint(
        "weights must be constant float32, float16 or symmetric int8, a bias constant and float",
        _is_storable,
        lambda node: ", ".join(
            f"{t.dtype}{'' if t.is_constant else ', computed'}" for t in node.inputs[1:] if t is not None
        ),
        "weights that training has fixed",
        forms=FLOAT_FORMS,
    ),
    Constraint(
        "no input may overflow the int32 sums of a hybrid layer",
        lambda node: node.input(1).data is None or hybrid_bound(node) <= INT32_MAX,
        hybrid_bound,
        "fewer inputs per output, or float weights",
        forms=("hybrid",),
    ),
    Constraint(
        "weights must be constant int8",
        lambda node: node.input(1).is_constant and node.input(1).dtype == "int8",
        lambda node: f"{node.input(1).dtype}, {'constant' if node.input(1).is_constant else 'computed'}",
        "quantize the model to full int8",
    ),
    Constraint(
        "weights must be symmetric (zero_point 0)",
        lambda node: (quant := node.input(1).quant) is not None and not any(quant.zero_point),
        lambda node: node.input(1).quant,
        "quantize the model with a LiteRT-8-bit-specification quantizer, as mcu-quant quantize does",
    ),
    Constraint(
        "no input may overflow the int32 accumulator",
        lambda node: (
            node.input(1).data is None or sums_in_int64(node) or accumulator_bound(node) <= INT32_MAX
        ),
        accumulator_bound,
        "fewer inputs per output, or a smaller bias; with int16 activations an int64 bias",
    ),
    Constraint(
        "no input may give an int64 accumulator of 2**47 or more",
        lambda node: node.input(1).data is None or accumulator_bound(node) <= INT64_ACCUMULATOR_MAX,
        accumulator_bound,
        "a smaller bias",
        ("int16",),
    ),
    Constraint(
        "scale(input) * scale(weights) / scale(output) must be below 2**30",
        lambda node: node.input(1).quant is None or _largest_ratio(node) < 2.0**30,
        _largest_ratio,
        "calibrate with representative data",
    ),
    Constraint(
        "scale(input) * scale(weights) / scale(output) must be below 2**7 where accumulators are int64",
        lambda node: node.input(1).quant is None or not sums_in_int64(node) or _largest_ratio(node) < 2.0**7,
        _largest_ratio,
        "calibrate with representative data",
        ("int16",),
    ),
)

CONSTRAINTS = (bias_rule(("int32",), "int8"), bias_rule(("int64", "int32"), "int16"), *_COMMON)
#: TFLM reads every bias of an int16 depthwise_conv_2d and transpose_conv as int64, whatever it is.
INT64_BIAS_CONSTRAINTS = (bias_rule(("int32",), "int8"), bias_rule(("int64",), "int16"), *_COMMON)


def bias_that_is_implied(node: TfliteNode, units: int) -> tuple[Tensor | None, ...]:
    """The inputs of a node read from a file. A bias of zeros where there is none but its type counts.

    Without a bias, int16 activations are summed in int64, unless the options name int32 as the bias's type.
    """
    x = node.inputs[0]
    absent = len(node.inputs) < 3 or node.inputs[2] is None
    if x is None or x.dtype != "int16" or not absent or node.option("QuantizedBiasType", 0) != _INT32:
        return node.inputs
    return (*node.inputs[:2], Tensor.constant(f"{node.name}/bias", np.zeros(units, np.int32)))
