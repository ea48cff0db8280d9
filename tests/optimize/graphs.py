"""Small quantized graphs with channels that are constant, by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.broadcast_to import BroadcastToAttrs
from mcu_quant.ops.concatenation import ConcatenationAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.ops.relu import ReluAttrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.strided_slice import StridedSliceAttrs
from mcu_quant.ops.transpose import TransposeAttrs
from mcu_quant.ops.transpose_conv import TransposeConvAttrs

SCALE = 0.05
#: Beyond what any sum here can reach.
FAR = 10_000_000


@dataclass
class Net:
    """A graph under construction. Activations share SCALE, a zero_point and a type; nodes are n0, n1, …"""

    zero_point: int = -128
    seed: int = 0
    dtype: str = "int8"
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    @property
    def quant(self) -> QuantParams:
        return QuantParams.per_tensor(SCALE, self.zero_point)

    def input(self, *shape: int) -> str:
        return self._keep(Tensor("x", shape, self.dtype, self.quant))

    def add(self, op: str, attrs: Any, *inputs: str | None) -> str:
        tensors = [self.tensors[name] for name in inputs if name is not None]
        (shape,) = OPERATORS[op].output_shapes(attrs, [tensor.shape for tensor in tensors])
        name = f"n{len(self.nodes)}"
        self.nodes.append(Node(name, op, attrs, inputs, (name,)))
        return self._keep(Tensor(name, shape, self.dtype, self.quant))

    def conv(self, x: str, outputs: int, size: int = 1, **options: Any) -> str:
        """constants: output channel to the value above the zero_point that it always has."""
        depth = self.tensors[x].shape[3] // options.pop("groups", 1)
        return self._filters("conv_2d", Conv2DAttrs, x, (outputs, size, size, depth), 0, options)

    def depthwise(self, x: str, multiplier: int = 1, size: int = 3, **options: Any) -> str:
        shape = (1, size, size, self.tensors[x].shape[3] * multiplier)
        return self._filters("depthwise_conv_2d", DepthwiseConv2DAttrs, x, shape, 3, options)

    def transposed(
        self, x: str, outputs: int, output_size: tuple[int, int], size: int = 3, **options: Any
    ) -> str:
        shape = (outputs, size, size, self.tensors[x].shape[3])
        options = {"output_size": output_size, "strides": (2, 2), **options}
        return self._filters("transpose_conv", TransposeConvAttrs, x, shape, 0, options)

    def dense(self, x: str, outputs: int, inputs: int | None = None, **options: Any) -> str:
        shape = (outputs, inputs or self.tensors[x].shape[-1])
        return self._filters("fully_connected", FullyConnectedAttrs, x, shape, 0, options)

    def graph(self, *outputs: str) -> Graph:
        return check(Graph("net", tuple(self.nodes), self.tensors, ("x",), outputs))

    def _filters(
        self, op: str, attrs: Callable[..., Any], x: str, shape: tuple[int, ...], axis: int, options: Any
    ) -> str:
        constants: dict[int, int] = options.pop("constants", {})
        weights = options.pop("weights", None)
        bias = options.pop("bias", True)
        if weights is None:
            weights = self.rng.integers(-127, 128, shape)
        data = np.asarray(weights, np.int8).copy()
        scales = self.rng.uniform(0.002, 0.02, shape[axis])
        finer = 1 if self.dtype == "int8" else 2**14  # FAR stays beyond the sums
        offset = self.rng.integers(-2000, 2000, shape[axis]) * finer
        for channel, value in constants.items():
            if value in (-FAR, FAR):
                offset[channel] = value * finer
                continue
            np.moveaxis(data, axis, 0)[channel] = 0
            scales[channel], offset[channel] = 2.0**-6, value * 64
        quant = QuantParams.per_channel(scales, axis)
        name = f"n{len(self.nodes)}"
        inputs: list[str | None] = [x, self._keep(Tensor.constant(f"{name}/w", data, quant))]
        if bias:
            inputs.append(
                self._keep(Tensor.constant(f"{name}/b", offset.astype(np.int32 if finer == 1 else np.int64)))
            )
        return self.add(op, attrs(**options), *inputs)

    def _keep(self, tensor: Tensor) -> str:
        self.tensors[tensor.name] = tensor
        return tensor.name


@dataclass(frozen=True)
class Example:
    """A graph, and how many channels its activations have when optimized; others keep theirs."""

    graph: Graph
    channels: dict[str, int]


#: Four of eight channels, by saturation or by their bias alone.
LOW = dict.fromkeys((1, 2, 5, 7), -FAR)


def values(*given: int) -> dict[int, int]:
    return dict(zip((1, 2, 5, 7), given, strict=True))


def padded_with_the_zero_point() -> Example:
    net = Net(zero_point=-128)
    x = net.conv(net.input(1, 6, 5, 3), 8, constants=LOW, activation="relu")
    return Example(net.graph(net.conv(x, 6, 3)), {x: 4})


def padded_with_another_value() -> Example:
    net = Net(zero_point=-20)
    x = net.conv(net.input(1, 6, 5, 3), 8, constants=values(3, 30, -7, 1))
    return Example(net.graph(net.conv(x, 6, 3)), {})


def another_value_and_no_padding() -> Example:
    net = Net(zero_point=-20)
    x = net.conv(net.input(1, 6, 5, 3), 8, constants=values(3, 30, -7, 1), bias=True)
    return Example(net.graph(net.conv(x, 6, 3, padding="valid", bias=False)), {x: 4})


def another_value_where_padding_meets_no_weights() -> Example:
    net = Net(zero_point=5)
    x = net.conv(net.input(1, 6, 5, 3), 8, constants=values(3, 30, -7, 1))
    weights = np.zeros((6, 3, 3, 8))
    weights[:, 1, 1] = net.rng.integers(-127, 128, (6, 8))
    return Example(net.graph(net.conv(x, 6, 3, weights=weights)), {x: 4})


def constant_but_for_the_padding() -> Example:
    net = Net(zero_point=0)
    x = net.conv(net.input(1, 6, 5, 3), 8, constants=values(40, 40, 40, 40))
    x = net.depthwise(x)
    return Example(net.graph(net.conv(x, 6)), {})


def one_reader_needs_them() -> Example:
    net = Net(zero_point=0)
    x = net.conv(net.input(1, 6, 5, 3), 8, constants=values(3, 30, -7, 1))
    return Example(net.graph(net.conv(x, 6, 1), net.conv(x, 6, 3)), {})


def both_readers_do_without() -> Example:
    net = Net(zero_point=0)
    x = net.conv(net.input(1, 6, 5, 3), 8, constants=values(0, 0, 0, 0))
    return Example(net.graph(net.conv(x, 6, 1), net.conv(x, 6, 3)), {x: 4})


def depthwise_chain() -> Example:
    net = Net(zero_point=-128)
    a = net.conv(net.input(1, 9, 8, 3), 8, constants=LOW, activation="relu")
    b = net.depthwise(a, constants=LOW, activation="relu")
    c = net.depthwise(b, 2, strides=(2, 2), bias=False, activation="relu")
    d = net.add("max_pool_2d", Pool2DAttrs((2, 2), (2, 2)), c)
    return Example(net.graph(net.conv(d, 5)), {a: 4, b: 4, c: 8, d: 8})


def depthwise_makes_them_constant() -> Example:
    net = Net(zero_point=-128)
    a = net.conv(net.input(1, 6, 5, 3), 8)
    b = net.depthwise(a, constants=LOW, activation="relu")
    return Example(net.graph(net.conv(b, 5, 3)), {a: 4, b: 4})


def residual_with_constants_on_one_branch() -> Example:
    net = Net(zero_point=-10)
    a = net.conv(net.input(1, 6, 5, 3), 8)
    b = net.conv(a, 8, constants=LOW)
    c = net.conv(b, 8, 3, constants=dict.fromkeys(range(6), FAR))
    d = net.add("add", ArithmeticAttrs(), a, c)
    return Example(net.graph(net.conv(d, 4, constants=dict.fromkeys((0, 1, 2), FAR))), {})


def a_branch_that_is_constant_needs_no_input() -> Example:
    net = Net(zero_point=-10)
    x = net.input(1, 6, 5, 3)
    b = net.conv(x, 16)
    c = net.conv(b, 3, 3, constants=dict.fromkeys(range(3), FAR))
    d = net.add("add", ArithmeticAttrs(), x, c)
    return Example(net.graph(d), {b: 4})


def constant_output() -> Example:
    net = Net(zero_point=-10)
    a = net.conv(net.input(1, 6, 5, 3), 12)
    b = net.add("mean", ReductionAttrs((1, 2)), a)
    return Example(net.graph(net.dense(b, 2, constants={0: FAR, 1: -FAR})), {a: 4, b: 4})


def flattened() -> Example:
    net = Net(zero_point=7)
    a = net.conv(net.input(1, 4, 3, 3), 8, constants=values(5, -5, 0, 100))
    b = net.add("pad", PadAttrs(((0, 0), (0, 0), (0, 0), (0, 0))), a)
    c = net.add("reshape", ReshapeAttrs((1, 96)), b)
    return Example(net.graph(net.dense(c, 6, bias=False)), {a: 4, b: 4, c: 48})


def dense_over_an_image() -> Example:
    net = Net(zero_point=7)
    a = net.conv(net.input(1, 4, 3, 3), 8, constants=values(5, -5, 0, 100))
    return Example(net.graph(net.dense(a, 6, inputs=4 * 3 * 8)), {a: 4})


def dense_over_part_of_a_pixel() -> Example:
    net = Net(zero_point=7)
    a = net.conv(net.input(1, 4, 3, 3), 8, constants=values(5, -5, 0, 100))
    return Example(net.graph(net.dense(a, 6, inputs=4), net.dense(a, 6, inputs=12)), {})


def padded_by_an_operator() -> Example:
    net = Net(zero_point=7)
    a = net.conv(net.input(1, 4, 3, 3), 8, constants=values(0, 0, 0, 0))
    b = net.add("pad", PadAttrs(((0, 0), (1, 0), (2, 1), (0, 0))), a)
    c = net.conv(b, 8, constants=values(9, 9, 9, 9))
    d = net.add("pad", PadAttrs(((0, 0), (1, 0), (2, 1), (0, 0))), c)
    return Example(net.graph(net.conv(d, 6)), {a: 4, b: 4})


def sliced() -> Example:
    net = Net(zero_point=7)
    a = net.conv(net.input(1, 4, 3, 3), 8, constants=values(1, 2, 3, 4))
    b = net.add("strided_slice", StridedSliceAttrs((0, 1, 0, 0), (1, 2, 1, 1), (1, 2, 3, 8)), a)
    c = net.conv(b, 6)
    return Example(net.graph(c), {a: 4, b: 4})


def turned() -> Example:
    net = Net(zero_point=7)
    a = net.conv(net.input(1, 4, 3, 3), 8, constants=values(1, 2, 3, 4))
    b = net.add("transpose", TransposeAttrs((0, 2, 1, 3)), a)
    return Example(net.graph(net.conv(b, 6)), {a: 4, b: 4})


def turned_channels() -> Example:
    net = Net(zero_point=7)
    a = net.conv(net.input(1, 4, 3, 3), 8, constants=values(1, 2, 3, 4))
    return Example(net.graph(net.conv(net.add("transpose", TransposeAttrs((0, 1, 3, 2)), a), 6)), {})


def repeated() -> Example:
    net = Net(zero_point=7)
    a = net.conv(net.input(1, 1, 3, 3), 8, constants=values(1, 2, 3, 4))
    b = net.add("broadcast_to", BroadcastToAttrs((1, 4, 3, 8)), a)
    return Example(net.graph(net.conv(b, 6)), {a: 4, b: 4})


def sliced_channels() -> Example:
    net = Net(zero_point=7)
    a = net.conv(net.input(1, 4, 3, 3), 8, constants=values(1, 2, 3, 4))
    b = net.add("strided_slice", StridedSliceAttrs((0, 1, 0, 0), (1, 1, 1, 2), (1, 2, 3, 4)), a)
    return Example(net.graph(net.conv(b, 2)), {})


def concatenated() -> Example:
    net = Net(zero_point=7)
    x = net.input(1, 4, 3, 3)
    a, b = net.conv(x, 8, constants=LOW), net.conv(x, 4)
    return Example(net.graph(net.conv(net.add("concatenation", ConcatenationAttrs(3), a, b), 6)), {})


def grouped() -> Example:
    net = Net(zero_point=7)
    a = net.conv(net.input(1, 4, 3, 3), 8, constants=LOW)
    b = net.conv(a, 8, groups=2, constants=LOW)
    return Example(net.graph(net.conv(b, 6)), {})


def activations_between() -> Example:
    net = Net(zero_point=0)
    a = net.conv(net.input(1, 4, 3, 3), 8, constants=values(-3, -30, -7, -1))
    b = net.add("relu", ReluAttrs(), a)
    return Example(net.graph(net.conv(b, 6, 3)), {a: 4, b: 4})


def transposed() -> Example:
    """Of what nothing adds, channels go; a value that only some taps add stays."""
    net = Net(zero_point=3)
    a = net.conv(net.input(1, 4, 3, 3), 8, constants=values(0, 0, 0, 0))
    b = net.transposed(a, 8, (8, 6), constants=values(5, 6, -7, 8))
    c = net.transposed(b, 6, (16, 12), 2)
    d = net.transposed(b, 6, (16, 12))
    return Example(net.graph(c, d), {a: 4})


def transposed_alike() -> Example:
    """Where filters meet every output by one tap, any constant goes."""
    net = Net(zero_point=3)
    a = net.conv(net.input(1, 4, 3, 3), 8, constants=values(9, -9, 1, 2))
    weights = np.repeat(np.repeat(net.rng.integers(-127, 128, (6, 1, 1, 8)), 2, 1), 2, 2)
    return Example(net.graph(net.transposed(a, 6, (8, 6), 2, weights=weights)), {a: 4})


def unused_channels() -> Example:
    net = Net(zero_point=3)
    a = net.conv(net.input(1, 4, 3, 3), 8)
    b = net.depthwise(a)
    weights = net.rng.integers(-127, 128, (6, 3, 3, 8))
    weights[..., [0, 2, 3, 6]] = 0
    return Example(net.graph(net.conv(b, 6, 3, weights=weights)), {a: 4, b: 4})


def shared_weights() -> Example:
    net = Net(zero_point=3)
    x = net.input(1, 4, 3, 3)
    a, b = net.conv(x, 8, constants=LOW), net.conv(x, 8)
    c = net.conv(a, 6)
    node = net.nodes[-1]
    d = net.add("conv_2d", node.attrs, b, *node.inputs[1:])
    return Example(net.graph(c, d), {a: 4})


EXAMPLES: Sequence[Callable[[], Example]] = (
    padded_with_the_zero_point,
    padded_with_another_value,
    another_value_and_no_padding,
    another_value_where_padding_meets_no_weights,
    constant_but_for_the_padding,
    one_reader_needs_them,
    both_readers_do_without,
    depthwise_chain,
    depthwise_makes_them_constant,
    residual_with_constants_on_one_branch,
    a_branch_that_is_constant_needs_no_input,
    constant_output,
    flattened,
    dense_over_an_image,
    dense_over_part_of_a_pixel,
    padded_by_an_operator,
    sliced,
    turned,
    turned_channels,
    repeated,
    sliced_channels,
    concatenated,
    grouped,
    activations_between,
    transposed,
    transposed_alike,
    unused_channels,
    shared_weights,
)
