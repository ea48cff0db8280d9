"""What an operator has to say, and the words it says it with.

Arrays given to run_float and run_integer have a leading sample axis before the tensor's full shape:
[N, *tensor.shape] for activations (so [N, 1, H, W, C]); constants come as their own shape.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, QuantParams, Tensor, ValueRange
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.ranges import full_range, monotone_ranges

if TYPE_CHECKING:
    from mcu_quant.ops.keras import GraphBuilder, KerasLayer

Shape = tuple[int, ...]

#: Fused activations, in the order of TFLite's ActivationFunctionType (schema.fbs).
ACTIVATIONS = ("none", "relu", "relu_n1_to_1", "relu6")
#: Padding, in the order of TFLite's Padding enumeration (schema.fbs).
PADDINGS = ("same", "valid")

#: The forms in which all is quantized: those whose bits are TFLM's.
INTEGER_FORMS = ("int8", "int16")

ACTIVATION_BOUNDS: Mapping[str, tuple[float | None, float | None]] = {
    "none": (None, None),
    "relu": (0.0, None),
    "relu_n1_to_1": (-1.0, 1.0),
    "relu6": (0.0, 6.0),
}


#: The same for operators that are nothing else.
CLAMPS = {**ACTIVATION_BOUNDS, "relu_0_to_1": (0.0, 1.0)}


@dataclass(frozen=True)
class Constraint:
    """A rule for nodes of some forms (ops/forms.py), by default int8 and int16.

    text: the error's sentence and the line in SUPPORTED_OPS.md. holds: whether the node keeps it.
    value: what to show when it does not. hint: what to try.
    """

    text: str
    holds: Callable[[BoundNode], bool]
    value: Callable[[BoundNode], object] = lambda node: ""
    hint: str = ""
    forms: tuple[str, ...] = INTEGER_FORMS


SAME_SCALE = Constraint(
    "input and output must have the same scale and zero_point",
    lambda node: without_axis(node.input(0).quant) == without_axis(node.output.quant),
    lambda node: f"{node.input(0).quant} and {node.output.quant}",
    "quantize the model with a LiteRT-8-bit-specification quantizer, as mcu-quant quantize does",
)


#: The output of softmax, logistic and tanh in int16.
FIXED_INT16 = QuantParams.per_tensor(1 / 32768)


def fixed_output(quant: QuantParams, form: str) -> Constraint:
    """The output must be quantized so in that form."""
    return Constraint(
        f"the output must have scale 1/{round(1 / quant.scale[0])} and zero_point {quant.zero_point[0]}",
        lambda node: without_axis(node.output.quant) == quant,
        lambda node: node.output.quant,
        "quantize the model with a LiteRT-8-bit-specification quantizer, as mcu-quant quantize does",
        (form,),
    )


def without_axis(quant: QuantParams | None) -> QuantParams | None:
    """A per-tensor quantization without the channel axis that it may carry but that means nothing."""
    return None if quant is None else replace(quant, channel_axis=None)


@dataclass(frozen=True)
class WeightRule:
    """How the quantizer stores a constant input: int8, symmetric, per channel along channel_axis."""

    index: int
    channel_axis: int


@dataclass(frozen=True)
class Product:
    """Constant weights of an operator that has several: int8, symmetric, one scale for all of them.

    weights, bias: positions among the inputs. factor: that of what they multiply; None: it is the first
    output, of the step before. The bias is int32 (int64 beside int16) with scale s_factor * s_w.
    channel_axis: of weights that have a scale for each of its indices.
    """

    weights: int
    factor: int | None
    bias: int | None = None
    channel_axis: int | None = None


@dataclass(frozen=True)
class QuantRule:
    """How the quantizer treats an operator (LiteRT 8-bit specification; NUMERICS).

    output: "free" (its own range), "same" (scale and zero_point of its activation inputs),
    "fixed" (`fixed`, whatever the range), "float" (a float32 output) or "raw" (not quantized: bool).
    weights, bias: the constant inputs with those roles; bias is int32 with scale s_in * s_w[c].
    int8_constants: inputs that are int8 where they are constant, whatever the activations are.
    products: constants of operators that are not linear as a whole (recurrent ones). cell: of
    Operator.state_inputs, the one that is int16 whatever the activations are, of a scale that is a power of
    two; other states have the scheme of the first output. state: the scheme of all states, which are int16.
    Every other float input, constant or not, is an activation.
    """

    output: str = "free"
    fixed: QuantParams | None = None
    weights: WeightRule | None = None
    bias: int | None = None
    int8_constants: tuple[int, ...] = ()
    products: tuple[Product, ...] = ()
    cell: int | None = None
    state: QuantParams | None = None

    def channel_axis(self, index: int) -> int | None:
        """Along which axis the input at that position may have scales, as weights; None if it may not."""
        if self.weights is not None and self.weights.index == index:
            return self.weights.channel_axis
        return next((p.channel_axis for p in self.products if p.weights == index), None)

    @property
    def weights_at(self) -> frozenset[int]:
        """The positions of all weights."""
        usual = () if self.weights is None else (self.weights.index,)
        return frozenset((*usual, *(product.weights for product in self.products)))

    @property
    def biases_at(self) -> frozenset[int]:
        """The positions of all biases."""
        return frozenset({self.bias, *(product.bias for product in self.products)} - {None})  # type: ignore[arg-type]


#: The metadata of a .tflite file that names the variable tensors, one a line, that begin each run anew.
#: Other runtimes keep them, and must be told to reset them.
BEGINS_ANEW = "mcu_quant.begins_anew"


@dataclass(frozen=True)
class TfliteForm:
    """An operator as schema.fbs has it.

    options: field name (as in the generated accessors, e.g. "StrideH") to value.
    constants: more inputs, int32 tensors (shape, axes, paddings), behind the node's inputs, or behind
    the first `inputs_before` of them. order: the node's inputs as the file has them, by position; those
    that are not there are left out.
    intermediates: types and scales that the file states of what is computed within. custom, custom_options:
    of builtin "CUSTOM", its name and the bytes of its options.
    """

    builtin: str
    version: int = 1
    options_type: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    constants: tuple[np.ndarray, ...] = ()
    inputs_before: int | None = None
    order: tuple[int, ...] | None = None
    intermediates: tuple[tuple[str, QuantParams], ...] = ()
    custom: str = ""
    custom_options: bytes = b""


@dataclass(frozen=True)
class TfliteNode:
    """An operator as read from a .tflite file, before it is ours.

    options: the generated accessor object (None if the file has none); of a custom operator its bytes, and
    builtin its name. inputs: None where absent. version: of the operator.
    """

    name: str
    builtin: str
    options: Any
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    version: int = 1

    def option(self, name: str, default: Any = 0) -> Any:
        """The field of that name, e.g. option("StrideH"), or the default without options."""
        return default if self.options is None else getattr(self.options, name)()

    def choice(self, name: str, names: Sequence[str]) -> str:
        """What an enumeration's value means. Raises UnsupportedModelError if it is none of those names."""
        value = self.option(name)
        if not 0 <= value < len(names):
            rule = f"{name} must be {' or '.join(names)}"
            raise UnsupportedModelError([Problem(rule, self.name, f"value {value}")])
        return names[value]

    def sizes(self, height: str, width: str, default: int = 0) -> tuple[int, int]:
        """Two fields that must be positive, such as strides. Raises InvalidModelError if one is not."""
        values = int(self.option(height, default)), int(self.option(width, default))
        if min(values) < 1:
            rule = f"{height} and {width} must be positive"
            raise InvalidModelError(rule, layer=self.name, value=values, hint="export the model again")
        return values

    def constant(self, index: int) -> np.ndarray | None:
        """The value of a constant input, None if it is absent or computed."""
        tensor = self.inputs[index] if index < len(self.inputs) else None
        return None if tensor is None else tensor.data


