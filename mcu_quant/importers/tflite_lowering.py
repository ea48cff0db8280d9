"""TFLite operators that are read as one or several of ours, such as SPLIT, which is a slice for each output.

A new one is a function and a line in LOWERINGS. The function gets the operator and adds its nodes to the
draft with `draft.part`, the last of them with the operator's own output. It is called node.name and, with
several outputs, like them. It raises UnsupportedModelError or InvalidModelError, naming node.name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.importers.tflite_draft import Draft
from mcu_quant.ir import Tensor
from mcu_quant.ops import moves
from mcu_quant.ops.base import ACTIVATIONS, TfliteNode
from mcu_quant.ops.batch_matmul import BatchMatmulAttrs
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.concatenation import ConcatenationAttrs, in_steps
from mcu_quant.ops.relu import ReluAttrs
from mcu_quant.ops.relu6 import Relu6Attrs
from mcu_quant.ops.reshape import ReshapeAttrs


@dataclass(frozen=True)
class Lowering:
    """into: the names of the operators that it becomes. add_nodes(node, draft)."""

    into: tuple[str, ...]
    add_nodes: Callable[[TfliteNode, Draft], None]


def _operand(node: TfliteNode, index: int) -> Tensor:
    """An input that must be there."""
    tensor = node.inputs[index] if index < len(node.inputs) else None
    if tensor is None:
        raise InvalidModelError("an input is missing", layer=node.name, value=f"input {index}")
    return tensor


def _integers(node: TfliteNode, index: int, what: str) -> list[int]:
    """A constant input as a list."""
    tensor = _operand(node, index)
    if tensor.data is None or tensor.data.dtype.kind not in "iu":
        rule = f"the {what} must be constant integers"
        raise UnsupportedModelError([Problem(rule, node.name, hint="fixed sizes in the model")])
    return [int(value) for value in tensor.data.reshape(-1)]


def _axis(node: TfliteNode, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise InvalidModelError(f"the axis must be within {rank} axes", layer=node.name, value=axis)
    return axis % rank


def _output_name(node: TfliteNode, index: int) -> str:
    """What the node that writes that output is called."""
    return node.name if index == 0 else node.outputs[index].name


def _chain(name: str, draft: Draft, x: Tensor, steps: moves.Steps, output: Tensor) -> None:
    """The steps from x to an output; the last node has that name."""
    for op, attrs in steps[:-1]:
        x = draft.part(f"{name}/{op}", op, attrs, [x])
    op, attrs = steps[-1]
    draft.part(name, op, attrs, [x], output)


def _move(node: TfliteNode, draft: Draft, x: Tensor, steps: moves.Steps) -> None:
    """The steps from x to the one output."""
    (output,) = node.outputs
    _chain(node.name, draft, x, steps, output)


def _split(node: TfliteNode, draft: Draft) -> None:
    """Inputs: axis, x. As many equal parts as there are outputs."""
    (axis,), x = _integers(node, 0, "axis"), _operand(node, 1)
    axis = _axis(node, axis, len(x.shape))
    size, rest = divmod(x.shape[axis], len(node.outputs))
    if rest:
        raise InvalidModelError(
            "the parts of a split must be equal",
            layer=node.name,
            value=f"{len(node.outputs)} of {x.shape[axis]}",
        )
    _add_parts(node, draft, x, axis, [size] * len(node.outputs))


def _split_v(node: TfliteNode, draft: Draft) -> None:
    """Inputs: x, sizes of the parts (one may be -1: the rest), axis."""
    x, sizes, (axis,) = _operand(node, 0), _integers(node, 1, "sizes"), _integers(node, 2, "axis")
    axis = _axis(node, axis, len(x.shape))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(sizes) - 1
    if len(sizes) != len(node.outputs) or sum(sizes) != x.shape[axis] or min(sizes) < 1:
        raise InvalidModelError(
            "the parts of a split must be as many as its outputs, and the whole together",
            layer=node.name,
            value=f"{sizes} of {x.shape[axis]}",
        )
    _add_parts(node, draft, x, axis, sizes)


def _add_parts(node: TfliteNode, draft: Draft, x: Tensor, axis: int, sizes: list[int]) -> None:
    """A slice of that size for every output, one behind the other."""
    first = 0
    for index, (output, size) in enumerate(zip(node.outputs, sizes, strict=True)):
        _chain(_output_name(node, index), draft, x, moves.part(x.shape, axis, first, size), output)
        first += size


def _unpack(node: TfliteNode, draft: Draft) -> None:
    """Input: x. Each output is one index of the axis, which it does not have."""
    x = _operand(node, 0)
    axis = _axis(node, int(node.option("Axis")), len(x.shape))
    if len(node.outputs) != x.shape[axis]:
        raise InvalidModelError(
            "there must be an output for each index",
            layer=node.name,
            value=f"{len(node.outputs)} of {x.shape[axis]}",
        )
    for index, output in enumerate(node.outputs):
        _chain(_output_name(node, index), draft, x, moves.index(x.shape, axis, index), output)


def _pack(node: TfliteNode, draft: Draft) -> None:
    """Inputs of one shape; the output has one more axis, along which they lie."""
    parts = [_operand(node, index) for index in range(len(node.inputs))]
    axis = _axis(node, int(node.option("Axis")), len(parts[0].shape) + 1)
    (output,) = node.outputs

    def with_axis(x: Tensor, name: str = f"{node.name}/part", last: Tensor | None = None) -> Tensor:
        shape = (*x.shape[:axis], 1, *x.shape[axis:])
        return draft.part(name, "reshape", ReshapeAttrs(shape), [x], last)

    def concatenate(name: str, some: list[Tensor]) -> Tensor:
        last = output if name == node.name else None
        return draft.part(name, "concatenation", ConcatenationAttrs(axis), some, last)

    if len(parts) == 1:
        with_axis(parts[0], node.name, output)
    else:
        in_steps([with_axis(x) for x in parts], node.name, concatenate)


def _reverse(node: TfliteNode, draft: Draft) -> None:
    """Inputs: x, axes."""
    x, axes = _operand(node, 0), _integers(node, 1, "axes")
    known = {_axis(node, axis, len(x.shape)) for axis in axes}
    if len(known) != len(axes):
        raise InvalidModelError("an axis must be reversed once", layer=node.name, value=axes)
    _move(node, draft, x, moves.flip(x.shape, sorted(known)))


def _tile(node: TfliteNode, draft: Draft) -> None:
    """Inputs: x, how many times it is repeated along each axis."""
    x, counts = _operand(node, 0), _integers(node, 1, "multiples")
    _move(node, draft, x, moves.tile(x.shape, counts))


def _space_to_depth(node: TfliteNode, draft: Draft) -> None:
    x = _operand(node, 0)
    _move(node, draft, x, moves.space_to_depth(x.shape, int(node.option("BlockSize"))))


def _depth_to_space(node: TfliteNode, draft: Draft) -> None:
    x = _operand(node, 0)
    _move(node, draft, x, moves.depth_to_space(x.shape, int(node.option("BlockSize"))))


def _space_to_batch(node: TfliteNode, draft: Draft) -> None:
    """Inputs: x, the block's sides, paddings [sides, 2]."""
    x, block = _operand(node, 0), _integers(node, 1, "block shape")
    _move(node, draft, x, moves.space_to_batch(x.shape, block, _borders(node, 2, "paddings")))


