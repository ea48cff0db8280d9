"""Small float graphs for the passes: built by hand, run before and after."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.batch_normalization import BatchNormalizationAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import GraphBuilder
from mcu_quant.ops.reshape import ReshapeAttrs


class Model:
    """A GraphBuilder with the layers that the tests use; random weights from a fixed seed."""

    def __init__(self, *shape: int, seed: int = 0) -> None:
        self.builder = GraphBuilder("model", OPERATORS)
        self.x = self.builder.input("x", (1, *shape))
        self.random = np.random.default_rng(seed)

    def node(self, op: str, name: str, attrs: Any, *inputs: str) -> str:
        return self.builder.add(op, name, attrs, inputs)

    def constant(self, name: str, *shape: int) -> str:
        return self.builder.constant(name, self.random.normal(size=shape))

    def conv(
        self, x: str, name: str, filters: int, size: int = 3, groups: int = 1, bias: bool = True, **attrs: Any
    ) -> str:
        channels = self.builder.shape(x)[3] // groups
        inputs = [x, self.constant(f"{name}/kernel", filters, size, size, channels)]
        inputs += [self.constant(f"{name}/bias", filters)] if bias else []
        return self.node("conv_2d", name, Conv2DAttrs(**attrs), *inputs)

    def depthwise(self, x: str, name: str, multiplier: int = 1, **attrs: Any) -> str:
        channels = self.builder.shape(x)[3] * multiplier
        weights = self.constant(f"{name}/kernel", 1, 3, 3, channels)
        return self.node("depthwise_conv_2d", name, DepthwiseConv2DAttrs(**attrs), x, weights)

    def dense(self, x: str, name: str, units: int) -> str:
        weights = self.constant(f"{name}/kernel", units, self.builder.shape(x)[-1])
        return self.node(
            "fully_connected", name, FullyConnectedAttrs(), x, weights, self.constant(f"{name}/b", units)
        )

    def norm(self, x: str, name: str, positive: bool = False, centred: bool = False) -> str:
        channels = self.builder.shape(x)[-1]
        values = {part: self.random.normal(size=channels) for part in ("gamma", "beta", "mean")}
        values["variance"] = self.random.uniform(0.1, 3, channels)
        if positive:
            values["gamma"] = np.abs(values["gamma"])
        if centred:
            values["beta"] = values["mean"] = np.zeros(channels)
        constants = [self.builder.constant(f"{name}/{part}", value) for part, value in values.items()]
        return self.node("batch_normalization", name, BatchNormalizationAttrs(), x, *constants)

    def reshape(self, x: str, name: str, *shape: int) -> str:
        return self.node("reshape", name, ReshapeAttrs(shape=(1, *shape)), x)

    def graph(self, *outputs: str) -> Graph:
        return self.builder.graph(outputs)


def operators(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def assert_same_meaning(before: Graph, after: Graph) -> None:
    """Both graphs give the same numbers (to float32 rounding) under the same names."""
    assert (before.inputs, before.outputs) == (after.inputs, after.outputs)
    random = np.random.default_rng(5)
    inputs = [random.normal(size=(3, *t.shape)).astype(np.float32) for t in before.input_tensors()]
    pairs = zip(run_graph(before, inputs), run_graph(after, inputs), strict=True)
    for expected, actual in pairs:
        assert expected.shape == actual.shape
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
