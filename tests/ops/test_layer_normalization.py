"""layer_normalization: its meaning, and what it becomes. In models: tests/quantize/test_compositions.py."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.normalization import LayerNormalizationAttrs
from mcu_quant.quantize.compositions import lower_compositions
from tests.oracles import litert_ref
from tests.passes.float_models import Model

SHAPE = (4, 5, 3)
LAYERS = [
    (LayerNormalizationAttrs((3,)), (1, 1, 1, 3), (1, 1, 1, 3)),
    (LayerNormalizationAttrs((1, 3), 0.1), (1, 4, 1, 3), None),
    (LayerNormalizationAttrs((1, 2, 3), centered=False), None, (1, 4, 5, 3)),
    (LayerNormalizationAttrs((2,), 1e-6, centered=False), (1,), None),
    (LayerNormalizationAttrs((2, 3)), None, None),
]


@pytest.mark.parametrize(("attrs", "gamma", "beta"), LAYERS)
def test_layer_normalization(
    attrs: LayerNormalizationAttrs, gamma: tuple[int, ...] | None, beta: tuple[int, ...] | None
) -> None:
    m = Model(*SHAPE)
    constants = [None if s is None else m.constant(n, *s) for n, s in (("gamma", gamma), ("beta", beta))]
    while constants and constants[-1] is None:
        constants.pop()
    graph = m.graph(m.builder.add("layer_normalization", "norm", attrs, [m.x, *constants]))
    x = np.random.default_rng(0).normal(1.0, 2.0, (4, 1, *SHAPE)).astype(np.float32)
    wide, axes = x.astype(np.float64), tuple(axis + 1 for axis in attrs.axes)
    centre = wide.mean(axis=axes, keepdims=True) if attrs.centered else 0.0
    variance = ((wide - centre) ** 2).mean(axis=axes, keepdims=True)
    expected = (wide - centre) / np.sqrt(variance + attrs.epsilon)
    if gamma is not None:
        expected = expected * graph.tensors["gamma"].data
    if beta is not None:
        expected = expected + graph.tensors["beta"].data
    lowered = lower_compositions(graph)
    assert lowered.nodes[-1].name == "norm"
    for y in (*run_graph(graph, [x]), *run_graph(lowered, [x]), *litert_ref(write_tflite(lowered), [x])):
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_rms_normalization_of_other_axes_is_refused() -> None:
    """Keras multiplies its scale with the last axes, whatever it is over."""
    builder = GraphBuilder("model", OPERATORS)
    layer = KerasLayer("norm", "RMSNormalization", {"axis": [1], "epsilon": 1e-6}, (np.ones(4, np.float32),))
    with pytest.raises(LayerRefused, match="last axes"):
        OPERATORS["layer_normalization"].from_keras(layer, [builder.input("x", (1, 4, 3))], builder)
