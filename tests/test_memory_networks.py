"""The memory plan of networks of inverted residuals, as MobileNetV2 and MCUNet have them, weights drawn."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from mcu_quant import addresses
from mcu_quant.deployment import GenerateOptions
from mcu_quant.fitting import choose_and_plan
from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check
from mcu_quant.kernels.base import CORES
from mcu_quant.memory import overlaps, plan_memory
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from tests.test_memory import random_graph

#: A block: expansion, filter, stride, output channels.
Block = tuple[int, int, int, int]

#: MobileNetV2 at width 0.35 (its table 2), and shapes as the MCUNet search finds them: filters of 3, 5 and 7.
MOBILENET: tuple[Block, ...] = (
    (1, 3, 1, 8),
    *((6, 3, 2, 8), (6, 3, 1, 8)),
    *((6, 3, 2, 16), (6, 3, 1, 16), (6, 3, 1, 16)),
    *((6, 3, 2, 24), (6, 3, 1, 24), (6, 3, 1, 24), (6, 3, 1, 24)),
    *((6, 3, 1, 32), (6, 3, 1, 32), (6, 3, 1, 32)),
    *((6, 3, 2, 56), (6, 3, 1, 56), (6, 3, 1, 56), (6, 3, 1, 112)),
)
MCUNET: tuple[Block, ...] = (
    *((1, 3, 1, 8), (3, 7, 2, 16), (5, 3, 1, 16), (5, 3, 1, 16), (4, 3, 1, 16)),
    *((5, 5, 2, 24), (5, 5, 1, 24), (5, 5, 1, 24), (5, 5, 2, 40), (6, 7, 1, 40), (4, 5, 1, 40)),
    *((5, 5, 1, 48), (5, 3, 1, 48), (4, 3, 1, 48), (5, 5, 2, 96), (5, 5, 1, 96), (4, 5, 1, 96)),
)


class Draft:
    def __init__(self, size: int) -> None:
        self.generator = np.random.default_rng(0)
        self.tensors = {"x": Tensor("x", (1, size, size, 3), "int8", QuantParams.per_tensor(0.05, 0))}
        self.nodes: list[Node] = []
        self.last = "x"

    def conv(self, channels: int, filter_size: int, stride: int, activation: str = "relu6") -> None:
        depth = self.tensors[self.last].shape[3]
        attrs = Conv2DAttrs((stride, stride), "same", (1, 1), activation)
        self._linear("conv_2d", attrs, (channels, filter_size, filter_size, depth), channels, 0)

    def depthwise(self, filter_size: int, stride: int) -> None:
        depth = self.tensors[self.last].shape[3]
        attrs = DepthwiseConv2DAttrs((stride, stride), "same", (1, 1), "relu6")
        self._linear("depthwise_conv_2d", attrs, (1, filter_size, filter_size, depth), depth, 3)

    def block(self, block: Block) -> None:
        expansion, filter_size, stride, channels = block
        start = self.last
        if expansion > 1:
            self.conv(expansion * self.tensors[start].shape[3], 1, 1)
        self.depthwise(filter_size, stride)
        self.conv(channels, 1, 1, "none")
        if self.tensors[self.last].shape == self.tensors[start].shape:
            self.add("add", ArithmeticAttrs(), [start, self.last])

    def add(self, op: str, attrs: object, inputs: list[str]) -> None:
        (shape,) = OPERATORS[op].output_shapes(attrs, [self.tensors[name].shape for name in inputs])
        self.last = f"t{len(self.nodes)}"
        self.tensors[self.last] = Tensor(self.last, shape, "int8", QuantParams.per_tensor(0.1, -3))
        self.nodes.append(Node(self.last, op, attrs, tuple(inputs), (self.last,)))

    def _linear(
        self, op: str, attrs: object, shape: tuple[int, ...], channels: int, channel_axis: int
    ) -> None:
        name = f"t{len(self.nodes)}"
        data = self.generator.integers(-127, 128, shape).astype(np.int8)
        quant = QuantParams.per_channel([0.004] * channels, channel_axis)
        bias = self.generator.integers(-999, 1000, channels).astype(np.int32)
        self.tensors[f"{name}/w"] = Tensor.constant(f"{name}/w", data, quant)
        self.tensors[f"{name}/b"] = Tensor.constant(f"{name}/b", bias)
        self.add(op, attrs, [self.last, f"{name}/w", f"{name}/b"])


def network(size: int, stem: int, blocks: tuple[Block, ...]) -> Graph:
    draft = Draft(size)
    draft.conv(stem, 3, 2)
    for block in blocks:
        draft.block(block)
    draft.conv(2 * draft.tensors[draft.last].shape[3], 1, 1)
    draft.add("mean", ReductionAttrs((1, 2), False), [draft.last])
    return check(Graph("net", tuple(draft.nodes), draft.tensors, ("x",), (draft.last,)))


def wider(blocks: tuple[Block, ...], width: float) -> tuple[Block, ...]:
    """With that many times the channels, in multiples of 8."""
    return tuple((e, f, s, max(8, int(c * width + 4) // 8 * 8)) for e, f, s, c in blocks)


@pytest.mark.slow
@pytest.mark.parametrize("optimize", ["balanced", "size"])
@pytest.mark.parametrize("width", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("size", [64, 96, 128, 160])
@pytest.mark.parametrize("blocks", [MOBILENET, MCUNET], ids=["mobilenet", "mcunet"])
def test_the_arena_is_close_to_the_lower_bound(
    blocks: tuple[Block, ...], size: int, width: float, optimize: str
) -> None:
    """At 64 pixels the planes of MCUNet's 7x7 filters were 8 % of the arena."""
    graph = network(size, max(8, round(16 * width)), wider(blocks, width))
    fit = choose_and_plan(graph, CORES["cortex-m4"], GenerateOptions(optimize=optimize))
    assert not overlaps(fit.graph, fit.kernels, fit.plan)
    assert fit.plan.arena_bytes <= 1.05 * fit.plan.lower_bound


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one whenever a block is given an address: what planning is made of."""
    blocks: list[int] = []
    right = addresses._Problem.lowest

    def counted(self: addresses._Problem, block: int, *rest: Any) -> int:
        blocks.append(block)
        return right(self, block, *rest)

    monkeypatch.setattr(addresses._Problem, "lowest", counted)
    return blocks


@pytest.mark.slow
@pytest.mark.parametrize(("share", "most"), [(1.0, 150_000), (0.5, 1_000_000)])
@pytest.mark.parametrize("blocks", [MOBILENET, MCUNET], ids=["mobilenet", "mcunet"])
def test_sixty_operators_are_planned_in_a_bounded_number_of_steps(
    blocks: tuple[Block, ...], share: float, most: int, placed: list[int]
) -> None:
    """Counted, not timed. Where it was written they took 0.6 s without a limit of RAM and 4 s with one."""
    graph, core = network(96, 16, blocks), CORES["cortex-m4"]
    assert len(graph.nodes) >= 60
    arena = choose_and_plan(graph, core, GenerateOptions()).plan.arena_bytes
    if share < 1:
        choose_and_plan(graph, core, GenerateOptions(), int(share * arena))
    assert 0 < len(placed) <= most


@pytest.mark.parametrize("seed", range(3))
def test_a_mesh_of_sixty_operators_is_planned_in_a_bounded_number_of_steps(
    seed: int, placed: list[int]
) -> None:
    graph, kernels = random_graph(random.Random(seed), 60)
    plan_memory(graph, kernels)
    assert 0 < len(placed) <= 150_000
