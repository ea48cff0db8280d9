"""variance: its meaning, and that it is written as operators that TFLite has, over any axes."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.quantize.compositions import lower_compositions
from tests.oracles import litert_ref
from tests.passes.float_models import Model

SHAPES = [((1,), (9, 4)), ((1, 2), (4, 5, 3)), ((3,), (4, 5, 3)), ((1, 3), (4, 5, 3)), ((1, 2, 3), (4, 5, 3))]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("axes", "shape"), SHAPES)
def test_variance(axes: tuple[int, ...], shape: tuple[int, ...], keepdims: bool) -> None:
    m = Model(*shape)
    graph = m.graph(m.node("variance", "variance", ReductionAttrs(axes, keepdims), m.x))
    lowered = lower_compositions(graph)
    assert [node.op for node in lowered.nodes] == ["mean", "sub", "mul", "mean"]
    assert lowered.nodes[-1].name == "variance" and lowered.outputs == graph.outputs
    x = np.random.default_rng(0).normal(3.0, 2.0, (4, 1, *shape)).astype(np.float32)
    expected = x.astype(np.float64).var(axis=tuple(axis + 1 for axis in axes), keepdims=keepdims)
    for y in (*run_graph(graph, [x]), *run_graph(lowered, [x]), *litert_ref(write_tflite(lowered), [x])):
        np.testing.assert_allclose(y, expected, rtol=1e-5)
