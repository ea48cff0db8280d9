"""Masked scores (-1e9 where an attention must not look) brought near the others: integers can hold both then.

A score of `distance` below its row's largest weighs exp(-distance) in softmax. With distance = ln(256 n), all
n keys of a row that are masked weigh less together than one step of softmax in int8, 1/256.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import BoundNode, Graph, Tensor, check, unique_name
from mcu_quant.quantize import samples as sampling
from mcu_quant.quantize.calibration import Progress, observe_all

#: A constant this low stands for "never".
_NEVER = -1e8
#: What leaves a score's row as it is, or moves it whole.
_MOVES = ("reshape", "transpose")


@dataclass(frozen=True)
class Mask:
    """A select_v2 node, which of its inputs is the constant, and the softmax nodes behind it."""

    node: BoundNode
    position: int
    readers: tuple[BoundNode, ...]


def masks(graph: Graph) -> Iterator[Mask]:
    """Every choice between scores and a constant that is as good as -infinity, for softmax alone to read."""
    consumers = graph.consumers()
    for node in graph.bound_nodes():
        if node.node.op != "select_v2":
            continue
        readers = list(_softmax_behind(graph, consumers, node.output.name))
        for position in (1, 2):
            data, other = node.input(position).data, node.input(3 - position)
            masked = data is not None and not other.is_constant and bool((data <= _NEVER).all())
            if masked and readers and None not in readers:
                yield Mask(node, position, tuple(reader for reader in readers if reader is not None))


def _softmax_behind(graph: Graph, consumers: Any, name: str) -> Iterator[BoundNode | None]:
    """The softmax nodes that read the tensor, moved or not; None for any other reader."""
    if name in graph.kept:
        yield None
    for reader in consumers[name]:
        if reader.op in _MOVES:
            yield from _softmax_behind(graph, consumers, reader.outputs[0])
        else:
            yield graph.bind(reader) if reader.op == "softmax" else None


def with_bounded_masks(graph: Graph, samples: Iterable[Any], progress: Progress | None = None) -> Graph:
    """The float graph with such constants as near as its scores on the samples allow; one pass over them.

    Raises InvalidInputError for samples that can be run through only once.
    """
    found = list(masks(graph))
    if not found:
        return graph
    if iter(samples) is samples:
        raise InvalidInputError(
            "masked attention runs through the samples twice",
            value="an iterator, which can be run through once",
            hint="an array, a list, or a generator function",
        )
    smallest: dict[str, float] = {}

    def observe(tensor: str, values: np.ndarray) -> None:
        if tensor in watched:
            largest = values.max(axis=-1)
            seen = largest[largest > _NEVER]
            smallest[tensor] = min(smallest.get(tensor, math.inf), float(seen.min(initial=math.inf)))

    watched = {reader.input(0).name for mask in found for reader in mask.readers}
    observe_all(graph, samples, observe, progress, sampling.count(graph, samples))
    for mask in found:
        graph = _bounded(graph, mask, smallest)
    return check(graph)


def _bounded(graph: Graph, mask: Mask, smallest: dict[str, float]) -> Graph:
    """smallest: the least of the rows' largest scores, by the input of softmax."""
    least = []
    for reader in mask.readers:
        scores = reader.input(0)
        distance = math.log(256.0 * scores.shape[-1]) / abs(reader.attrs.beta)
        largest = smallest.get(scores.name, math.inf)
        least.append((largest if math.isfinite(largest) else 0.0) - distance)
    old = mask.node.input(mask.position)
    name = unique_name(f"{mask.node.name}/never", graph.tensors)
    inputs = tuple(name if i == mask.position else x for i, x in enumerate(mask.node.node.inputs))
    nodes = tuple(replace(n, inputs=inputs) if n.name == mask.node.name else n for n in graph.nodes)
    bounded = Tensor.constant(name, np.full(old.shape, min(least), np.float32))
    return graph.with_(nodes=nodes, tensors={**graph.tensors, name: bounded})
