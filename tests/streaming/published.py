"""Published models over time, as they can be streamed."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.ir import BoundNode, Graph, Node, Tensor, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.passes import prepare
from mcu_quant.pipeline import TfliteModel, load, read_model
from mcu_quant.quantize import quantize_integer
from mcu_quant.streaming.rows import window_axes_of
from tests.keras_models import SHARED, golden

#: Rows of frames that the published kws_ref_model pads its window with, and this one does not.
WINDOW = 49


def wake_word() -> TfliteModel:
    """The published int8 str_ww_ref_model, which has no padding along time."""
    model = load(SHARED / "models" / "str_ww_ref_model.tflite")
    assert isinstance(model, TfliteModel)
    return model


@cache
def keywords() -> TfliteModel:
    """kws_ref_model with its published weights and no padding along time, in int8.

    As it was published each of its five convolutions pads its 49 frames, and the mean at its end is over all
    rows: it has no rows that are the same wherever a window begins.
    """
    graph = prepare(without_padding_in_time(load_keras_file(SHARED / "models" / "kws_ref_model.keras")))
    samples = [(x[None],) for x in golden("kws_ref_model")]
    return read_model(write_tflite(quantize_integer(graph, samples)), "kws_valid")


def without_padding_in_time(graph: Graph) -> Graph:
    """The float graph with padding along width alone; a pool over all rows is over all that are left."""
    (source,) = graph.inputs
    tensors = {t.name: t for t in graph.tensors.values() if t.is_constant or t.name == source}
    nodes: list[Node] = []
    for bound in graph.bound_nodes():
        node, attrs = bound.node, bound.attrs
        if window_axes_of(bound) is not None and attrs.padding == "same":
            padded = _padded_across(bound, tensors)
            nodes.append(padded)
            attrs, node = (
                replace(attrs, padding="valid"),
                replace(node, inputs=(*padded.outputs, *node.inputs[1:])),
            )
        elif getattr(attrs, "filter_size", ()):
            size = tensors[str(node.inputs[0])].shape[1:3]
            attrs = replace(attrs, filter_size=size, strides=size)
        shapes = [tensors[name].shape for name in node.inputs if name is not None]
        (shape,) = OPERATORS[node.op].output_shapes(attrs, shapes)
        tensors[node.outputs[0]] = replace(graph.tensors[node.outputs[0]], shape=tuple(shape))
        nodes.append(replace(node, attrs=attrs))
    return check(graph.with_(nodes=tuple(nodes), tensors=tensors))


def _padded_across(node: BoundNode, tensors: dict[str, Tensor]) -> Node:
    axes: Any = window_axes_of(node)
    paddings = ((0, 0), (0, 0), (axes[1].before, axes[1].after), (0, 0))
    x, name = tensors[node.input(0).name], f"{node.name}/across"
    tensors[name] = replace(x, name=name, shape=(*x.shape[:2], x.shape[2] + sum(paddings[2]), x.shape[3]))
    return Node(name, "pad", PadAttrs(paddings), (x.name,), (name,))


def frames(model: TfliteModel, hop: int, count: int) -> np.ndarray:
    """Random hops of one stream, [count, *shape of what streams]."""
    (source,) = model.graph.input_tensors()
    limits = np.iinfo(source.dtype)
    shape = (count, 1, hop, *source.shape[2:])
    return np.random.default_rng(3).integers(limits.min, limits.max, shape, source.dtype, endpoint=True)