class Operator(ABC):
    """One operator's story. Subclasses are stateless; one instance is in ops.OPERATORS."""

    #: The operator's name in the IR: TFLite's builtin name in lower case where there is one.
    name: ClassVar[str]
    #: Names of TFLite builtins that from_tflite reads.
    tflite_builtins: ClassVar[tuple[str, ...]] = ()
    #: The name of the custom operator that from_tflite reads (docs/CUSTOM_OPERATORS.md); "" if there is none.
    tflite_custom: ClassVar[str] = ""
    #: Keras layer classes that from_keras reads.
    keras_layers: ClassVar[tuple[str, ...]] = ()
    #: Keras activation names that are this operator, and its attributes for them.
    keras_activations: ClassVar[Mapping[str, Any]] = {}
    quant_rule: ClassVar[QuantRule] = QuantRule()
    constraints: ClassVar[tuple[Constraint, ...]] = ()
    #: The dataclass of its attributes; None if it has none.
    attrs_type: ClassVar[type[Any] | None] = None
    #: The types of what is no activation: inputs by position, the output as None. A condition is bool, an
    #: index int32. The first is what an output is made of from Keras.
    plain_types: ClassVar[Mapping[int | None, tuple[str, ...]]] = {}
    #: The types of its form "plain" (ops/forms.py): all its activations have one of these. Empty: it has no
    #: such form.
    plain_form: ClassVar[tuple[str, ...]] = ()
    #: Each element of the output depends on one element of each input alone: with one varying input and
    #: constants of one element it is a table.
    is_elementwise: ClassVar[bool] = False
    #: Its float form moves, compares or computes each value by one rounded operation: C's bits are ours.
    float_is_exact: ClassVar[bool] = False
    #: Its output has no values but those of its inputs.
    is_selection: ClassVar[bool] = False
    #: Forms that it does not have, with the reason: a line of SUPPORTED_OPS.md. The quantizer computes it in
    #: float32, between converters, where its activations are of such an integer form.
    absent_forms: ClassVar[Mapping[str, str]] = {}
    #: Whose bits the tests compare a form with, where it is not TFLM for integers and LiteRT for floats.
    oracles: ClassVar[Mapping[str, str]] = {}
    #: The quantizer computes it in float32 although it has integer forms: they are near its meaning for some
    #: inputs alone, and there for the files of others.
    quantized_in_float: ClassVar[bool] = False
    #: Inputs that are the operator's own state, by position, and the outputs that are it after the run. Every
    #: kernel changes it in place. Absent (None): each run begins with the state as it is at reset.
    state_inputs: ClassVar[Mapping[int, int]] = {}
    #: Not of any file: written as several operators once it is known in which arithmetic
    #: (quantize/compositions.py).
    is_composition: ClassVar[bool] = False
    #: Not of any file: made where code is generated.
    is_internal: ClassVar[bool] = False

    @abstractmethod
    def output_shapes(self, attrs: Any, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Shapes of the outputs, from the shapes of the inputs that are present, in order."""

    @abstractmethod
    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        """What the operator means: float32 in, float32 out, fused activation included."""

    @abstractmethod
    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        """The bits: quantized in, quantized out (int8 or int16, as the node's tensors), integers only."""

    def within_run(
        self, node: BoundNode, inputs: Sequence[np.ndarray | None], outputs: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, ...]:
        """For each output of run_float all that it was during the run, [N, ...], for calibration."""
        return tuple(outputs)

    def run_hybrid(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        """float32 in and out, int8 weights, sums of integers: the input is quantized on the fly."""
        raise NotImplementedError(self.name)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        """Add the layer's nodes to the builder; returns the output tensor. Raises LayerRefused."""
        raise NotImplementedError(self.name)

    def from_tflite(self, node: TfliteNode) -> tuple[Any, tuple[Tensor | None, ...]]:
        """(attrs, the inputs that stay inputs). Raises McuQuantError naming node.name."""
        raise NotImplementedError(self.name)

    def to_tflite(self, node: BoundNode) -> TfliteForm | None:
        """The standard form; None if there is none (a pass must have lowered the operator)."""
        return None

    def least_output_scale(self, attrs: Any, input_scales: Sequence[float], dtype: str) -> float:
        """The smallest output scale that the arithmetic of dtype (int8, int16) bears for these; 0 if any.

        For operators without weights. The quantizer widens a calibrated scale to it: a dead layer, or
        one fed with constants, would else overflow or, in TFLM, abort.
        """
        return 0.0

    def least_input_scale(self, attrs: Any, dtype: str) -> float:
        """The smallest input scale that the arithmetic of dtype (int8, int16) bears; 0 if any."""
        return 0.0

    def output_type(self, attrs: Any, input_types: Sequence[str | None]) -> str:
        """The type of a float graph's output, from those of the inputs (None: absent)."""
        if None in self.plain_types:
            return self.plain_types[None][0]
        operands = [t for i, t in enumerate(input_types) if t is not None and i not in self.plain_types]
        return operands[0] if operands and operands[0] in self.plain_form else "float32"

    def macs(self, node: BoundNode) -> int:
        """Multiply-accumulates of one inference."""
        return 0

    def is_monotone(self, node: BoundNode) -> bool:
        """Whether larger inputs never give smaller outputs, in the integer form."""
        return False

    def value_range(self, node: BoundNode) -> tuple[ValueRange | None, ...]:
        """What the outputs of a quantized node can hold, from what its inputs can (Tensor.value_range).

        Sound: no input leads outside. None where an output is not quantized.
        """
        tensors = (*node.outputs, *(tensor for tensor in node.inputs if tensor is not None))
        ranges = tuple(full_range(tensor) for tensor in node.outputs)
        if all(full_range(tensor) is not None for tensor in tensors) and self.is_monotone(node):
            return monotone_ranges(node, self.run_integer)
        return ranges

    def index_limits(self, node: BoundNode, index: int) -> tuple[int, int] | None:
        """(least, largest) of what the input at that position should be, where it is indices; else None."""
        return None

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        """For each output channel, the one channel of the first input that it is computed from.

        None unless the operator treats channels (the last axis) alike and one by one, and computes the
        same with some of them left out, once `with_channels` has changed the attributes.
        """
        return None

    def with_channels(self, attrs: Any, channels: int) -> Any:
        """The attributes for an output that has so many channels left."""
        return attrs

    def problems(self, node: BoundNode) -> list[Problem]:
        """The constraints that a node breaks."""
        form = form_of(node)
        return [
            Problem(rule.text, node.name, str(rule.value(node)), rule.hint)
            for rule in self.constraints
            if form in rule.forms and not rule.holds(node)
        ]


def float_activation(x: np.ndarray, activation: str) -> np.ndarray:
    low, high = ACTIVATION_BOUNDS[activation]
    # As C compares: what is neither below nor above stays, NaN and -0 too.
    y = x if low is None else np.where(x < low, np.float32(low), x)
    return y if high is None else np.where(y > high, np.float32(high), y)


def activation_range(activation: str, output: Tensor) -> tuple[int, int]:
    """(activation_min, activation_max): the clamp of a fused activation. ARITHMETIC section 4.

    The bound is zero_point + round(float32(bound) / float32(scale)), limited to the output's type.
    """
    low, high = type_limits(output)
    real_low, real_high = ACTIVATION_BOUNDS[activation]
    if real_low is not None:
        low = max(low, quantize_bound(real_low, output))
    if real_high is not None:
        high = min(high, quantize_bound(real_high, output))
    return low, high


def type_limits(tensor: Tensor) -> tuple[int, int]:
    """(smallest, largest) value of a quantized tensor's type."""
    limits = np.iinfo(tensor.dtype)
    return int(limits.min), int(limits.max)


def to_output(y: IntArray, output: Tensor) -> np.ndarray:
    """y limited to the output's type, as that type."""
    return np.clip(y, *type_limits(output)).astype(output.dtype)


def quantize_bound(bound: float, tensor: Tensor) -> int:
    """zero_point + round-half-away(float32(bound) / float32(scale)), unlimited."""
    ratio = float(np.float32(bound) / np.float32(tensor.scale))
    return tensor.zero_point + int(np.sign(ratio) * np.floor(abs(ratio) + 0.5))


def scale_ratio(numerator: Sequence[float], denominator: float) -> float:
    """The product of scales over a scale, in double, left to right: what quantize_multiplier takes."""
    ratio = 1.0
    for scale in numerator:
        ratio *= scale
    return ratio / denominator


def product_ratio(node: BoundNode) -> float:
    """scale(first) * scale(second) / scale(output): what a product of two integers is multiplied with."""
    return scale_ratio((node.input(0).scale, node.input(1).scale), node.output.scale)


def least_rescaled(scale: float, dtype: str, factor: float = 1.0) -> float:
    """least_output_scale of what only rescales: an input, below 2**9 or 2**15, is shifted left by less than
    2**21 or 2**15."""
    return scale * max(1.0, factor) / (2**20 if dtype == "int8" else 2**14)


def same_padding(in_size: int, filter_size: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """(before, after) of TFLite's SAME padding along one axis, in elements."""
    out_size = -(-in_size // stride)
    total = max((out_size - 1) * stride + (filter_size - 1) * dilation + 1 - in_size, 0)
    return total // 2, total - total // 2


def window_padding(
    padding: str, in_size: int, filter_size: int, stride: int, dilation: int = 1
) -> tuple[int, int]:
    return same_padding(in_size, filter_size, stride, dilation) if padding == "same" else (0, 0)


def window_output(padding: str, in_size: int, filter_size: int, stride: int, dilation: int = 1) -> int:
    """The output size of a sliding window along one axis; 0 or less if the window does not fit."""
    if padding == "same":
        return -(-in_size // stride)
    return (in_size - (filter_size - 1) * dilation - 1) // stride + 1


def align_ranks(a: np.ndarray, b: np.ndarray, node: BoundNode) -> tuple[np.ndarray, np.ndarray]:
    """Two operands of a broadcasting operator, with sizes of 1 put in after the sample axis.

    Each is [N, *shape] or, for a constant, its shape; numpy broadcasting then does what TFLite's does.
    """
    rank = max(len(node.input(0).shape), len(node.input(1).shape))
    aligned = []
    for array, tensor in ((a, node.input(0)), (b, node.input(1))):
        lead = array.shape[: array.ndim - len(tensor.shape)]
        aligned.append(array.reshape((*lead, *(1,) * (rank - len(tensor.shape)), *tensor.shape)))
    return aligned[0], aligned[1]
