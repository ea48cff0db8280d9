"""Random graphs of operators that map rows to rows, and deployments of them with some layers in bands."""

from __future__ import annotations

import random

import numpy as np

from mcu_quant.banding import with_bands
from mcu_quant.bands.choice import KernelChoice
from mcu_quant.bands.program import is_aligned
from mcu_quant.bands.schedule import Schedule
from mcu_quant.bands.segment import BandedSegment, VariantPool, find_segments
from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.ir import Graph, Node, QuantParams, Tensor
from mcu_quant.kernels import able_kernels, usable_kernels
from mcu_quant.kernels.base import CORES
from mcu_quant.memory import plan_memory
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.relu import ReluAttrs
from mcu_quant.optimize.ranges import annotate_ranges
from tests.codegen.deployments import activation, bias, graph_of, weights

KINDS = ("conv", "conv", "conv", "depthwise", "depthwise", "max_pool", "average_pool", "relu", "gain", "sum")


class ImageGraph:
    """A chain of operators over images, with sums that reach back."""

    def __init__(self, generator: random.Random) -> None:
        self.draw = generator
        size = (1, generator.randint(5, 14), generator.randint(4, 9), generator.choice((1, 3, 4, 8)))
        self.images = [activation("x", size)]
        self.tensors = list(self.images)
        self.nodes: list[Node] = []

    def grow(self) -> None:
        """One more operator, if its output has rows."""
        getattr(self, f"_{self.draw.choice(KINDS)}")(self.images[-1], f"n{len(self.nodes)}")

    def _conv(self, x: Tensor, name: str) -> None:
        outputs, depth = self.draw.choice((4, 4, 8, 5)), x.shape[3]
        self._window(x, name, "conv_2d", Conv2DAttrs, (outputs, *self._filter(), depth), 0)

    def _depthwise(self, x: Tensor, name: str) -> None:
        shape = (1, *self._filter(), x.shape[3] * self.draw.choice((1, 1, 2)))
        self._window(x, name, "depthwise_conv_2d", DepthwiseConv2DAttrs, shape, 3)

    def _window(
        self, x: Tensor, name: str, op: str, attrs: type, shape: tuple[int, ...], channel_axis: int
    ) -> None:
        dilation = self.draw.choice((1, 1, 1, 2))
        steps = (1, 1) if dilation > 1 else self._strides()
        chosen = attrs(steps, self._padding(), (dilation, dilation), self.draw.choice(("none", "relu")))
        seed = self.draw.randrange(1000)
        w = weights(f"{name}/w", shape, channel_axis, seed)
        b = bias(f"{name}/b", shape[channel_axis], seed)
        self._add(name, op, chosen, [x, w, b])

    def _max_pool(self, x: Tensor, name: str, op: str = "max_pool_2d") -> None:
        attrs = Pool2DAttrs(self._filter(), self._strides(), self._padding())
        self._add(name, op, attrs, [x], x.quant)

    def _average_pool(self, x: Tensor, name: str) -> None:
        self._max_pool(x, name, "average_pool_2d")

    def _relu(self, x: Tensor, name: str) -> None:
        self._add(name, "relu", ReluAttrs(), [x])

    def _gain(self, x: Tensor, name: str) -> None:
        factor = np.random.default_rng(len(self.nodes)).integers(-127, 128, x.shape[3]).astype(np.int8)
        constant = Tensor.constant(f"{name}/factor", factor, QuantParams.per_tensor(0.01))
        self._add(name, "mul", ArithmeticAttrs(), [x, constant])

    def _sum(self, x: Tensor, name: str) -> None:
        other = self.draw.choice([image for image in self.images if image.shape == x.shape])
        operands = [x, other] if self.draw.random() < 0.5 else [other, x]
        self._add(name, "add", ArithmeticAttrs(), operands)

    def _filter(self) -> tuple[int, int]:
        return self.draw.choice(((3, 3), (3, 3), (1, 1), (2, 2), (5, 3), (1, 3), (4, 1)))

    def _strides(self) -> tuple[int, int]:
        return self.draw.choice(((1, 1), (1, 1), (1, 1), (2, 2), (2, 1), (3, 2)))

    def _padding(self) -> str:
        return self.draw.choice(("same", "same", "valid"))

    def _add(
        self, name: str, op: str, attrs: object, inputs: list[Tensor], quant: QuantParams | None = None
    ) -> None:
        (shape,) = OPERATORS[op].output_shapes(attrs, [tensor.shape for tensor in inputs])
        if min(shape) < 1 or shape[1] < 2 or shape[3] > 16:
            return
        own = QuantParams.per_tensor(0.02 * (2 + len(self.nodes) % 3), self.draw.randint(-20, 20))
        output = Tensor(name, shape, "int8", quant or own)
        self.images.append(output)
        self.tensors += [tensor for tensor in inputs if tensor.is_constant] + [output]
        self.nodes.append(Node(name, op, attrs, tuple(tensor.name for tensor in inputs), (name,)))


def random_graph(generator: random.Random, most: int = 8) -> Graph:
    """Two operators or more."""
    draft = ImageGraph(generator)
    for _ in range(generator.randint(2, most)):
        draft.grow()
    while len(draft.nodes) < 2:
        draft.grow()
    return annotate_ranges(graph_of(draft.nodes, draft.tensors, ["x"], [draft.nodes[-1].name]))


def banded_deployment(
    graph: Graph, generator: random.Random, core: str = "generic", *, keep_input: bool = False
) -> Deployment | None:
    """Some segment of the graph in bands of some rows, by some kernels; None if there is none."""
    segments = find_segments(graph, generator.randrange(len(graph.nodes)))
    if not segments:
        return None
    indices, segment = generator.choice(segments[-4:] + segments)
    schedule = Schedule(segment.stages, generator.randint(1, max(1, segment.height - 1)))
    banded = BandedSegment(segment, schedule, VariantPool())
    kernels = list(KernelChoice(CORES[core], usable_kernels(CORES[core])).kernels(banded))
    if not kernels or not is_aligned(banded):
        return None
    able = able_kernels(graph, CORES[core])
    fused, able = with_bands(graph, able, indices, (generator.choice(kernels),))
    chosen = tuple(choices[0] for choices in able)
    plan = plan_memory(fused, chosen, keep_input=keep_input)
    options = GenerateOptions(keep_input=keep_input)
    return Deployment("net", fused, CORES[core], chosen, plan, options, "0" * 64, source=graph)
