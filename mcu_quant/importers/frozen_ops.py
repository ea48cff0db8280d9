"""TensorFlow operations on a model's tensors, each rewritten as the Keras layer that does the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcu_quant.importers.frozen_constants import FrozenNode, strided_slices
from mcu_quant.importers.frozen_functions import FROZEN_FUNCTIONS, Lowering
from mcu_quant.importers.keras_functions import Arguments, TensorName, call_function
from mcu_quant.importers.keras_functions.nodes import reshape
from mcu_quant.importers.keras_layers import ImportBuilder, affine
from mcu_quant.ops.base import PADDINGS, same_padding
from mcu_quant.ops.batch_matmul import add_product
from mcu_quant.ops.keras import LayerRefused
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.transpose import TransposeAttrs


@dataclass(frozen=True)
class Window:
    """One spatial axis between SpaceToBatchND and BatchToSpaceND, which is a dilated convolution."""

    axis: int
    block: int
    before: int
    after: int


@dataclass(frozen=True)
class SpaceBatches:
    """The output of SpaceToBatchND: x, with each window's axis to be dilated."""

    x: TensorName
    windows: tuple[Window, ...]


@dataclass(frozen=True)
class PendingConvolution:
    """A convolution of SpaceBatches, which BatchToSpaceND completes. squeeze: a Squeeze after it."""

    node: FrozenNode
    source: SpaceBatches
    squeeze: FrozenNode | None = None


Value = np.ndarray | TensorName | SpaceBatches | PendingConvolution

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")


def _spatial(node: FrozenNode, attribute: str) -> list[int]:
    """The two middle values of an attribute of four; the layout must be NHWC."""
    if node.attributes.get("data_format") not in (None, "NHWC"):
        raise LayerRefused(
            "the layout must be NHWC", value=node.attributes["data_format"], hint="channels_last"
        )
    values = node.attributes.get(attribute) or [1, 1, 1, 1]
    if values[0] != 1 or values[3] != 1:
        raise LayerRefused(f"{attribute} must be 1 over batch and channels", value=values)
    return [int(v) for v in values[1:3]]


def _padded(node: FrozenNode, x: str, builder: ImportBuilder) -> tuple[str, str]:
    """(x, Keras padding), with explicit padding done before."""
    padding = node.attributes["padding"]
    if padding in ("SAME", "VALID"):
        return x, padding.lower()
    pads = node.attributes["explicit_paddings"]
    return _zero_padding(
        f"{node.name}/pad", x, list(zip(pads[0::2], pads[1::2], strict=True)), builder
    ), "valid"


def _zero_padding(name: str, x: str, pads: Sequence[Sequence[int]], builder: ImportBuilder) -> str:
    """pads: (before, after) for each axis."""
    middle = [tuple(int(v) for v in pair) for pair in pads[1:-1]]
    if any(pads[0]) or any(pads[-1]) or len(middle) not in (1, 2):
        raise LayerRefused(
            "padding must be of the spatial axes", value=[list(map(int, pair)) for pair in pads]
        )
    padding: Any = middle if len(middle) == 2 else middle[0]
    config = {"padding": padding, "data_format": "channels_last"}
    return builder.layer(f"ZeroPadding{len(middle)}D", name, [x], config)


def _convolution(node: FrozenNode, builder: ImportBuilder) -> TensorName | PendingConvolution:
    source = node.inputs[0]
    if isinstance(source, SpaceBatches):
        return PendingConvolution(node, source)
    x, padding = _padded(node, node.tensor(0), builder)
    return _add_convolution(node, x, padding, _spatial(node, "dilations"), builder)


