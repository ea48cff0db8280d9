"""Attention: softmax of the products of queries and keys, then sums of values; for layers and functions.

Queries, keys and values are factors of products (products.py): a letter for each axis. What the scores are
multiplied with is softmax's beta, which costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mcu_quant.importers.keras_functions.arguments import Arguments, FunctionTable, TensorName
from mcu_quant.importers.keras_functions.nodes import add, attrs, binary, constant, reshape
from mcu_quant.importers.keras_functions.products import Factor, contract
from mcu_quant.importers.keras_functions.shapes import transpose
from mcu_quant.importers.keras_layers import ImportBuilder
from mcu_quant.ops.keras import LayerRefused
from mcu_quant.ops.keras_axes import on_last_axis

#: The score of what must not be looked at: its exponential is 0 beside any other.
MASKED = -1e9
_CONSTANT_MASK = "a fixed mask, use_causal_mask=True, or sequences of a fixed length without a mask"


@dataclass(frozen=True)
class Attention:
    """scores: the letters of queries' axes, then those of keys'. output: as the values, with queries' axes.

    key_axes: how many of the scores' last axes are keys'. scale: of the scores. mask: bool, broadcasts to the
    scores; False where a key must not be looked at.
    """

    scores: str
    output: str
    key_axes: int = 1
    scale: float = 1.0
    mask: np.ndarray | None = None


def attend(
    builder: ImportBuilder, name: str, query: Factor, key: Factor, value: Factor, attention: Attention
) -> tuple[TensorName, TensorName]:
    """(output, scores after softmax). Raises LayerRefused."""
    scores = contract(builder, f"{name}/scores", query, key, attention.scores)
    return weighted(builder, name, scores, value, attention)


def weighted(
    builder: ImportBuilder, name: str, scores: TensorName, value: Factor, attention: Attention
) -> tuple[TensorName, TensorName]:
    """(sums of values, weighted by the scores' softmax; that softmax). Raises LayerRefused."""
    if attention.scale <= 0.0:
        scores = binary(builder, "mul", f"{name}/scale", scores, np.float32(attention.scale).reshape(1))
    scores = _masked(builder, name, scores, attention.mask)
    # A file has it as float32.
    beta = attrs(builder, "softmax", float(np.float32(attention.scale)) if attention.scale > 0.0 else 1.0)
    axes = tuple(range(len(attention.scores)))[-attention.key_axes :]

    def softmax(rows: str) -> str:
        return add(builder, "softmax", f"{name}/softmax", [rows], beta)

    weights = TensorName(on_last_axis(f"{name}/softmax", scores, builder, axes, softmax))
    output = contract(builder, f"{name}/values", Factor(weights, attention.scores), value, attention.output)
    return output, weights


def _masked(builder: ImportBuilder, name: str, scores: TensorName, mask: np.ndarray | None) -> TensorName:
    """MASKED where the mask is False."""
    if mask is None or mask.all():
        return scores
    shape = builder.shape(scores)
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise LayerRefused(
            "a mask must fit the scores",
            value=f"{list(mask.shape)} for {list(shape)}",
            hint="one mask for all samples: [1, queries, keys]",
        )
    seen = constant(builder, f"{name}/mask", mask.reshape((1,) * (len(shape) - mask.ndim) + mask.shape))
    masked = constant(builder, f"{name}/masked", np.full(1, MASKED, np.float32))
    return add(builder, "select_v2", f"{name}/where", [seen, scores, masked])


def causal(queries: int, keys: int) -> np.ndarray:
    """bool [queries, keys]: no query looks at keys behind it."""
    return np.tril(np.ones((queries, keys), bool))


def both(*masks: np.ndarray | None) -> np.ndarray | None:
    """What all of them let through; None if there are none."""
    known = [mask for mask in masks if mask is not None]
    return np.logical_and.reduce(np.broadcast_arrays(*known)) if known else None


def constant_mask(value: object, what: str) -> np.ndarray | None:
    """A recorded mask argument as bool. Raises LayerRefused where it is computed."""
    if value is None:
        return None
    array = np.asarray(value) if not isinstance(value, TensorName) else np.empty(0, object)
    if array.dtype.kind not in "biuf" or not array.size:
        raise LayerRefused(f"{what} must be constant", value=f"{value!s:.60}", hint=_CONSTANT_MASK)
    return array.astype(bool)


def attend_heads(
    builder: ImportBuilder,
    name: str,
    query: TensorName,
    key: TensorName,
    value: TensorName,
    scale: float,
    mask: np.ndarray | None,
) -> tuple[TensorName, TensorName]:
    """(output [1, T, heads, size], scores after softmax [1, heads, T, S]) of [1, steps, heads, size] each.

    mask: bool, broadcasts to [1, heads, T, S]. Keys and values may have fewer heads, each for a group of
    queries'.
    """
    shapes = [builder.shape(x) for x in (query, key, value)]
    if any(len(shape) != 4 for shape in shapes) or shapes[1][1:3] != shapes[2][1:3]:
        raise LayerRefused("queries, keys and values must be [steps, heads, size]", value=shapes)
    steps, heads, size = shapes[0][1:]
    keys, groups = shapes[1][1:3]
    if heads % groups:
        raise LayerRefused("the heads of keys must divide those of queries", value=f"{groups} and {heads}")
    factors = Factor(key, "bsnd"), Factor(value, "bsne")
    if heads == groups:
        attention = Attention("bnts", "btne", 1, scale, mask)
        return attend(builder, name, Factor(query, "btnd"), *factors, attention)
    split = (1, steps, groups, heads // groups, size)
    query = reshape(builder, f"{name}/groups", query, split)
    attention = Attention("bntgs", "btnge", 1, scale, _of_groups(mask, groups))
    output, weights = attend(builder, name, Factor(query, "btngd"), *factors, attention)
    output = reshape(builder, f"{name}/heads", output, (1, steps, heads, builder.shape(output)[-1]))
    weights = transpose(builder, f"{name}/weights", weights, (0, 1, 3, 2, 4))
    return output, reshape(builder, f"{name}/of_heads", weights, (1, heads, steps, keys))


def _of_groups(mask: np.ndarray | None, groups: int) -> np.ndarray | None:
    """A mask that broadcasts to [1, heads, T, S] as one for [1, groups, T, heads of a group, S]."""
    if mask is None:
        return None
    sizes = (1,) * (4 - mask.ndim) + mask.shape
    heads = (groups, sizes[1] // groups) if sizes[1] > 1 else (1, 1)
    return mask.reshape(1, *heads, *sizes[2:]).swapaxes(2, 3)


def _dot_product_attention(arguments: Arguments, builder: ImportBuilder) -> str:
    if arguments.get(3, "bias") is not None:
        raise LayerRefused("attention must have no bias", value="bias", hint="keras.ops.add of the scores")
    if arguments.get(99, "attn_logits_soft_cap") is not None:
        raise LayerRefused("attention must have no soft cap", value=arguments.get(99, "attn_logits_soft_cap"))
    query, key, value = (arguments.tensor(i, name) for i, name in enumerate(("query", "key", "value")))
    shape = builder.shape(query)
    scale = arguments.get(5, "scale")
    scale = 1.0 / math.sqrt(shape[-1]) if scale is None else float(scale)
    mask = constant_mask(arguments.get(4, "mask"), "mask")
    if arguments.get(99, "is_causal"):
        mask = both(mask, causal(shape[1], builder.shape(key)[1]))
    output, _ = attend_heads(builder, arguments.name, query, key, value, scale, mask)
    return output


FUNCTIONS: FunctionTable = {_dot_product_attention: ("DotProductAttention",)}
