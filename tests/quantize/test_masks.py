"""Masked scores, as integers can hold them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.softmax import SoftmaxAttrs
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize.masks import masks, with_bounded_masks
from mcu_quant.quantize_options import QuantizeOptions
from tests.keras_models import quantize_input
from tests.passes.float_models import Model

STEPS = 7
SEEN = np.tril(np.ones((1, STEPS, STEPS), bool))
BETA = 0.5
X = np.random.default_rng(0).normal(0, 3, (32, 1, STEPS, STEPS)).astype(np.float32)


def masked(low: float = -1e9, *, also: str = "", swapped: bool = False) -> Graph:
    """Softmax over what SEEN lets through. also: an operator that reads the masked scores, too."""
    m = Model(STEPS, STEPS)
    never = m.builder.constant("low", np.full(1, low, np.float32))
    condition = m.builder.constant("seen", swapped != SEEN)
    choices = [never, m.x] if swapped else [m.x, never]
    scores = m.builder.add("select_v2", "where", None, [condition, *choices])
    y = m.builder.add("softmax", "softmax", SoftmaxAttrs(BETA), [scores])
    outputs = [y, m.builder.add(also, "also", None, [scores])] if also else [y]
    return m.builder.graph(outputs)


def never_of(graph: Graph) -> float:
    """The constant that masked scores are."""
    (node,) = (node for node in graph.bound_nodes() if node.node.op == "select_v2")
    (data,) = (t.data for t in node.inputs[1:] if t is not None and t.is_constant)
    assert data is not None
    return float(data[0])


@pytest.mark.parametrize("swapped", [False, True])
def test_masked_keys_weigh_less_than_a_step(swapped: bool) -> None:
    graph = masked(swapped=swapped)
    near = with_bounded_masks(graph, [X])
    least = np.where(SEEN, X[:, 0], -np.inf).max(axis=-1).min()
    assert never_of(near) == pytest.approx(least - math.log(256 * STEPS) / BETA, rel=1e-6)
    (before,), (after,) = run_graph(graph, [X]), run_graph(near, [X])
    hidden = after * ~SEEN
    assert 0 < hidden.sum(axis=-1).max() < 1 / 256
    np.testing.assert_allclose(before, after, atol=1 / 256)


@pytest.mark.parametrize("technique", ["int8", "int16x8"])
def test_quantized(technique: str) -> None:
    """A constant of -1e9 would leave one step for all scores."""
    graph = masked()
    (expected,) = run_graph(graph, [X])
    quantized = quantize_integer(graph, [X], QuantizeOptions(technique))
    (found,) = run_graph(quantized, [quantize_input(quantized.input_tensors()[0], X)])
    (output,) = quantized.output_tensors()
    real = (found.astype(np.float64) - output.zero_point) * output.scale
    assert np.abs(real - expected).max() < (0.03 if technique == "int8" else 0.005)
    assert (found == output.zero_point)[np.broadcast_to(~SEEN, found.shape)].all() or technique != "int8"


@pytest.mark.parametrize("graph", [masked(-50.0), masked(also="relu")], ids=["small", "read_by_others"])
def test_what_is_no_mask_stays(graph: Graph) -> None:
    assert not list(masks(graph))
    assert with_bounded_masks(graph, iter([X])) is graph


def test_samples_that_run_out() -> None:
    with pytest.raises(InvalidInputError, match="twice"):
        quantize_integer(masked(), iter([X]))