def _add_convolution(
    node: FrozenNode, x: str, padding: str, dilation: list[int], builder: ImportBuilder
) -> TensorName:
    kernel = node.constant(1)
    shared = {
        "kernel_size": list(kernel.shape[:2]),
        "strides": _spatial(node, "strides"),
        "dilation_rate": dilation,
        "padding": padding,
        "data_format": "channels_last",
        "use_bias": False,
        "activation": None,
    }
    channels = builder.shape(x)[-1]
    if node.op == "Conv2D":
        config = {**shared, "filters": kernel.shape[3], "groups": channels // kernel.shape[2]}
        return TensorName(builder.layer("Conv2D", node.name, [x], config, [_finite(kernel)]))
    config = {**shared, "depth_multiplier": kernel.shape[3]}
    return TensorName(builder.layer("DepthwiseConv2D", node.name, [x], config, [_finite(kernel)]))


def _transposed(node: FrozenNode, builder: ImportBuilder) -> str:
    """Its first input is the output's shape; Keras has that as a padding beyond the least size."""
    x, kernel, strides = node.tensor(2), node.constant(1), _spatial(node, "strides")
    padding = str(node.attributes["padding"]).lower()
    if padding not in PADDINGS or _spatial(node, "dilations") != [1, 1]:
        raise LayerRefused("a transposed convolution must have padding SAME or VALID and no dilation")
    seen, made = builder.shape(x)[1:3], node.integers(0)[1:3]
    config = {
        "filters": kernel.shape[2],
        "kernel_size": list(kernel.shape[:2]),
        "strides": strides,
        "padding": padding,
        "output_padding": [
            made[i]
            - (seen[i] - 1) * strides[i]
            - (kernel.shape[i] % 2 if padding == "same" else kernel.shape[i])
            for i in range(2)
        ],
        "data_format": "channels_last",
        "use_bias": False,
        "activation": None,
    }
    return builder.layer("Conv2DTranspose", node.name, [x], config, [_finite(kernel)])


def _finite(array: np.ndarray) -> np.ndarray:
    if not np.isfinite(array).all():
        raise LayerRefused("weights must be finite", value="NaN or infinity", hint="train the model again")
    return array.astype(np.float32)


def _space_to_batch(node: FrozenNode, builder: ImportBuilder) -> SpaceBatches:
    pads = node.constant(2).reshape(-1, 2).tolist()
    windows = (
        Window(axis + 1, block, *pair)
        for axis, (block, pair) in enumerate(zip(node.integers(1), pads, strict=True))
    )
    return SpaceBatches(node.tensor(0), tuple(windows))


def _batch_to_space(node: FrozenNode, builder: ImportBuilder) -> TensorName | PendingConvolution:
    pending = node.inputs[0]
    if not isinstance(pending, PendingConvolution):
        raise LayerRefused("BatchToSpaceND must complete a dilated convolution")
    crops = node.constant(2).reshape(-1, 2).tolist()
    pads, dilation = [[0, 0] for _ in range(4)], [1, 1]
    for window, (first, last) in zip(pending.source.windows, crops, strict=True):
        pads[window.axis] = [window.before - first, window.after - last]
        dilation[window.axis - 1] = window.block
    convolution, x = pending.node, str(pending.source.x)
    if min(map(min, pads)) < 0 or _spatial(convolution, "strides") != [1, 1]:
        raise LayerRefused("BatchToSpaceND must complete a dilated convolution of stride 1")
    shape, kernel = builder.shape(x), convolution.constant(1).shape
    same = [list(same_padding(shape[i + 1], kernel[i], 1, dilation[i])) for i in range(2)]
    padding = "same" if pads[1:3] == same else "valid"
    if padding == "valid" and any(map(any, pads)):
        x = _zero_padding(f"{convolution.name}/pad", x, pads, builder)
    y = _add_convolution(convolution, x, padding, dilation, builder)
    return y if pending.squeeze is None else _squeeze(replace(pending.squeeze, inputs=[y]), builder)


def _expand_dims(node: FrozenNode, builder: ImportBuilder) -> TensorName | SpaceBatches:
    source, axis = node.inputs[0], node.integers(1)[0]
    x = source.x if isinstance(source, SpaceBatches) else node.tensor(0)
    axis += (len(builder.shape(x)) + 1) if axis < 0 else 0
    y = TensorName(call_function("ExpandDims", Arguments(node.name, [x, axis], {}), builder))
    if not isinstance(source, SpaceBatches):
        return y
    windows = (replace(window, axis=window.axis + (axis <= window.axis)) for window in source.windows)
    return SpaceBatches(y, tuple(windows))


def _squeeze(node: FrozenNode, builder: ImportBuilder) -> TensorName | PendingConvolution:
    source = node.inputs[0]
    if isinstance(source, PendingConvolution):
        return replace(source, squeeze=node)
    arguments = Arguments(node.name, [node.tensor(0), node.attributes.get("squeeze_dims") or None], {})
    return TensorName(call_function("Squeeze", arguments, builder))


def _matmul(node: FrozenNode, builder: ImportBuilder) -> str:
    """Over the last two axes; a constant kernel of two axes makes it a Dense."""
    turned = [
        bool(node.attributes.get(f"transpose_{x}") or node.attributes.get(f"adj_{y}"))
        for x, y in ("ax", "by")
    ]
    if not isinstance(node.inputs[1], np.ndarray) or node.inputs[1].ndim != 2 or turned[0]:
        a, b = (
            builder.constant(f"{node.name}/{'ab'[i]}", _finite(x))
            if isinstance(x, np.ndarray)
            else node.tensor(i)
            for i, x in enumerate(node.inputs[:2])
        )
        return add_product(builder, node.name, a, b, adj_x=turned[0], adj_y=turned[1])
    kernel = node.constant(1)
    kernel = kernel.T if turned[1] else kernel
    config = {"units": kernel.shape[1], "use_bias": False, "activation": None}
    return builder.layer("Dense", node.name, [node.tensor(0)], config, [_finite(kernel)])


def _batch_norm(node: FrozenNode, builder: ImportBuilder) -> str:
    gamma, beta, mean, variance = (_finite(node.constant(index)).astype(np.float64) for index in range(1, 5))
    if node.attributes.get("is_training"):
        raise LayerRefused("the model must be saved for inference", value="is_training", hint="model.export")
    scale = gamma / np.sqrt(variance + node.attributes.get("epsilon", 1e-3))
    return affine(builder, node.name, node.tensor(0), scale, beta - mean * scale)


def _pool(layer: str) -> Lowering:
    def lower(node: FrozenNode, builder: ImportBuilder) -> str:
        x, padding = _padded(node, node.tensor(0), builder)
        config = {
            "pool_size": _spatial(node, "ksize"),
            "strides": _spatial(node, "strides"),
            "padding": padding,
            "data_format": "channels_last",
        }
        return builder.layer(layer, node.name, [x], config)

    return lower


def _leading(shape: Sequence[int], rows: int, columns: int) -> int | None:
    """How many leading axes have so many rows, so that the others are the columns; None if none do."""
    for count in range(1, len(shape)):
        if math.prod(shape[:count]) == rows and math.prod(shape[count:]) == columns:
            return count
    return None


def _reshape(node: FrozenNode, builder: ImportBuilder) -> str:
    x, shape = node.tensor(0), node.integers(1)
    seen = builder.shape(x)
    if shape.count(-1) == 1:
        shape[shape.index(-1)] = math.prod(seen) // max(1, -math.prod(shape))
    if list(seen) == shape:
        return x
    if len(shape) == 2 and shape[0] > 1 and (kept := _leading(seen, *shape)) is not None:
        shape = [*seen[:kept], shape[1]]  # rows of a product (tensordot), which Dense does on any rank
        return reshape(builder, node.name, x, shape)
    if len(shape) > 2 and shape[0] != seen[0] and math.prod(shape) == math.prod(seen):
        return builder.add("reshape", node.name, ReshapeAttrs(tuple(shape)), [x])  # heads times samples
    return call_function("Reshape", Arguments(node.name, [x, shape], {}), builder)


def _transpose(node: FrozenNode, builder: ImportBuilder) -> str:
    """The batch, which is 1, may move where matrices are multiplied."""
    x, order = node.tensor(0), node.integers(1)
    if order[0] == 0:
        return call_function("Transpose", Arguments(node.name, [x, order], {}), builder)
    return builder.add("transpose", node.name, TransposeAttrs(tuple(order)), [x])


def _strided_slice(node: FrozenNode, builder: ImportBuilder) -> str:
    x = node.tensor(0)
    index = list(strided_slices(node, len(builder.shape(x))))
    return call_function("GetItem", Arguments(node.name, [x, index], {}), builder)


OPS: Mapping[str, Lowering] = {
    **FROZEN_FUNCTIONS,
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    "Conv2DBackpropInput": _transposed,
    "SpaceToBatchND": _space_to_batch,
    "BatchToSpaceND": _batch_to_space,
    "ExpandDims": _expand_dims,
    "Squeeze": _squeeze,
    "MatMul": _matmul,
    "BatchMatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "FusedBatchNorm": _batch_norm,
    "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm,
    "MaxPool": _pool("MaxPooling2D"),
    "AvgPool": _pool("AveragePooling2D"),
    "Reshape": _reshape,
    "StridedSlice": _strided_slice,
    "Transpose": _transpose,
}
