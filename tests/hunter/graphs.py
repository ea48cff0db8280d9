"""Random quantized graphs over every operator that has an emitter, and inputs for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from mcu_quant.ir import Graph, Tensor
from mcu_quant.ops import OPERATORS
from tests.hunter import elementwise, windows
from tests.hunter.build import QUANTS, SEEDS, Draw, GraphDraft

EMITTERS = {name: emit for name, emit in (windows.EMITTERS | elementwise.EMITTERS).items() if name in OPERATORS}

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
    emitters = sorted(EMITTERS)
    for _ in range(draw(st.integers(1, MAX_NODES))):
        EMITTERS[draw(st.sampled_from(emitters))](draft)
    elementwise.draw_output_types(draft)
    assume(draft.nodes)
    graph = draft.graph(draw(st.integers(0, 2)))
    assume(graph.inputs)
    return Case(graph, draw_samples(graph, draw(SEEDS)))


SIDE = st.integers(1, 11)
CHANNELS = st.integers(1, 9)
SHAPES = st.one_of(
    st.tuples(st.just(1), SIDE, SIDE, CHANNELS),
    st.tuples(st.just(1), SIDE, SIDE, CHANNELS),
    st.tuples(st.just(1), st.integers(1, 40)),
    st.tuples(st.just(1), SIDE, CHANNELS),
)


def draw_samples(graph: Graph, seed: int) -> tuple[np.ndarray, ...]:
    """Uniform, all of one extreme each, and a mix of extremes."""
    rng = np.random.default_rng(seed)
    return tuple(_samples(tensor, rng) for tensor in graph.input_tensors())


def _samples(tensor: Tensor, rng: np.random.Generator) -> np.ndarray:
    if tensor.dtype == "float32":
        return (rng.normal(0, 1, (SAMPLES, *tensor.shape)) * 10.0 ** rng.integers(-2, 4)).astype(np.float32)
    limits = np.iinfo(tensor.dtype)
    samples = rng.integers(limits.min, limits.max + 1, (SAMPLES, *tensor.shape)).astype(tensor.dtype)
    samples[1], samples[2] = limits.min, limits.max
    samples[3] = rng.choice([limits.min, limits.max], tensor.shape)
    return samples
