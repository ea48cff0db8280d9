"""Published models: nothing leaves its interval, and what is removed changes no stored output."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant import pipeline
from mcu_quant.deployment import GenerateOptions
from mcu_quant.ir import Graph
from mcu_quant.kernels.base import CORES
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.optimize import optimize
from mcu_quant.optimize.ranges import annotate_ranges
from mcu_quant.verify.host import HostEngine
from tests.conftest import SHARED
from tests.optimize.soundness import assert_in_range, assert_optimized_is_same, hard_samples
from tests.test_golden_reference import CONVERTED, PUBLISHED, assert_same_bytes, load, stored

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the published models are not at ../shared")

VWW = "vww_96_int8"


def macs(graph: Graph) -> int:
    return sum(OPERATORS[node.node.op].macs(node) for node in graph.bound_nodes())


@pytest.mark.parametrize("name", PUBLISHED + CONVERTED)
def test_intervals_hold_and_outputs_stay(name: str) -> None:
    graph = load(name)
    stored_inputs, _ = stored(name)
    samples = np.concatenate([stored_inputs[:10], hard_samples(graph.input_tensors()[0], 10)])
    assert_in_range(graph, [samples])
    assert_optimized_is_same(graph, [samples])


def test_half_of_vww_hangs_on_constant_channels() -> None:
    graph = load(VWW)
    optimized = optimize(graph, GenerateOptions())
    known = [tensor.value_range for tensor in annotate_ranges(graph).tensors.values()]
    assert sum(int((r.low == r.high).sum()) for r in known if r is not None) == 2183
    assert macs(graph) == 7_489_664 and macs(optimized) == 3_766_476
    images = [tensor for node in optimized.bound_nodes() for tensor in node.outputs if len(tensor.shape) == 4]
    assert all(tensor.shape[-1] % 4 == 0 for tensor in images)


@pytest.mark.slow
def test_vww_gives_every_stored_byte_and_those_of_500_random_inputs() -> None:
    graph = load(VWW)
    inputs, expected = stored(VWW)
    optimized = optimize(graph, GenerateOptions())
    deployed = pipeline.deploy(pipeline.TfliteModel("vww", b"", graph), CORES["generic"], GenerateOptions())
    engine = HostEngine(deployed)
    assert_same_bytes(run_graph(optimized, [inputs])[0], expected)
    assert_same_bytes(engine.run([inputs])[0], expected)
    random = hard_samples(graph.input_tensors()[0], 500, seed=1)
    (reference,) = run_graph(graph, [random])
    assert_same_bytes(run_graph(optimized, [random])[0], reference)
    assert_same_bytes(engine.run([random])[0], reference)
