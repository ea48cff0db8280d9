"""TensorFlow operations that are functions of keras.ops: which, and where their arguments are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcu_quant.importers.frozen_constants import FLOAT_TYPES, FrozenNode
from mcu_quant.importers.keras_functions import FUNCTIONS, Arguments, TensorName, call_function
from mcu_quant.importers.keras_functions.arguments import Outputs
from mcu_quant.importers.keras_layers import ImportBuilder
from mcu_quant.ops.keras import LayerRefused

Lowering = Callable[[FrozenNode, ImportBuilder], Any]
#: DataType numbers of tensorflow/core/framework/types.proto.
_TYPES = {**dict.fromkeys(FLOAT_TYPES, "float32"), 3: "int32", 9: "int64", 10: "bool"}


def call(node: FrozenNode, builder: ImportBuilder, symbol: str, *args: Any, **kwargs: Any) -> Outputs:
    """The function of that operation class, under the node's name."""
    return FUNCTIONS[symbol](Arguments(node.name, args, kwargs), builder)


def _of_inputs(symbol: str, count: int = 0, **attributes: str) -> Lowering:
    """On the node's inputs (the first `count`, or all). attributes: arguments and the attributes they are."""

    def lower(node: FrozenNode, builder: ImportBuilder) -> Outputs:
        named = {key: node.attributes.get(attribute) for key, attribute in attributes.items()}
        return call(node, builder, symbol, *node.inputs[: count or None], **named)

    return lower


def _of_list(symbol: str) -> Lowering:
    """On all inputs as one list, along the axis that is an attribute."""

    def lower(node: FrozenNode, builder: ImportBuilder) -> Outputs:
        return call(node, builder, symbol, list(node.inputs), axis=node.attributes.get("axis") or 0)

    return lower


def _reduction(symbol: str) -> Lowering:
    def lower(node: FrozenNode, builder: ImportBuilder) -> Outputs:
        keepdims = bool(node.attributes.get("keep_dims"))
        return call(node, builder, symbol, node.inputs[0], node.integers(1), keepdims)

    return lower


def _extreme_index(symbol: str) -> Lowering:
    def lower(node: FrozenNode, builder: ImportBuilder) -> Outputs:
        return call(node, builder, symbol, node.inputs[0], node.integers(1)[0])

    return lower


def _with_integers(symbol: str) -> Lowering:
    """On the first input, and the others as numbers."""

    def lower(node: FrozenNode, builder: ImportBuilder) -> Outputs:
        rest = [node.integers(index) for index in range(1, len(node.inputs))]
        return call(node, builder, symbol, node.inputs[0], *rest)

    return lower


def _split(node: FrozenNode, builder: ImportBuilder) -> Outputs:
    axis = node.integers(0)[0]
    return call(node, builder, "Split", node.inputs[1], int(node.attributes["num_split"]), axis)


def _split_sizes(node: FrozenNode, builder: ImportBuilder) -> Outputs:
    axis = node.integers(2)[0]
    return call(node, builder, "Split", node.inputs[0], axis=axis, num_or_size_splits=node.integers(1))


def _unpack(node: FrozenNode, builder: ImportBuilder) -> Outputs:
    axis = node.attributes.get("axis") or 0
    return call(node, builder, "Unstack", node.inputs[0], node.attributes.get("num"), axis)


def _gather(node: FrozenNode, builder: ImportBuilder) -> Outputs:
    if node.attributes.get("batch_dims"):
        raise LayerRefused("a gather must be the same for all of the batch", value="batch_dims")
    return call(node, builder, "Take", node.inputs[0], node.inputs[1], node.integers(2)[0])


def _cast(node: FrozenNode, builder: ImportBuilder) -> Outputs:
    kind = int(node.attributes["DstT"])
    return call(node, builder, "Cast", node.tensor(0), _TYPES.get(kind, f"DataType {kind}"))


def _pad(node: FrozenNode, builder: ImportBuilder) -> Outputs:
    mode = str(node.attributes.get("mode") or "constant")
    value = node.constant(2) if len(node.inputs) > 2 else None
    return call(node, builder, "Pad", node.tensor(0), node.constant(1), mode, value)


def _concat(node: FrozenNode, builder: ImportBuilder) -> Outputs:
    *values, _ = node.inputs
    return call(node, builder, "Concatenate", list(values), node.integers(len(values))[0])


def _cumsum(node: FrozenNode, builder: ImportBuilder) -> Outputs:
    flags = (bool(node.attributes.get(key)) for key in ("exclusive", "reverse"))
    return call(node, builder, "Cumsum", node.tensor(0), node.integers(1)[0], *flags)


