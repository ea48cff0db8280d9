"""Matrix products: matmul, dot, tensordot and einsum, all as sums over named axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_letters

import numpy as np

from mcu_quant.importers.keras_functions.arguments import (
    Arguments,
    FunctionTable,
    Operand,
    TensorName,
    integers,
    is_integer,
)
from mcu_quant.importers.keras_functions.nodes import add, attrs, binary, reshape
from mcu_quant.importers.keras_functions.reductions import reduce
from mcu_quant.importers.keras_functions.shapes import transpose
from mcu_quant.importers.keras_layers import ImportBuilder
from mcu_quant.ops.keras import LayerRefused


@dataclass(frozen=True)
class Factor:
    """An operand with a letter for each of its axes."""

    value: Operand
    labels: str


@dataclass(frozen=True)
class Roles:
    """The letters of a product: of both operands and the output, of one and the output, summed over."""

    shared: str
    first: str
    second: str
    summed: str


def contract(
    builder: ImportBuilder, name: str, x: Factor, y: Factor, output: str, bias: np.ndarray | None = None
) -> TensorName:
    """The sum, over the letters that the output lacks, of products. Raises LayerRefused.

    A tensor's first axis is the batch, which must be the output's first. At most one operand is constant.
    bias: for each index of the axes that y alone has, where y is constant and has no axis of x in the output.
    """
    if isinstance(x.value, np.ndarray):
        x, y = y, x
    if not isinstance(x.value, TensorName):
        raise LayerRefused("an operand must be computed from an input", value=output)
    batch = x.labels[0]
    if not output.startswith(batch) or (isinstance(y.value, TensorName) and y.labels[0] != batch):
        raise LayerRefused("a product must keep the batch", value=f"{x.labels},{y.labels}->{output}")
    x, y = (_summed_alone(builder, name, *pair) for pair in ((x, y.labels + output), (y, x.labels + output)))
    roles = _roles(x, y, output)
    if not roles.summed:
        return _elementwise(builder, name, x, y, output)
    if isinstance(y.value, np.ndarray) and not roles.shared:
        return _dense(builder, name, x, y, roles, output, bias)
    return _batch_product(builder, name, x, y, roles, output)


def _roles(x: Factor, y: Factor, output: str) -> Roles:
    both = [label for label in x.labels if label in y.labels]
    return Roles(
        "".join(label for label in both if label in output),
        "".join(label for label in x.labels if label not in y.labels),
        "".join(label for label in y.labels if label not in x.labels),
        "".join(label for label in both if label not in output),
    )


def _summed_alone(builder: ImportBuilder, name: str, factor: Factor, others: str) -> Factor:
    """Without the axes that nothing else has."""
    if len(set(factor.labels)) < len(factor.labels):
        raise LayerRefused("an operand must have each letter once", value=factor.labels)
    axes = tuple(axis for axis, label in enumerate(factor.labels) if label not in others)
    labels = "".join(label for label in factor.labels if label in others)
    if isinstance(factor.value, TensorName):
        return Factor(reduce(builder, "sum", f"{name}/sum", factor.value, axes, False), labels)
    return Factor(np.asarray(factor.value.sum(axis=axes)), labels)


def _sizes(builder: ImportBuilder, *factors: Factor) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for factor in factors:
        value = factor.value
        shape = builder.shape(value) if isinstance(value, TensorName) else value.shape
        for label, size in zip(factor.labels, shape, strict=True):
            if sizes.setdefault(label, size) != size:
                raise LayerRefused("axes of one letter must have one size", value=f"{sizes[label]}, {size}")
    return sizes


def _arranged(builder: ImportBuilder, name: str, factor: Factor, labels: str) -> Operand:
    """The operand with its axes in that order."""
    order = [factor.labels.index(label) for label in labels]
    if isinstance(factor.value, TensorName):
        return transpose(builder, f"{name}/transpose", factor.value, order)
    return factor.value.transpose(order)


def _finished(
    builder: ImportBuilder, name: str, y: TensorName, labels: str, output: str, sizes: dict[str, int]
) -> TensorName:
    """A product of those axes, some of them as one, as the output."""
    y = reshape(builder, f"{name}/split", y, [sizes[label] for label in labels])
    return transpose(builder, f"{name}/order", y, [labels.index(label) for label in output])


def _elementwise(builder: ImportBuilder, name: str, x: Factor, y: Factor, output: str) -> TensorName:
    operands: list[Operand] = []
    sizes = _sizes(builder, x, y)
    for factor in (x, y):
        value = _arranged(builder, name, factor, "".join(label for label in output if label in factor.labels))
        shape = [sizes[label] if label in factor.labels else 1 for label in output]
        operands.append(
            reshape(builder, f"{name}/reshape", value, shape)
            if isinstance(value, TensorName)
            else value.reshape(shape)
        )
    return binary(builder, "mul", name, *operands)


def _dense(
    builder: ImportBuilder,
    name: str,
    x: Factor,
    y: Factor,
    roles: Roles,
    output: str,
    bias: np.ndarray | None,
) -> TensorName:
    """A constant matrix: each row of x times it."""
    sizes = _sizes(builder, x, y)
    rows = _arranged(builder, name, x, roles.first + roles.summed)
    kernel = _arranged(builder, name, y, roles.summed + roles.second)
    assert isinstance(rows, TensorName) and isinstance(kernel, np.ndarray)
    depth = math.prod(sizes[label] for label in roles.summed)
    rows = reshape(builder, f"{name}/rows", rows, [*(sizes[label] for label in roles.first), depth])
    product = dense(builder, name, rows, kernel.reshape(depth, -1), bias)
    return _finished(builder, name, product, roles.first + roles.second, output, sizes)


def dense(
    builder: ImportBuilder, name: str, x: str, kernel: np.ndarray, bias: np.ndarray | None = None
) -> TensorName:
    """The last axis times a matrix [inputs, units]."""
    if builder.shape(x)[-1] != len(kernel):
        raise LayerRefused(
            "the matrix must have a row for each value", value=f"{builder.shape(x)}, {kernel.shape}"
        )
    config = {"units": kernel.shape[1], "use_bias": bias is not None, "activation": None}
    weights = [np.ascontiguousarray(kernel, np.float32), *([] if bias is None else [bias])]
    return TensorName(builder.layer("Dense", name, [x], config, weights))


def _batch_product(
    builder: ImportBuilder, name: str, x: Factor, y: Factor, roles: Roles, output: str
) -> TensorName:
    """A matrix product for each index of the shared axes. Operands that lie so already are not moved; others
    are moved to rows of what is summed, as kernels read them.
    """
    batch = x.labels[0]
    if batch not in roles.shared:  # a constant that is the same for the batch, which has one sample
        assert isinstance(y.value, np.ndarray)
        y = Factor(y.value[None], batch + y.labels)
        roles = _roles(x, y, output)
    sizes = _sizes(builder, x, y)
    shared = [sizes[label] for label in roles.shared]
    rows, columns, depth = (
        math.prod(sizes[label] for label in labels) for labels in (roles.first, roles.second, roles.summed)
    )
    adjoint_x = x.labels == roles.shared + roles.summed + roles.first
    adjoint_y = y.labels != roles.shared + roles.summed + roles.second
    inputs = []
    for factor, free, size, adjoint, first in (
        (x, roles.first, rows, adjoint_x, True),
        (y, roles.second, columns, adjoint_y, False),
    ):
        leading = free if first != adjoint else roles.summed
        trailing = roles.summed if first != adjoint else free
        matrix = (size, depth) if first != adjoint else (depth, size)
        value = _arranged(builder, name, factor, roles.shared + leading + trailing)
        inputs.append(_matrices(builder, name, value, (*shared, *matrix)))
    product = add(builder, "batch_matmul", name, inputs, attrs(builder, "batch_matmul", adjoint_x, adjoint_y))
    return _finished(builder, name, product, roles.shared + roles.first + roles.second, output, sizes)


def _matrices(builder: ImportBuilder, name: str, value: Operand, shape: Sequence[int]) -> TensorName:
    if isinstance(value, TensorName):
        return reshape(builder, f"{name}/matrices", value, shape)
    return TensorName(builder.constant(f"{name}/constant", value.reshape(shape)))


def _rank(builder: ImportBuilder, value: Operand) -> int:
    return len(builder.shape(value)) if isinstance(value, TensorName) else value.ndim


def _matmul(arguments: Arguments, builder: ImportBuilder) -> str:
    """The last axis of x times the one before the last of y; their leading axes are matched from the end."""
    x, y = arguments.operand(0, "a", "x1", "x"), arguments.operand(1, "b", "x2", "y")
    swaps = [
        any(arguments.get(99, f"{kind}_{side}") for kind in ("transpose", "adjoint", "adj"))
        for side in ("a", "b")
    ]
    labels = []
    for operand, end, swap in ((x, "mk", swaps[0]), (y, "kn", swaps[1])):
        rank = _rank(builder, operand)
        end = end[::-1] if swap else end
        leading = ascii_letters[-(rank - 2) :] if rank > 2 else ""
        labels.append("k" if rank == 1 else leading + end)
    first, second = (
        _without_ones(builder, Factor(operand, names)) for operand, names in zip((x, y), labels, strict=True)
    )
    longest = max((names[:-2] for names in labels), key=len)
    output = longest + ("m" if "m" in labels[0] else "") + ("n" if "n" in labels[1] else "")
    return contract(builder, arguments.name, first, second, output)


def _without_ones(builder: ImportBuilder, factor: Factor) -> Factor:
    """A constant without leading axes of size 1, which broadcast."""
    value, labels = factor.value, factor.labels
    while isinstance(value, np.ndarray) and len(labels) > 2 and value.shape[0] == 1:
        value, labels = value[0], labels[1:]
    return Factor(value, labels)


def _dot(arguments: Arguments, builder: ImportBuilder) -> str:
    """As matmul where y has up to two axes."""
    x, y = arguments.operand(0, "x1"), arguments.operand(1, "x2")
    if max(_rank(builder, y), _rank(builder, x)) > 2 and _rank(builder, y) > 2:
        raise LayerRefused("a dot product must be with a matrix or vector", hint="matmul or einsum")
    return _matmul(arguments, builder)


def _inner(arguments: Arguments, builder: ImportBuilder) -> str:
    """Over the last axis of both."""
    x, y = arguments.tensor(0, "x1"), arguments.constant(1, "x2")
    rank = _rank(builder, x)
    first, second = ascii_letters[:rank], ascii_letters[rank : rank + y.ndim - 1] + ascii_letters[rank - 1]
    return contract(builder, arguments.name, Factor(x, first), Factor(y, second), first[:-1] + second[:-1])


def _tensordot(arguments: Arguments, builder: ImportBuilder) -> str:
    x, y = arguments.operand(0, "a", "x1"), arguments.operand(1, "b", "x2")
    ranks, axes = [_rank(builder, x), _rank(builder, y)], arguments.get(2, "axes", default=2)
    if is_integer(axes):
        if not 0 <= axes <= min(ranks):
            raise LayerRefused("a product must be over axes that both have", value=axes)
        pairs = [list(range(ranks[0] - axes, ranks[0])), list(range(axes))]
    else:
        pairs = [integers(entry, "axes") for entry in axes]
    first = list(ascii_letters[: ranks[0]])
    second = list(ascii_letters[ranks[0] : sum(ranks)])
    for mine, theirs in zip(*pairs, strict=True):
        second[theirs] = first[mine]
    output = [label for label in first + second if (label in first) != (label in second)]
    return contract(
        builder, arguments.name, Factor(x, "".join(first)), Factor(y, "".join(second)), "".join(output)
    )


def _einsum(arguments: Arguments, builder: ImportBuilder) -> str:
    values = list(arguments.args)
    equation = arguments.kwargs.get("subscripts") or arguments.kwargs.get("equation")
    if equation is None:
        equation, *values = values
    operands = [Arguments(arguments.name, [value], {}).operand(0) for value in values]
    return einsum(builder, arguments.name, str(equation), operands)


def einsum(builder: ImportBuilder, name: str, equation: str, operands: Sequence[Operand]) -> TensorName:
    """Of one or two operands; "..." stands for axes that all have."""
    inputs, _, output = equation.replace(" ", "").partition("->")
    labels = inputs.split(",")
    if "->" not in equation or len(labels) != len(operands) or len(labels) > 2:
        raise LayerRefused("an einsum must be of one or two operands, with '->'", value=equation)
    ranks = [_rank(builder, operand) for operand in operands]
    widths = {rank - len(text) + 3 for text, rank in zip(labels, ranks, strict=True) if "..." in text}
    if len(widths) > 1:
        raise LayerRefused("'...' must stand for as many axes everywhere", value=equation)
    spare = [letter for letter in ascii_letters if letter not in equation]
    dots = "".join(spare[: max(widths, default=0)])
    *labels, output = (text.replace("...", dots) for text in (*labels, output))
    if any(len(text) != rank for text, rank in zip(labels, ranks, strict=True)):
        raise LayerRefused("an einsum must have a letter for each axis", value=equation)
    factors = [Factor(value, text) for value, text in zip(operands, labels, strict=True)]
    if len(factors) == 2:
        return contract(builder, name, factors[0], factors[1], output)
    if output[:1] != labels[0][:1] or not isinstance(operands[0], TensorName):
        raise LayerRefused("an einsum must keep the batch", value=equation)
    rest = _summed_alone(builder, name, factors[0], output)
    arranged = _arranged(builder, name, rest, output)
    assert isinstance(arranged, TensorName)
    return arranged


FUNCTIONS: FunctionTable = {
    _matmul: ("linalg.matmul", "Matmul"),
    _dot: ("Dot",),
    _inner: ("Inner",),
    _tensordot: ("tensordot", "Tensordot"),
    _einsum: ("einsum", "Einsum"),
}