def _batch_to_space(node: TfliteNode, draft: Draft) -> None:
    """Inputs: x, the block's sides, crops [sides, 2]."""
    x, block = _operand(node, 0), _integers(node, 1, "block shape")
    _move(node, draft, x, moves.batch_to_space(x.shape, block, _borders(node, 2, "crops")))


def _borders(node: TfliteNode, index: int, what: str) -> list[tuple[int, int]]:
    """(before, after) for each row of a constant input."""
    values = _integers(node, index, what)
    if len(values) % 2 or min((*values, 0)) < 0:
        rule = f"the {what} must be pairs, and not negative"
        raise InvalidModelError(rule, layer=node.name, value=values)
    return list(zip(values[::2], values[1::2], strict=True))


def _select(node: TfliteNode, draft: Draft) -> None:
    """Inputs: condition (of the operands' shape, a scalar, or one element for each row), x, y."""
    condition, x, y = (_operand(node, index) for index in range(3))
    rows = (*x.shape[:1], *(1,) * (len(x.shape) - 1))
    if x.shape != y.shape or condition.shape not in (x.shape, (), x.shape[:1]):
        raise InvalidModelError(
            "operands of SELECT must have one shape, the condition that or one element for each row",
            layer=node.name,
            value=f"{condition.shape}, {x.shape}, {y.shape}",
        )
    if condition.shape == x.shape[:1] != x.shape:
        condition = draft.part(f"{node.name}/rows", "reshape", ReshapeAttrs(rows), [condition])
    (output,) = node.outputs
    draft.part(node.name, "select_v2", None, [condition, x, y], output)