def _blocks(symbol: str) -> Lowering:
    def lower(node: FrozenNode, builder: ImportBuilder) -> Outputs:
        size, layout = node.attributes.get("block_size"), node.attributes.get("data_format")
        return call(node, builder, symbol, node.tensor(0), size, layout)

    return lower


def _resize(interpolation: str) -> Lowering:
    """Resizing as Keras does it."""

    def lower(node: FrozenNode, builder: ImportBuilder) -> Outputs:
        if node.attributes.get("align_corners") or not node.attributes.get("half_pixel_centers"):
            raise LayerRefused("resizing must be by half_pixel_centers", hint="layers.Resizing")
        return call(node, builder, "Resize", node.tensor(0), node.integers(1), interpolation)

    return lower


def _divide_no_nan(node: FrozenNode, builder: ImportBuilder) -> Outputs:
    """0 where the divisor is 0."""
    x, y = node.inputs
    quotient = call(node, builder, "Divide", x, y)
    if not isinstance(y, TensorName):
        return quotient
    is_zero = call(node, builder, "Equal", y, 0.0)
    return call(node, builder, "Where", TensorName(str(is_zero)), 0.0, TensorName(str(quotient)))


def _sum_of_all(node: FrozenNode, builder: ImportBuilder) -> str:
    total = node.inputs[0]
    for value in node.inputs[1:]:
        total = call_function("Add", Arguments(node.name, [total, value], {}), builder)
    return str(total)


def _one_hot(node: FrozenNode, builder: ImportBuilder) -> Outputs:
    if node.constant(2).item() != 1 or node.constant(3).item() != 0:
        raise LayerRefused("a one-hot code must be of 0 and 1")
    axis = node.attributes.get("axis")
    return call(node, builder, "OneHot", node.tensor(0), node.integers(1)[0], -1 if axis is None else axis)


_UNARY = (
    "Abs", "Ceil", "Cos", "Cosh", "Elu", "Exp", "Expm1", "Floor", "Log", "Log1p", "LogicalNot", "LogSoftmax",
    "OnesLike", "Reciprocal", "Relu", "Relu6", "Round", "Rsqrt", "Selu", "Sigmoid", "Sign", "Sin", "Sinh",
    "Softmax", "Softplus", "Softsign", "Sqrt", "Square", "Tan", "Tanh", "ZerosLike",
)  # fmt: skip
_BINARY = (
    "Add", "Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "Maximum",
    "Minimum", "NotEqual",
)  # fmt: skip

FROZEN_FUNCTIONS: Mapping[str, Lowering] = {
    **{op: _of_inputs(op) for op in (*_UNARY, *_BINARY)},
    **{op: _reduction(op) for op in ("Mean", "Sum", "Max", "Min", "Prod", "Any", "All")},
    "AddN": _sum_of_all,
    "AddV2": _of_inputs("Add"),
    "ArgMax": _extreme_index("Argmax"),
    "ArgMin": _extreme_index("Argmin"),
    "BiasAdd": _of_inputs("Add"),
    "BroadcastTo": _with_integers("BroadcastTo"),
    "Cast": _cast,
    "ClipByValue": _of_inputs("Clip"),
    "ConcatV2": _concat,
    "Cumsum": _cumsum,
    "DepthToSpace": _blocks("DepthToSpace"),
    "DivNoNan": _divide_no_nan,
    "Einsum": _of_inputs("Einsum", equation="equation"),
    "FloorDiv": _of_inputs("FloorDivide"),
    "FloorMod": _of_inputs("Mod"),
    "GatherV2": _gather,
    "Identity": _of_inputs("StopGradient", 1),
    "LeakyRelu": _of_inputs("LeakyRelu", alpha="alpha"),
    "MirrorPad": _pad,
    "Mul": _of_inputs("Multiply"),
    "Neg": _of_inputs("Negative"),
    "OneHot": _one_hot,
    "Pack": _of_list("Stack"),
    "Pad": _pad,
    "PadV2": _pad,
    "Pow": _of_inputs("Power"),
    "RealDiv": _of_inputs("Divide"),
    "ResizeBilinear": _resize("bilinear"),
    "ResizeNearestNeighbor": _resize("nearest"),
    "ReverseV2": _with_integers("Flip"),
    "Roll": _of_inputs("Roll"),
    "Select": _of_inputs("Where"),
    "SelectV2": _of_inputs("Where"),
    "Slice": _with_integers("Slice"),
    "SpaceToDepth": _blocks("SpaceToDepth"),
    "Split": _split,
    "SplitV": _split_sizes,
    "SquaredDifference": _of_inputs("math.squared_difference"),
    "StopGradient": _of_inputs("StopGradient", 1),
    "Sub": _of_inputs("Subtract"),
    "Tile": _with_integers("Tile"),
    "Unpack": _unpack,
}
