"""Keras's attention layers. Like functions, they are called on several tensors and with options."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcu_quant.importers import keras_einsum  # noqa: F401 - adds the layers inside to HANDLERS
from mcu_quant.importers.keras_functions.arguments import Arguments, TensorName
from mcu_quant.importers.keras_functions.attention import (
    Attention,
    attend,
    attend_heads,
    both,
    causal,
    constant_mask,
    weighted,
)
from mcu_quant.importers.keras_functions.nodes import binary, reshape
from mcu_quant.importers.keras_functions.products import Factor, dense
from mcu_quant.importers.keras_layers import HANDLERS, ImportBuilder
from mcu_quant.importers.keras_weights import WeightShape
from mcu_quant.ops.base import Shape
from mcu_quant.ops.keras import KerasLayer, LayerRefused

#: A layer inside: its name, the sizes that it sums over, the sizes that it gives.
_Part = tuple[str, Shape, Shape]
#: Adds the layer's nodes; returns its outputs. Raises LayerRefused.
Lowering = Callable[[KerasLayer, Arguments, ImportBuilder], list[str]]


@dataclass(frozen=True)
class CalledLayer:
    """weights: names and shapes, from the config and the shapes of query, value and key.

    parameters: of the layer's call, by position.
    """

    lower: Lowering
    weights: Callable[[Mapping[str, Any], Sequence[Shape]], list[WeightShape]]
    parameters: tuple[str, ...]

    def named(self, arguments: Arguments) -> Arguments:
        """The same, all by name."""
        given = dict(zip(self.parameters, arguments.args, strict=False))
        return Arguments(arguments.name, [], {**given, **arguments.kwargs})


def operands(arguments: Arguments) -> tuple[TensorName, TensorName, TensorName]:
    """(query, value, key) of named arguments; the key is the value where it is not given."""
    kwargs = arguments.kwargs
    listed = kwargs.get("inputs") or [kwargs.get(name) for name in ("query", "value", "key")]
    given = [x for x in listed if isinstance(x, TensorName)] if isinstance(listed, list) else []
    if len(given) not in (2, 3) or not all(isinstance(x, TensorName) for x in listed[:2]):
        raise LayerRefused(
            "attention must be called on a query and a value that are computed from an input",
            value=f"{len(given)} tensors",
            hint="layer(query, value), or Attention()([query, value])",
        )
    return given[0], given[1], given[-1]


def _mask(arguments: Arguments, config: Mapping[str, Any], steps: int, keys: int) -> np.ndarray | None:
    """What the call and the config say, bool [..., steps, keys]."""
    for name in ("query_mask", "value_mask", "key_mask", "mask"):
        if arguments.kwargs.get(name) is not None:
            raise LayerRefused(
                "attention must not depend on which steps are padding",
                value=name,
                hint="sequences of a fixed length, or a constant attention_mask",
            )
    mask = constant_mask(arguments.kwargs.get("attention_mask"), "attention_mask")
    if arguments.kwargs.get("use_causal_mask"):
        mask = both(mask, causal(steps, keys))
    window = config.get("sliding_window")
    if window is not None:
        distance = np.abs(np.arange(steps)[:, None] - np.arange(keys))
        mask = both(mask, distance < int(window))
    return mask


def _for_heads(mask: np.ndarray | None, queries_and_keys: int = 2) -> np.ndarray | None:
    """With an axis of heads before those of queries and keys."""
    if mask is None:
        return None
    at = mask.ndim - queries_and_keys
    return np.expand_dims(mask, at) if at >= 0 else mask


def _results(arguments: Arguments, output: str, weights: str) -> list[str]:
    return [output, weights] if arguments.kwargs.get("return_attention_scores") else [output]


def _projection(
    builder: ImportBuilder,
    name: str,
    x: str,
    weights: Sequence[np.ndarray],
    summed: int,
    activation: str | None = None,
) -> TensorName:
    """EinsumDense over the last `summed` axes of x."""
    letters = "bcdefghij"[: len(builder.shape(x))]
    free, inner = letters[:-summed], letters[-summed:]
    outer = "xyz"[: weights[0].ndim - summed]
    config = {
        "equation": f"{free}{inner},{inner}{outer}->{free}{outer}",
        "bias_axes": outer if len(weights) > 1 else None,
        "activation": activation,
    }
    return TensorName(builder.layer("EinsumDense", name, [x], config, weights))


class _Parts:
    """The weights of the layers inside, kernel and bias of each in turn."""

    def __init__(self, layer: KerasLayer, builder: ImportBuilder) -> None:
        self._weights = list(layer.weights)
        self._name, self._builder = layer.name, builder
        self._count = 2 if layer.config.get("use_bias", True) else 1

    def project(self, part: str, x: str, summed: int = 1, activation: str | None = None) -> TensorName:
        taken, self._weights = self._weights[: self._count], self._weights[self._count :]
        return _projection(self._builder, f"{self._name}/{part}", x, taken, summed, activation)


def _multi_head_attention(layer: KerasLayer, arguments: Arguments, builder: ImportBuilder) -> list[str]:
    query, value, key = operands(arguments)
    rank, parts = len(builder.shape(query)), _Parts(layer, builder)
    axes = _attention_axes(layer.config, rank)
    if len(builder.shape(key)) != rank or len(builder.shape(value)) != rank:
        raise LayerRefused("query, value and key must have as many axes", value=[rank])
    mask = _mask(arguments, layer.config, builder.shape(query)[1], builder.shape(key)[1])
    if mask is not None and axes != (1,) and arguments.kwargs.get("use_causal_mask"):
        raise LayerRefused("a causal mask must be along axis 1", value=axes)
    projected = parts.project("query", query), parts.project("key", key)
    gate = parts.project("gate", query, 1, "sigmoid") if layer.config.get("use_gate") else None
    letters = _letters(rank, axes)
    factors = [
        Factor(x, labels)
        for x, labels in zip((*projected, parts.project("value", value)), letters[:3], strict=True)
    ]
    scale = 1.0 / math.sqrt(float(layer.config["key_dim"]))
    attention = Attention(letters[3], letters[4], len(axes), scale, _for_heads(mask, 2 * len(axes)))
    output, weights = attend(builder, layer.name, factors[0], factors[1], factors[2], attention)
    if gate is not None:
        output = binary(builder, "mul", f"{layer.name}/gated", output, gate)
    return _results(arguments, parts.project("attention_output", output, 2), weights)


def _attention_axes(config: Mapping[str, Any], rank: int) -> tuple[int, ...]:
    """Of an input of that rank, not negative; all between the batch and the last one by default."""
    given = config.get("attention_axes")
    if given is None:
        return tuple(range(1, rank - 1))
    axes = [given] if isinstance(given, int) else list(given)
    found = tuple(axis if axis >= 0 else rank + axis for axis in axes)
    if not found or any(not 0 < axis < rank - 1 for axis in found) or len(set(found)) < len(found):
        raise LayerRefused("attention axes must be between the batch and the last axis", value=axes)
    return found


def _letters(rank: int, axes: tuple[int, ...]) -> tuple[str, str, str, str, str]:
    """The letters of query, key, value (with heads n), of the scores, and of the output."""
    queries, keys = "ABCDEFG", "PQRSTUV"
    kept = "".join("ghijkl"[axis] for axis in range(1, rank - 1) if axis not in axes)
    of_query = "".join(queries[i] if i in axes else "ghijkl"[i] for i in range(1, rank - 1))
    of_key = "".join(keys[i] if i in axes else "ghijkl"[i] for i in range(1, rank - 1))
    scores = f"b{kept}n{''.join(queries[i] for i in axes)}{''.join(keys[i] for i in axes)}"
    return f"b{of_query}nd", f"b{of_key}nd", f"b{of_key}ne", scores, f"b{of_query}ne"


def _grouped_query_attention(layer: KerasLayer, arguments: Arguments, builder: ImportBuilder) -> list[str]:
    query, value, key = operands(arguments)
    parts = _Parts(layer, builder)
    mask = _mask(arguments, layer.config, builder.shape(query)[1], builder.shape(key)[1])
    q, k = parts.project("query", query), parts.project("key", key)
    gate = parts.project("gate", query, 1, "sigmoid") if layer.config.get("use_gate") else None
    v = parts.project("value", value)
    scale = 1.0 / math.sqrt(float(layer.config["head_dim"]))
    output, weights = attend_heads(builder, layer.name, q, k, v, scale, _for_heads(mask))
    if gate is not None:
        output = binary(builder, "mul", f"{layer.name}/gated", output, gate)
    return _results(arguments, parts.project("attention_output", output, 2), weights)


def _attention(layer: KerasLayer, arguments: Arguments, builder: ImportBuilder) -> list[str]:
    """Attention and AdditiveAttention: by products, or by a sum over tanh(query + key)."""
    query, value, key = operands(arguments)
    shapes = [builder.shape(x) for x in (query, value, key)]
    if any(len(shape) != 3 for shape in shapes) or shapes[0][2] != shapes[2][2]:
        raise LayerRefused("query, value and key must be [steps, size]", value=[s[1:] for s in shapes])
    mask = _mask(arguments, layer.config, shapes[0][1], shapes[2][1])
    factor = Factor(value, "bse")
    if layer.class_name == "Attention" and layer.config.get("score_mode", "dot") == "dot":
        scale = float(layer.weights[0]) if layer.config.get("use_scale") else 1.0
        attention = Attention("bts", "bte", 1, scale, mask)
        result = attend(builder, layer.name, Factor(query, "btd"), Factor(key, "bsd"), factor, attention)
    else:
        scores = _additive_scores(layer, query, key, builder)
        result = weighted(builder, layer.name, scores, factor, Attention("bts", "bte", 1, 1.0, mask))
    return _results(arguments, *result)


def _additive_scores(
    layer: KerasLayer, query: TensorName, key: TensorName, builder: ImportBuilder
) -> TensorName:
    """[1, queries, keys]: the sum over tanh(query + key), weighted by AdditiveAttention's scale. Attention's
    scale is of the sums inside tanh, its weight is of all.
    """
    name, weights = layer.name, list(layer.weights)
    (_, steps, size), keys = builder.shape(query), builder.shape(key)[1]
    factors = np.ones(size, np.float32)
    scaled = bool(layer.config.get("use_scale", layer.class_name == "AdditiveAttention"))
    if layer.class_name == "AdditiveAttention" and scaled:
        factors = weights[0]
    elif layer.class_name == "Attention":
        factors = np.full(size, weights[-1], np.float32)
        if scaled:
            scale = weights[0].reshape(1)
            query = binary(builder, "mul", f"{name}/scaled_query", query, scale)
            key = binary(builder, "mul", f"{name}/scaled_key", key, scale)
    rows = reshape(builder, f"{name}/queries", query, (1, steps, 1, size))
    columns = reshape(builder, f"{name}/keys", key, (1, 1, keys, size))
    sums = builder.activation(name, "tanh", binary(builder, "add", f"{name}/sums", rows, columns))
    scores = dense(builder, f"{name}/scores", sums, factors.reshape(size, 1))
    return reshape(builder, f"{name}/pairs", scores, (1, steps, keys))


def _multi_head_weights(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[WeightShape]:
    query, value, key = (shape[-1] for shape in shapes)
    heads, size = config["num_heads"], config["key_dim"]
    of_value = config.get("value_dim") or size
    given = config.get("output_shape") or [query]
    outputs = [given] if isinstance(given, int) else list(given)
    parts: list[_Part] = [("query", (query,), (heads, size)), ("key", (key,), (heads, size))]
    parts += [("gate", (query,), (heads, of_value))] if config.get("use_gate") else []
    parts += [("value", (value,), (heads, of_value)), ("output", (heads, of_value), tuple(outputs))]
    return _kernels_and_biases(config, parts)


def _grouped_query_weights(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[WeightShape]:
    query, value, key = (shape[-1] for shape in shapes)
    size, heads, of_keys = (config[k] for k in ("head_dim", "num_query_heads", "num_key_value_heads"))
    parts: list[_Part] = [("query", (query,), (heads, size)), ("key", (key,), (of_keys, size))]
    parts += [("gate", (query,), (heads, size))] if config.get("use_gate") else []
    parts += [("value", (value,), (of_keys, size)), ("output", (heads, size), (query,))]
    return _kernels_and_biases(config, parts)


def _kernels_and_biases(config: Mapping[str, Any], parts: Sequence[_Part]) -> list[WeightShape]:
    has_bias = config.get("use_bias", True)
    listed = [
        ((f"{name} kernel", (*inner, *outer)), (f"{name} bias", outer) if has_bias else None)
        for name, inner, outer in parts
    ]
    return [weight for pair in listed for weight in pair if weight is not None]


def _attention_weights(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[WeightShape]:
    scale: list[WeightShape] = [("scale", ())] if config.get("use_scale") else []
    return [*scale, ("concat_score_weight", ())] if config.get("score_mode") == "concat" else scale


def _additive_weights(config: Mapping[str, Any], shapes: Sequence[Shape]) -> list[WeightShape]:
    return [("scale", (shapes[0][-1],))] if config.get("use_scale", True) else []


_OF_HEADS = (
    *("query", "value", "key", "query_mask", "value_mask", "key_mask"),
    *("attention_mask", "return_attention_scores", "training", "use_causal_mask"),
)
_OF_LISTS = ("inputs", "mask", "training", "return_attention_scores", "use_causal_mask")
_GROUPED = CalledLayer(_grouped_query_attention, _grouped_query_weights, _OF_HEADS)
#: By class; GroupQueryAttention is the name that Keras exports.
CALLED_LAYERS: Mapping[str, CalledLayer] = {
    "MultiHeadAttention": CalledLayer(_multi_head_attention, _multi_head_weights, _OF_HEADS),
    "Attention": CalledLayer(_attention, _attention_weights, _OF_LISTS),
    "AdditiveAttention": CalledLayer(_attention, _additive_weights, _OF_LISTS),
    "GroupQueryAttention": _GROUPED,
    "GroupedQueryAttention": _GROUPED,
}


def _handler(layer: KerasLayer, inputs: Sequence[str], builder: ImportBuilder) -> str:
    """Of query, value and maybe key; the options of the call are in the config. Its first output."""
    given = {**layer.config, "inputs": [TensorName(x) for x in inputs]}
    return CALLED_LAYERS[layer.class_name].lower(layer, Arguments(layer.name, [], given), builder)[0]


HANDLERS.update(dict.fromkeys(CALLED_LAYERS, _handler))
