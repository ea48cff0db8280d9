"""Random quantized graphs over every operator that has an emitter, and inputs for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from mcu_quant.ir import Graph, QuantParams, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.index_limits import Limits, index_limits
from mcu_quant.ops.interpreter import run_graph
from tests.hunter import (
    conditions,
    elementwise,
    indexed,
    moves,
    products,
    recurrent,
    reductions,
    unary,
    windows,
)
from tests.hunter.build import CHANNELS, QUANTS, SEEDS, Draw, GraphDraft

_GROUPS = (windows, elementwise, conditions, reductions, moves, indexed, unary, products, recurrent)
EMITTERS = {name: emit for group in _GROUPS for name, emit in group.EMITTERS.items() if name in OPERATORS}
#: Once more for each: they have most of the kernels.
OFTEN = 2 * ("conv_2d", "depthwise_conv_2d", "fully_connected")
NEEDS_IMAGE = (
    "conv_2d",
    "depthwise_conv_2d",
    "transpose_conv",
    "max_pool_2d",
    "average_pool_2d",
    "resize_nearest_neighbor",
    "resize_bilinear",
)

MAX_NODES = 9
SAMPLES = 4


@dataclass(frozen=True)
class Case:
    """A quantized graph and inputs: [SAMPLES, *shape] of each input's type."""

    graph: Graph
    inputs: tuple[np.ndarray, ...]


@st.composite
def quantized_cases(draw: Draw) -> Case:
    draft = GraphDraft(draw)
    for _ in range(draw(st.integers(1, 2))):
        elementwise.draw_input(draft, draw(SHAPES), draw(QUANTS))
    for _ in range(draw(st.integers(1, MAX_NODES))):
        images = bool(draft.activations([4]))
        able = sorted(name for name in (*EMITTERS, *OFTEN) if images or name not in NEEDS_IMAGE)
        EMITTERS[draw(st.sampled_from(able))](draft)
    elementwise.draw_output_types(draft)
    assume(draft.nodes)
    graph = draft.graph(draw(st.integers(0, 2)))
    assume(graph.inputs and all(tensor.shape[:1] in ((), (1,)) for tensor in graph.input_tensors()))
    return Case(graph, draw_samples(graph, draw(SEEDS)))


def run_and_measure(graph: Graph, inputs: Sequence[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """run_graph, and the largest |value| of all float32 tensors: 0 without any, NaN where there is one."""
    sizes = [0.0]

    def observe(name: str, value: np.ndarray) -> None:
        if value.dtype == np.float32:
            sizes.append(float(np.abs(value).max(initial=0.0)))

    return run_graph(graph, inputs, observe), float(np.max(sizes))


#: Of chains of images: what runs in bands of rows, and what stands between.
CHAINED = (*2 * ("conv_2d", "depthwise_conv_2d"), "max_pool_2d", "average_pool_2d", "logistic", "add")


class ChainDraft(GraphDraft):
    """Mostly takes what was made last, so that layers follow each other."""

    def pick(self, ranks: Sequence[int] = (), quant: QuantParams | None = None) -> Tensor | None:
        found = self.activations(ranks, quant)
        if found and self.draw(st.integers(0, 5)) < 5:
            return found[0]
        return super().pick(ranks, quant)


@st.composite
def image_chains(draw: Draw) -> Case:
    """Networks of images large enough that they can run in bands of rows, where RAM is short."""
    draft = ChainDraft(draw)
    sides = st.integers(12, 26)
    elementwise.draw_input(draft, (1, draw(sides), draw(sides), draw(st.integers(1, 6))), draw(QUANTS))
    for _ in range(draw(st.integers(2, 6))):
        EMITTERS[draw(st.sampled_from(CHAINED))](draft)
    assume(len(draft.nodes) > 1)
    graph = draft.graph(0)
    assume(graph.inputs)
    return Case(graph, draw_samples(graph, draw(SEEDS)))


SIDE = st.integers(1, 11)
ONE = st.just(1)
#: Images (twice as often), wide maps, one-dimensional ones along either side, and lower ranks.
SHAPES = st.one_of(
    st.tuples(ONE, SIDE, SIDE, CHANNELS),
    st.tuples(ONE, SIDE, SIDE, CHANNELS),
    st.tuples(ONE, st.integers(12, 20), st.integers(12, 40), st.integers(1, 8)),
    st.one_of(
        st.tuples(ONE, ONE, st.integers(2, 60), CHANNELS), st.tuples(ONE, st.integers(2, 60), ONE, CHANNELS)
    ),
    st.tuples(ONE, st.one_of(st.integers(1, 40), st.sampled_from([64, 100, 256]))),
    st.tuples(ONE, SIDE, CHANNELS),
)


#: Of inputs that nothing but float layers read.
_FLOAT_STEP = 1 / 64


def draw_samples(graph: Graph, seed: int) -> tuple[np.ndarray, ...]:
    """Uniform, all of one extreme each, and a mix of extremes."""
    rng, indices = np.random.default_rng(seed), index_limits(graph)
    readers = graph.consumers()
    samples = []
    for tensor in graph.input_tensors():
        if tensor.dtype == "float32":
            written = [graph.tensors[name] for reader in readers[tensor.name] for name in reader.outputs]
            scales = [x.quant.scale[0] for x in written if x.quant is not None]
            samples.append(_float_samples(tensor, min(scales, default=_FLOAT_STEP), rng))
        else:
            samples.append(_integer_samples(tensor, rng, indices.get(tensor.name)))
    return tuple(samples)


def draw_rounds(graph: Graph, seeds: Iterable[int]) -> tuple[np.ndarray, ...]:
    """So many times draw_samples, one after the other."""
    rounds = [draw_samples(graph, seed) for seed in seeds]
    return tuple(np.concatenate(parts) for parts in zip(*rounds, strict=True))


def _integer_samples(tensor: Tensor, rng: np.random.Generator, indices: Limits | None) -> np.ndarray:
    """Over the whole type; of indices, over the table that TFLM reads by them."""
    if tensor.dtype == "bool":
        return rng.integers(0, 2, (SAMPLES, *tensor.shape)).astype(np.bool_)
    limits = np.iinfo(tensor.dtype)
    low, high = (limits.min, limits.max) if indices is None else indices
    samples = rng.integers(low, high + 1, (SAMPLES, *tensor.shape)).astype(tensor.dtype)
    samples[1], samples[2] = low, high
    samples[3] = rng.choice([low, high], tensor.shape)
    return samples


def _float_samples(tensor: Tensor, scale: float, rng: np.random.Generator) -> np.ndarray:
    """In steps of the scale, halves among them; far beyond int8, but where a step still fits an int32
    (TFLM's conversion is undefined from there on)."""
    steps = rng.uniform(-200, 200, (SAMPLES, *tensor.shape))
    steps[1] = np.floor(steps[1]) + 0.5
    steps[2:] = rng.choice([-1e9, 1e9, -0.0, 0.5], (SAMPLES - 2, *tensor.shape))
    return (steps * scale).astype(np.float32)
