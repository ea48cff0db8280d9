"""A quantized graph under construction from hypothesis draws, and the draws that operators share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import Shape

Draw = Callable[[st.SearchStrategy[Any]], Any]

#: Elements of the largest activation, and multiply-accumulates of the largest operator.
MAX_ELEMENTS, MAX_MACS = 6000, 600_000

#: Channels: any few, or whole words and vectors, for which there are fast kernels.
CHANNELS = st.one_of(st.integers(1, 9), st.sampled_from([4, 8, 12, 16, 16, 20, 24, 32, 64]))

#: Scales are 2**-28 and more: below, TFLM's bounds of activations overflow their int32.
LEAST_EXPONENT = -28
#: Simple values first: that is where hypothesis shrinks to.
SCALES = st.one_of(
    st.sampled_from([0.5, 0.1, 1 / 256, 1 / 128]),
    st.floats(-10, 1).map(lambda exponent: float(np.float32(2.0**exponent))),
    st.floats(LEAST_EXPONENT, 10).map(lambda exponent: float(np.float32(2.0**exponent))),
)
ZERO_POINTS = st.one_of(st.sampled_from([0, -128, 127]), st.integers(-128, 127))
QUANTS = st.builds(QuantParams.per_tensor, SCALES, ZERO_POINTS)
SEEDS = st.integers(0, 2**32 - 1)
FUSED = st.sampled_from(["none", "none", "relu", "relu6", "relu_n1_to_1"])
WEIGHT_STYLES = ("uniform", "uniform", "small", "one", "extreme", "zero channel", "zero channels")


@dataclass
class GraphDraft:
    """draw: hypothesis'. Tensors are named t0, t1, … and so are the nodes that write them."""

    draw: Draw
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)

    def name(self) -> str:
        return f"t{len(self.tensors)}"

    def input(self, shape: Shape, quant: QuantParams | None, dtype: str = "int8") -> Tensor:
        tensor = self._keep(Tensor(self.name(), shape, dtype, quant))
        self.inputs.append(tensor.name)
        return tensor

    def constant(self, data: np.ndarray, quant: QuantParams | None = None) -> Tensor:
        return self._keep(Tensor.constant(self.name(), data, quant))

    def add(
        self,
        op: str,
        attrs: Any,
        inputs: Sequence[Tensor | None],
        quant: QuantParams | None,
        dtype: str = "int8",
    ) -> Tensor | None:
        """The node's output; None, and no node, where the shape would be empty or too large."""
        if inputs[0] is None:  # that one was not drawn either
            return None
        shapes = [tensor.shape for tensor in inputs if tensor is not None]
        shape = OPERATORS[op].output_shapes(attrs, shapes)[0]
        if any(size <= 0 for size in shape) or math.prod(shape) > MAX_ELEMENTS:
            return None
        output = self._keep(Tensor(self.name(), tuple(shape), dtype, quant))
        names = tuple(None if tensor is None else tensor.name for tensor in inputs)
        self.nodes.append(Node(output.name, op, attrs, names, (output.name,)))
        return output

    def activations(self, ranks: Sequence[int] = (), quant: QuantParams | None = None) -> list[Tensor]:
        """The int8 activations of those ranks (any if none is given), newest first."""
        return [
            tensor
            for tensor in reversed(self.tensors.values())
            if not tensor.is_constant
            and tensor.dtype == "int8"
            and (not ranks or len(tensor.shape) in ranks)
            and (quant is None or tensor.quant == quant)
        ]

    def pick(self, ranks: Sequence[int] = (), quant: QuantParams | None = None) -> Tensor | None:
        """One of the activations, the newest when shrunk; None if there is none."""
        found = self.activations(ranks, quant)
        return self.draw(st.sampled_from(found)) if found else None

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.draw(SEEDS))

    def graph(self, extra_outputs: int) -> Graph:
        """All that nothing reads is an output, and so are that many of the other activations."""
        read = {name for node in self.nodes for name in node.inputs}
        written = [node.outputs[0] for node in self.nodes]
        ends = [name for name in written if name not in read]
        kept = [name for name in written if self.tensors[name].dtype != "float32"]
        middles = [name for name in kept if name in read][:extra_outputs]
        inputs = tuple(name for name in self.inputs if name in read)
        return check(Graph("hunted", tuple(self.nodes), self.tensors, inputs, (*ends, *middles)).with_())

    def _keep(self, tensor: Tensor) -> Tensor:
        self.tensors[tensor.name] = tensor
        return tensor


def draw_weights(draft: GraphDraft, shape: Shape, channel_axis: int) -> Tensor:
    """int8 weights of some style, per tensor or per channel."""
    draw, rng = draft.draw, draft.rng()
    style = draw(st.sampled_from(WEIGHT_STYLES))
    if style == "small":
        data = rng.integers(-2, 3, shape)
    elif style == "one":
        data = np.ones(shape)
    elif style == "extreme":
        data = rng.choice([-127, 127, -128], shape)
    else:
        data = rng.integers(-127, 128, shape)
    if style == "zero channel":
        np.moveaxis(data, channel_axis, 0)[rng.integers(shape[channel_axis])] = 0
    if style == "zero channels":
        np.moveaxis(data, channel_axis, 0)[rng.integers(0, 2, shape[channel_axis]) == 0] = 0
    scale = draw(SCALES)
    quant = QuantParams.per_tensor(scale)
    if draw(st.booleans()):
        spread = draw(st.sampled_from([1.0, 4.0, 1000.0]))
        scales = scale * spread ** rng.uniform(-1, 1, shape[channel_axis])
        quant = QuantParams.per_channel(np.maximum(scales, 1e-30), channel_axis)
    return draft.constant(data.astype(np.int8), quant)


def draw_bias(draft: GraphDraft, x: Tensor, weights: Tensor, channels: int) -> Tensor:
    """An int32 bias that leaves the accumulator room."""
    assert weights.data is not None and weights.quant is not None and x.quant is not None
    taps = weights.elements // max(weights.shape[0], 1) if weights.shape[0] != 1 else weights.elements
    room = 2**31 - 1 - taps * 255 * 128
    size = draft.draw(st.sampled_from([0, 100, 10_000, 2**20, room]))
    rng = draft.rng()
    data = rng.integers(-size, size + 1, channels).astype(np.int32)
    scales = x.quant.scale[0] * np.asarray(weights.quant.scale)
    scales = np.maximum(scales, np.finfo(np.float32).tiny)
    if len(scales) == 1:
        return draft.constant(data, QuantParams.per_tensor(float(scales[0])))
    return draft.constant(data, QuantParams.per_channel(scales, 0))


def draw_output_quant(draft: GraphDraft, typical: float) -> QuantParams:
    """Mostly such that a typical value (real) is some tens of steps; now and then anything."""
    draw = draft.draw
    if draw(st.integers(0, 9)) == 9:
        return draw(QUANTS)
    scale = typical / 40 * 2.0 ** draw(st.integers(-3, 3))
    return QuantParams.per_tensor(min(max(scale, 2.0**LEAST_EXPONENT), 1e30), draw(ZERO_POINTS))
