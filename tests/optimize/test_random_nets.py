"""Random networks, most of whose channels are constant."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.ir import Graph
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.ops.relu import ReluAttrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.support import require_supported
from mcu_quant.optimize import optimize
from tests.conftest import one_in_four_is_quick
from tests.optimize.graphs import FAR, Net
from tests.optimize.soundness import assert_in_range, assert_optimized_is_same, hard_samples

NETS = 60


def random_net(seed: int, dtype: str = "int8") -> Graph:
    """Some layers over an image, now and then with a branch, and perhaps a dense end."""
    rng = np.random.default_rng(seed)
    zero_point = int(rng.choice([-128, 127, 0, int(rng.integers(-128, 128))]))
    net = Net(zero_point if dtype == "int8" else 0, seed, dtype)
    x = net.input(1, int(rng.integers(3, 8)), int(rng.integers(3, 8)), int(rng.integers(1, 9)))
    ends = []
    for _ in range(rng.integers(2, 7)):
        y = _layer(net, rng, x)
        if rng.random() < 0.2:
            ends.append(_layer(net, rng, x))
        x = y
    if rng.random() < 0.5:
        image = net.tensors[x]
        flat = net.add("reshape", ReshapeAttrs((1, image.elements)), x)
        x = flat if rng.random() < 0.5 else net.add("mean", ReductionAttrs((1, 2)), x)
        x = net.dense(x, 9, constants=_constants(rng, 9), activation=_activation(rng))
        x = net.dense(x, 3, constants=_constants(rng, 3))
    read = {name for node in net.nodes for name in node.inputs}
    unread = [node.outputs[0] for node in net.nodes if node.outputs[0] not in read]
    return net.graph(*unread).with_()


def _layer(net: Net, rng: np.random.Generator, x: str) -> str:
    image = net.tensors[x].shape
    padding = "same" if rng.random() < 0.7 or min(image[1:3]) < 3 else "valid"
    kind = rng.choice(["conv", "conv", "depthwise", "transposed", "pool", "relu", "add"])
    if kind == "conv":
        outputs, size = int(rng.integers(1, 14)), int(rng.choice([1, 3]))
        options = {"activation": _activation(rng), "padding": padding, "bias": rng.random() < 0.8}
        return net.conv(x, outputs, size, constants=_constants(rng, outputs), **options)
    if kind == "depthwise":
        multiplier = int(rng.integers(1, 3))
        constants = _constants(rng, image[3] * multiplier)
        return net.depthwise(x, multiplier, constants=constants, activation=_activation(rng), padding=padding)
    if kind == "transposed":
        outputs, stride = int(rng.integers(1, 9)), int(rng.integers(1, 3))
        size = (min(image[1] * stride, 16), min(image[2] * stride, 16))
        return net.transposed(x, outputs, size, strides=(stride, stride), constants=_constants(rng, outputs))
    if kind == "pool":
        op = str(rng.choice(["max_pool_2d", "average_pool_2d"]))
        return net.add(op, Pool2DAttrs((3, 3), (1, 2), padding=padding), x)
    if kind == "relu":
        return net.add("relu", ReluAttrs(), x)
    return net.add("add", ArithmeticAttrs(_activation(rng)), x, net.conv(x, image[3]))


def _activation(rng: np.random.Generator) -> str:
    return str(rng.choice(["none", "relu", "relu6"]))


def _constants(rng: np.random.Generator, channels: int) -> dict[int, int]:
    """Of some channels: saturated at either end, the zero_point, or anything."""
    share = rng.choice([0.0, 0.5, 0.9, 1.0])
    values = (-FAR, FAR, 0, int(rng.integers(-100, 100)))
    return {c: int(rng.choice(values)) for c in range(channels) if rng.random() < share}


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=one_in_four_is_quick(seed)) for seed in range(NETS)]
)
def test_random_net(seed: int, dtype: str) -> None:
    graph = require_supported(random_net(seed, dtype))
    inputs = [hard_samples(tensor, 6, seed) for tensor in graph.input_tensors()]
    assert_in_range(graph, inputs)
    assert_optimized_is_same(graph, inputs)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_random_nets_have_something_to_remove(dtype: str) -> None:
    graphs = [random_net(seed, dtype) for seed in range(NETS)]
    pairs = [(graph, optimize(graph, GenerateOptions())) for graph in graphs]
    smaller = [elements(after) < elements(before) for before, after in pairs]
    assert sum(smaller) >= NETS // 3


def elements(graph: Graph) -> int:
    return sum(tensor.elements for node in graph.bound_nodes() for tensor in node.outputs)
