"""Which channels go, that no output changes, in the reference and in C, and that ranges are kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant import pipeline
from mcu_quant.deployment import GenerateOptions
from mcu_quant.kernels.base import CORES
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.optimize import optimize
from mcu_quant.verify.host import HostEngine
from tests.conftest import require_tools
from tests.optimize.graphs import EXAMPLES, Example
from tests.optimize.soundness import assert_in_range, assert_optimized_is_same, hard_samples

by_name = pytest.mark.parametrize("make", EXAMPLES, ids=lambda make: make.__name__)


@by_name
def test_channels_and_outputs(make: Callable[[], Example]) -> None:
    example = make()
    inputs = [hard_samples(tensor, 20) for tensor in example.graph.input_tensors()]
    assert_in_range(example.graph, inputs)
    optimized = assert_optimized_is_same(example.graph, inputs)
    left = {name: tensor.shape[-1] for name, tensor in optimized.tensors.items() if not tensor.is_constant}
    before = {name: example.graph.tensors[name].shape[-1] for name in left}
    assert left == before | example.channels


@by_name
def test_generated_c(make: Callable[[], Example]) -> None:
    require_tools("gcc")
    graph = make().graph
    inputs = [hard_samples(tensor, 20) for tensor in graph.input_tensors()]
    deployed = pipeline.deploy(pipeline.TfliteModel("net", b"", graph), CORES["generic"], GenerateOptions())
    assert deployed.reference is graph
    for actual, expected in zip(HostEngine(deployed).run(inputs), run_graph(graph, inputs), strict=True):
        np.testing.assert_array_equal(actual, expected)


@by_name
def test_kept_if_asked_for(make: Callable[[], Example]) -> None:
    graph = make().graph
    kept = optimize(graph, GenerateOptions(keep_constant_channels=True))
    assert {name: t.shape for name, t in kept.tensors.items()} == {
        n: t.shape for n, t in graph.tensors.items()
    }