def _add_n(node: TfliteNode, draft: Draft) -> None:
    """A sum of inputs of one shape: a chain from the left. Of two int8 inputs it is an ADD, bit for bit."""
    terms = [_operand(node, index) for index in range(len(node.inputs))]
    (output,) = node.outputs
    quantized = [x for x in terms if x.dtype in ("int8", "int16")]
    zero_points = {point for x in quantized if x.quant is not None for point in x.quant.zero_point}
    if quantized and (len(terms) > 2 or zero_points != {0} or len({x.quant for x in quantized}) > 1):
        rule = "ADD_N of integers must have two inputs, of one scale and zero_point 0: TFLM errs otherwise"
        value = f"{len(terms)} inputs, {[x.quant for x in quantized]}"
        raise UnsupportedModelError([Problem(rule, node.name, value, "ADD in its place")])
    if len(terms) < 2 or any(x.shape != output.shape for x in terms):
        raise InvalidModelError("ADD_N must have two inputs or more, of its output's shape", layer=node.name)
    total = terms[0]
    for index, term in enumerate(terms[1:], start=1):
        last = output if index == len(terms) - 1 else None
        name = node.name if last is not None else f"{node.name}/{index}"
        total = draft.part(name, "add", ArithmeticAttrs(), [total, term], last)


def _product(node: TfliteNode, draft: Draft) -> None:
    """Inputs: x, weights [units, depth] that are computed, too. A fused activation follows on its own."""
    x, weights, (output,) = _operand(node, 0), _operand(node, 1), node.outputs
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        rule = "a fully connected layer with computed weights must have no bias"
        raise UnsupportedModelError([Problem(rule, node.name, hint="add it after the product")])
    if len(weights.shape) != 2:
        raise InvalidModelError("weights must have two axes", layer=node.name, value=weights.shape)
    depth, fused = weights.shape[1], node.choice("FusedActivationFunction", ACTIVATIONS)
    if fused not in _FUSED:
        rule = "a product of two activations must have a fused activation of " + ", ".join(_FUSED)
        raise UnsupportedModelError([Problem(rule, node.name, fused, "an operator of its own")])
    activation = _FUSED[fused]
    if not node.option("KeepNumDims", False) and len(x.shape) != 2:
        rows = ReshapeAttrs((x.elements // depth, depth))
        x = draft.part(f"{node.name}/rows", "reshape", rows, [x])
    name, last = (node.name, output) if activation is None else (f"{node.name}/product", None)
    attrs, like = BatchMatmulAttrs(adj_y=True), {"dtype": output.dtype, "quant": output.quant}
    y = draft.part(name, "batch_matmul", attrs, [x, weights], last, **({} if last is not None else like))
    if activation is not None:
        draft.part(node.name, activation[0], activation[1], [y], output)


#: The operator that does what a fused activation does, and its attributes.
_FUSED: Mapping[str, tuple[str, object] | None] = {
    "none": None,
    "relu": ("relu", ReluAttrs()),
    "relu6": ("relu6", Relu6Attrs()),
}
_COMPUTED_WEIGHTS = Lowering(("reshape", "batch_matmul", "relu", "relu6"), _product)


def lowering_of(node: TfliteNode) -> Lowering | None:
    """None for an operator that is read as it is."""
    weights = node.inputs[1] if len(node.inputs) > 1 else None
    if node.builtin == "FULLY_CONNECTED" and weights is not None and not weights.is_constant:
        return _COMPUTED_WEIGHTS
    return LOWERINGS.get(node.builtin)


#: By the TFLite builtin.
LOWERINGS: Mapping[str, Lowering] = {
    "ADD_N": Lowering(("add",), _add_n),
    "BATCH_TO_SPACE_ND": Lowering(("reshape", "transpose", "strided_slice"), _batch_to_space),
    "DEPTH_TO_SPACE": Lowering(("reshape", "transpose"), _depth_to_space),
    "PACK": Lowering(("reshape", "concatenation"), _pack),
    "REVERSE_V2": Lowering(("strided_slice", "reshape"), _reverse),
    "SELECT": Lowering(("reshape", "select_v2"), _select),
    "SPACE_TO_BATCH_ND": Lowering(("pad", "reshape", "transpose"), _space_to_batch),
    "SPACE_TO_DEPTH": Lowering(("reshape", "transpose"), _space_to_depth),
    "SPLIT": Lowering(("strided_slice", "reshape"), _split),
    "SPLIT_V": Lowering(("strided_slice", "reshape"), _split_v),
    "TILE": Lowering(("reshape", "broadcast_to"), _tile),
    "UNPACK": Lowering(("strided_slice", "reshape"), _unpack),
}
