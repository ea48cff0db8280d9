"""Small models over time, built by hand: what is refused, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.conv_2d import Conv2DAttrs

QUANT = QuantParams.per_tensor(0.1, 5)
CHANNELS = 2


class Model:
    """x [1, rows, 1, CHANNELS] and what layers make of it, one after the other."""

    def __init__(self, rows: int = 12) -> None:
        self.tensors = {"x": Tensor("x", (1, rows, 1, CHANNELS), "int8", QUANT)}
        self.nodes: list[Node] = []
        self.last = "x"

    def layer(self, name: str, op: str, attrs: Any = None, inputs: Sequence[str] = ()) -> Model:
        names = (self.last, *inputs)
        (shape,) = OPERATORS[op].output_shapes(attrs, [self.tensors[read].shape for read in names])
        self.tensors[name] = Tensor(name, tuple(shape), "int8", QUANT)
        self.nodes.append(Node(name, op, attrs, names, (name,)))
        self.last = name
        return self

    def conv(self, name: str, taps: int, stride: int = 1, padding: str = "valid", dilation: int = 1) -> Model:
        rng = np.random.default_rng(len(self.nodes))
        weights = rng.integers(-9, 10, (CHANNELS, taps, 1, CHANNELS)).astype(np.int8)
        bias = rng.integers(-2000, 2000, CHANNELS).astype(np.int32)
        scale = QuantParams.per_tensor(0.02)
        for constant, data, quant in (
            (f"{name}/w", weights, scale),
            (f"{name}/b", bias, QuantParams.per_tensor(0.002)),
        ):
            self.tensors[constant] = Tensor.constant(constant, data, quant)
        attrs = Conv2DAttrs((stride, 1), padding, (dilation, 1))
        return self.layer(name, "conv_2d", attrs, (f"{name}/w", f"{name}/b"))

    def graph(self, *outputs: str) -> Graph:
        graph = Graph("model", tuple(self.nodes), self.tensors, ("x",), outputs or (self.last,))
        return check(graph.with_())


def frames(hops: int, hop: int) -> np.ndarray:
    shape = (hops, 1, hop, 1, CHANNELS)
    return np.random.default_rng(hop).integers(-128, 128, shape).astype(np.int8)
