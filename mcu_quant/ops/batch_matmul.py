"""batch_matmul: products of matrices, over the last two axes of both operands; those before are batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import quantize_multiplier, requantize, requantize_int64
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import (
    Constraint,
    Operator,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
    align_ranks,
    product_ratio,
    to_output,
)
from mcu_quant.ops.broadcast import broadcast_shape, merged_axes
from mcu_quant.ops.forms import FORMS, form_of
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.keras_spatial import reshape
from mcu_quant.ops.transpose import TransposeAttrs
from mcu_quant.ops.windows import sample_chunks

#: Axes of batches that the C kernels walk, once those that broadcast alike are merged.
MAX_BATCH_AXES = 4
#: Products of one sum, so that no sum of int8 passes 2**31 and none of int16 passes 2**47.
_MOST_PRODUCTS = {"int8": 2**31 // 255**2, "int16": 2**47 // 2**30 - 1}


@dataclass(frozen=True)
class BatchMatmulAttrs:
    """adj_x, adj_y: whether the last two axes of the first, and second, operand change places."""

    adj_x: bool = False
    adj_y: bool = False


class BatchMatmul(Operator):
    """Inputs: a [..., M, K], b [..., K, N], or with those two axes swapped; batches broadcast as NumPy's do.

    Either may be constant, but not both.
    """

    name = "batch_matmul"
    attrs_type = BatchMatmulAttrs
    tflite_builtins = ("BATCH_MATMUL",)
    keras_layers = ("Dot",)
    quant_rule = QuantRule()
    constraints = (
        Constraint(
            f"operands must have 2 to 5 axes, and batches at most {MAX_BATCH_AXES} ways of broadcasting",
            lambda node: _can_be_walked(node),
            lambda node: f"{node.input(0).shape} and {node.input(1).shape}",
            "reshape the operands",
            forms=FORMS,
        ),
        Constraint(
            f"a sum must be of at most {_MOST_PRODUCTS['int8']} products",
            lambda node: sizes(node)[1] <= _MOST_PRODUCTS["int8"],
            lambda node: sizes(node)[1],
            "smaller matrices",
            ("int8",),
        ),
        Constraint(
            f"a sum must be of at most {_MOST_PRODUCTS['int16']} products",
            lambda node: sizes(node)[1] <= _MOST_PRODUCTS["int16"],
            lambda node: sizes(node)[1],
            "smaller matrices",
            ("int16",),
        ),
        Constraint(
            "scale(first) * scale(second) / scale(output) must be below 2**30",
            lambda node: product_ratio(node) < 2.0**30,
            product_ratio,
            "calibrate with representative data",
            ("int8",),
        ),
        Constraint(
            "scale(first) * scale(second) / scale(output) must be below 2**7",
            lambda node: product_ratio(node) < 2.0**7,
            product_ratio,
            "calibrate with representative data",
            ("int16",),
        ),
    )

    def output_shapes(self, attrs: BatchMatmulAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        a, b = input_shapes
        if min(len(a), len(b)) < 2:
            raise ValueError(f"operands must have at least 2 axes, not {a} and {b}")
        rows, depth = _turned(a, attrs.adj_x)
        other_depth, columns = _turned(b, attrs.adj_y)
        if depth != other_depth:
            raise ValueError(
                f"the products of {a} and {b} must be of equal lengths, not {depth} and {other_depth}"
            )
        return ((*broadcast_shape(a[:-2], b[:-2]), rows, columns),)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        """Dot: sums over one axis of each of two inputs. The batch, which is 1, stays in front."""
        if len(inputs) != 2:
            raise LayerRefused("Dot must have two inputs", value=len(inputs))
        normalize = bool(layer.config.get("normalize"))
        shapes = [builder.shape(x) for x in inputs]
        axes = layer.config["axes"]
        pair = [axes, axes] if isinstance(axes, int) else list(axes)
        matrices, rests = [], []
        for index, (x, shape, axis) in enumerate(zip(inputs, shapes, pair, strict=True)):
            matrix, rest = _as_matrix(f"{layer.name}/{'ab'[index]}", x, axis % len(shape), normalize, builder)
            matrices.append(matrix)
            rests.append(rest)
        (a, is_last_of_a), (b, is_last_of_b) = matrices
        y = add_product(builder, layer.name, a, b, adj_x=not is_last_of_a, adj_y=is_last_of_b)
        shape = (1, *rests[0], *rests[1])
        shape = shape if len(shape) > 1 else (1, 1)
        return y if builder.shape(y) == shape else reshape(builder, f"{layer.name}/shape", y, shape)

    def from_tflite(self, node: TfliteNode) -> tuple[BatchMatmulAttrs, tuple[Tensor | None, ...]]:
        return BatchMatmulAttrs(
            bool(node.option("AdjX", False)), bool(node.option("AdjY", False))
        ), node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        options = {"AdjX": node.attrs.adj_x, "AdjY": node.attrs.adj_y}
        version = {"int8": 2, "int16": 3}.get(form_of(node), 1)
        return TfliteForm("BATCH_MATMUL", version, "BatchMatMulOptions", options)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        a, b = _operands(node, inputs)
        y = np.matmul(a, b)
        return (y.reshape(-1, *node.output.shape),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        """ARITHMETIC section 5. The sums are exact in float64: they are below 2**47."""
        operands = _operands(node, inputs)
        tensors = (node.input(0), node.input(1))
        samples = max(len(x) for x, t in zip(operands, tensors, strict=True) if not t.is_constant)
        y = np.empty((samples, *node.output.shape), node.output.dtype)
        for part in sample_chunks(samples, self._temporary_elements(node)):
            a, b = (
                (x if t.is_constant else x[part]).astype(np.float64) - t.zero_point
                for x, t in zip(operands, tensors, strict=True)
            )
            y[part] = _requantized(node, np.matmul(a, b).astype(np.int64).reshape(-1, *node.output.shape))
        return (y,)

    def _temporary_elements(self, node: BoundNode) -> int:
        return node.input(0).elements + node.input(1).elements + 2 * node.output.elements

    def least_output_scale(self, attrs: BatchMatmulAttrs, input_scales: Sequence[float], dtype: str) -> float:
        """Sums are shifted left by less than 2**13 (int8) or 2**7 (int16)."""
        return math.prod(input_scales) * 2.0 ** (-12 if dtype == "int8" else -6)

    def macs(self, node: BoundNode) -> int:
        return node.output.elements * sizes(node)[1]


def sizes(node: BoundNode) -> tuple[int, int, int]:
    """(rows, products of a sum, columns) of each product of matrices."""
    rows, depth = _turned(node.input(0).shape, node.attrs.adj_x)
    return rows, depth, node.output.shape[-1]


def add_product(
    builder: GraphBuilder, name: str, a: str, b: str, *, adj_x: bool = False, adj_y: bool = False
) -> str:
    """Add a . b over the last two axes, as numpy.matmul has it for two axes or more; returns the output.

    A constant b of two axes makes it a fully_connected, whose weights have a scale for each column.
    """
    weights = builder.tensors[b].data
    if weights is None or weights.ndim != 2 or adj_x or builder.tensors[a].is_constant:
        return builder.add(BatchMatmul.name, name, BatchMatmulAttrs(adj_x, adj_y), [a, b])
    attrs = FullyConnectedAttrs(keep_num_dims=len(builder.shape(a)) > 2)
    kernel = builder.constant(f"{name}/kernel", weights if adj_y else weights.T)
    return builder.add("fully_connected", name, attrs, [a, kernel, None])


def _turned(shape: Shape, adjoint: bool) -> tuple[int, int]:
    """The last two sizes, swapped if asked for."""
    return (shape[-1], shape[-2]) if adjoint else (shape[-2], shape[-1])


def _can_be_walked(node: BoundNode) -> bool:
    a, b = node.input(0).shape, node.input(1).shape
    axes = merged_axes(node.output.shape[:-2], (a[:-2], b[:-2]))
    return max(len(a), len(b)) <= 5 and len(axes) <= MAX_BATCH_AXES


def _operands(node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, np.ndarray]:
    """a [N, ..., M, K] and b [N, ..., K, N] of one rank; constants without N."""
    a, b = inputs
    assert a is not None and b is not None
    a, b = align_ranks(a, b, node)
    return (
        np.swapaxes(a, -1, -2) if node.attrs.adj_x else a,
        np.swapaxes(b, -1, -2) if node.attrs.adj_y else b,
    )


def _requantized(node: BoundNode, acc: np.ndarray) -> np.ndarray:
    multiplier, shift = quantize_multiplier(product_ratio(node))
    if form_of(node) == "int16":
        y = requantize_int64(acc, multiplier, shift)
    else:
        y = requantize(acc, multiplier, shift)
    return to_output(y + node.output.zero_point, node.output)


def _as_matrix(
    name: str, x: str, axis: int, normalize: bool, builder: GraphBuilder
) -> tuple[tuple[str, bool], Shape]:
    """((x as [1, rest, K] or [1, K, rest], whether it is the first of these), the rest's axes).

    normalize: each sum's values of x over their Euclidean length.
    """
    shape = builder.shape(x)
    if axis == 0:
        raise LayerRefused("Dot must not be over the batch", value="axis 0")
    others = (*range(axis), *range(axis + 1, len(shape)))
    rest = tuple(shape[other] for other in others[1:])
    is_last = axis == len(shape) - 1
    if not is_last and (axis != 1 or normalize):
        x, is_last = builder.add("transpose", f"{name}/turned", TransposeAttrs((*others, axis)), [x]), True
    if normalize:
        x = builder.add("l2_normalization", f"{name}/normalized", None, [x])
    size = shape[axis]
    matrix = (1, math.prod(rest), size) if is_last else (1, size, math.prod(rest))
    return (x if matrix == builder.shape(x) else reshape(builder, name, x, matrix), is_last), rest


OPERATOR = BatchMatmul()
