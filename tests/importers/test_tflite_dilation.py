"""Convolutions between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND are read as dilated ones.

LiteRT is the oracle, TFLM is none: the border of its SPACE_TO_BATCH_ND is whatever its memory holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import UnsupportedModelError
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph, QuantParams, Tensor
from mcu_quant.ops.interpreter import run_graph
from tests.oracles import litert_ref
from tests.tflite_files import FileOp, integers, tflite_file

Pairs = Sequence[tuple[int, int]]
X, Y = QuantParams.per_tensor(0.05, -128), QuantParams.per_tensor(0.4, 5)


@dataclass(frozen=True)
class Chain:
    """shape: of the input, an image or [1, T, C]. open_batch: declared as if the batches were 1."""

    name: str
    shape: tuple[int, ...]
    block: tuple[int, ...]
    filter_size: tuple[int, int]
    paddings: Pairs
    crops: Pairs
    channels: int = 3
    depthwise: bool = False
    activation: int = 0
    open_batch: bool = False
    time_is_height: bool = False

    def __str__(self) -> str:
        return self.name

    def operators(self, dtype: str) -> list[FileOp]:
        quants = (X, Y) if dtype == "int8" else (None, None)
        batches, space = self.space()
        rest = self.shape[-1]
        x, named = Tensor("x", self.shape, dtype, quants[0]), {}
        middle = (*space, rest) if len(self.shape) == 3 else (*space, *self.shape[1 + len(space) :])
        named["batched"] = Tensor("batched", (batches, *middle), dtype, quants[0])
        image = self.image(named["batched"].shape)
        named["image"] = (
            Tensor("image", image, dtype, quants[0]) if len(self.shape) == 3 else named["batched"]
        )
        height, width = (size - side + 1 for size, side in zip(image[1:3], self.filter_size, strict=True))
        outputs = rest if self.depthwise else self.channels
        named["made"] = Tensor("made", (batches, height, width, outputs), dtype, quants[1])
        lines = (batches, height * width, outputs)
        flat = Tensor("flat", lines, dtype, quants[1]) if len(self.shape) == 3 else named["made"]
        target = self.target(named["made"].shape)
        chain = [FileOp("SPACE_TO_BATCH_ND", [x, *self.sides(self.paddings)], [named["batched"]])]
        if len(self.shape) == 3:
            axis = integers("axis", 2 if self.time_is_height else 1)
            chain.append(FileOp("EXPAND_DIMS", [named["batched"], axis], [named["image"]]))
        chain.append(self.convolution(named["image"], named["made"]))
        if len(self.shape) == 3:
            chain.append(FileOp("RESHAPE", [named["made"], integers("lines", [-1, *lines[1:]])], [flat]))
        y = Tensor("y", target, dtype, quants[1])
        return [*chain, FileOp("BATCH_TO_SPACE_ND", [flat, *self.sides(self.crops)], [y])]

    def space(self) -> tuple[int, list[int]]:
        """(batches, the space of each)."""
        sizes = zip(self.shape[1:], self.block, self.paddings, strict=False)
        space = [(size + before + after) // side for size, side, (before, after) in sizes]
        return (1 if self.open_batch else int(np.prod(self.block))), space

    def image(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) == 4:
            return shape
        batch, time, channels = shape
        return (batch, time, 1, channels) if self.time_is_height else (batch, 1, time, channels)

    def target(self, made: tuple[int, ...]) -> tuple[int, ...]:
        _, height, width, channels = made
        sizes = [height * width] if len(self.shape) == 3 else [height, width]
        space = [
            size * side - before - after
            for size, side, (before, after) in zip(sizes, self.block, self.crops, strict=False)
        ]
        return (1, *space, *sizes[len(space) :], channels)

    def sides(self, borders: Pairs) -> tuple[Tensor, Tensor]:
        return integers("block", list(self.block)), integers("borders", list(borders))

    def convolution(self, x: Tensor, y: Tensor) -> FileOp:
        rng = np.random.default_rng(3)
        inputs, outputs = x.shape[3], y.shape[3]
        shape = (1, *self.filter_size, outputs) if self.depthwise else (outputs, *self.filter_size, inputs)
        if x.dtype == "int8":
            data = rng.integers(-127, 128, shape).astype(np.int8)
            scale = QuantParams.per_channel([0.01] * outputs, 3 if self.depthwise else 0)
            weights = Tensor.constant("weights", data, scale)
            numbers = rng.integers(-999, 999, outputs).astype(np.int32)
            bias = Tensor.constant("bias", numbers, QuantParams.per_channel([0.05 * 0.01] * outputs, 0))
        else:
            weights = Tensor.constant("weights", rng.normal(size=shape).astype(np.float32))
            bias = Tensor.constant("bias", rng.normal(size=outputs).astype(np.float32))
        options: dict[str, Any] = {"padding": 1, "strideH": 1, "strideW": 1}
        options |= {"dilationHFactor": 1, "dilationWFactor": 1, "fusedActivationFunction": self.activation}
        if not self.depthwise:
            return FileOp("CONV_2D", [x, weights, bias], [y], options | {"type": "Conv2DOptions"}, 3)
        options |= {"depthMultiplier": 1, "type": "DepthwiseConv2DOptions"}
        return FileOp("DEPTHWISE_CONV_2D", [x, weights, bias], [y], options, 3)

    def graph(self, dtype: str) -> tuple[bytes, Graph]:
        operators = self.operators(dtype)
        file = tflite_file(operators, operators[-1].outputs)
        return file, read_tflite(file, "net")


NONE2 = [(0, 0), (0, 0)]
CASES = [
    Chain("same", (1, 9, 8, 2), (2, 2), (3, 3), [(2, 3), (2, 2)], [(0, 1), (0, 0)]),
    Chain(
        "same_open_batch", (1, 9, 8, 2), (2, 2), (3, 3), [(2, 3), (2, 2)], [(0, 1), (0, 0)], open_batch=True
    ),
    Chain("valid", (1, 8, 9, 2), (2, 3), (3, 2), NONE2, NONE2),
    Chain("valid_with_rest", (1, 9, 11, 1), (2, 3), (3, 3), [(0, 1), (0, 1)], [(0, 1), (0, 1)], activation=1),
    Chain("rows_only", (1, 9, 5, 2), (3, 1), (3, 3), [(0, 0), (0, 0)], NONE2),
    Chain("columns_only", (1, 5, 8, 2), (1, 4), (1, 2), NONE2, NONE2, activation=3),
    Chain("uneven", (1, 7, 7, 2), (2, 2), (2, 3), [(3, 0), (4, 1)], [(1, 0), (0, 1)]),
    Chain("depthwise", (1, 9, 8, 5), (2, 2), (3, 3), [(2, 3), (2, 2)], [(0, 1), (0, 0)], depthwise=True),
    Chain("depthwise_valid", (1, 8, 8, 3), (4, 2), (2, 2), NONE2, NONE2, depthwise=True, open_batch=True),
    Chain("cut_in_front", (1, 6, 6, 2), (2, 2), (2, 2), [(2, 2), (2, 2)], [(2, 1), (1, 2)]),
    Chain("pixel", (1, 4, 4, 2), (3, 3), (2, 2), [(1, 1), (1, 1)], NONE2),
    Chain("causal", (1, 13, 2), (4,), (1, 3), [(8, 3)], [(0, 3)], open_batch=True),
    Chain("time_valid", (1, 12, 2), (2,), (1, 3), [(0, 0)], [(0, 0)], activation=1),
    Chain("time_is_height", (1, 12, 3), (3,), (2, 1), [(3, 0)], [(0, 0)], time_is_height=True),
    Chain("time_same", (1, 10, 2), (2,), (1, 3), [(2, 2)], [(0, 0)]),
    Chain("time_depthwise", (1, 10, 3), (2,), (1, 3), [(4, 0)], [(0, 0)], depthwise=True),
]


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_outputs_are_litert_s(case: Chain, dtype: str) -> None:
    file, graph = case.graph(dtype)
    rng = np.random.default_rng(1)
    shape = (3, *case.shape)
    x = rng.normal(size=shape).astype(np.float32)
    x = rng.integers(-128, 128, shape).astype(np.int8) if dtype == "int8" else x
    (actual,), (expected,) = run_graph(graph, [x]), litert_ref(file, [x])
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    if dtype == "int8":
        np.testing.assert_array_equal(actual, expected)
    else:
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
    dilated = {node.op for node in graph.nodes}
    assert dilated <= {"pad", "reshape", "conv_2d", "depthwise_conv_2d"} and "transpose" not in dilated


def test_what_same_pads_needs_no_pad() -> None:
    for name, ops in (
        ("same", ["conv_2d"]),
        ("valid", ["conv_2d"]),
        ("uneven", ["pad", "conv_2d"]),
        ("time_same", ["reshape", "conv_2d", "reshape"]),
        ("causal", ["reshape", "pad", "conv_2d", "reshape"]),
    ):
        _, graph = next(case for case in CASES if case.name == name).graph("int8")
        assert [node.op for node in graph.nodes] == ops


Change = Callable[[list[FileOp]], list[FileOp]]


def with_options(**options: int) -> Change:
    def change(ops: list[FileOp]) -> list[FileOp]:
        return [ops[0], replace(ops[1], options={**(ops[1].options or {}), **options}), *ops[2:]]

    return change


def with_input(at: int, index: int, tensor: Tensor) -> Change:
    def change(ops: list[FileOp]) -> list[FileOp]:
        inputs = [tensor if i == index else x for i, x in enumerate(ops[at].inputs)]
        return [replace(op, inputs=inputs) if i == at else op for i, op in enumerate(ops)]

    return change


NOT_THE_SAME: dict[str, Change] = {
    "stride": with_options(strideH=2),
    "dilation": with_options(dilationWFactor=2),
    "same padding": with_options(padding=0),
    "another block": with_input(2, 1, integers("other", [4, 1])),
    "more cut than padded": with_input(2, 2, integers("crops", [[0, 0], [0, 1]])),
    "computed block": with_input(0, 1, Tensor("sides", (2,), "int32")),
    "short block": with_input(0, 1, integers("short", [2])),
    "no convolution": lambda ops: [ops[0], FileOp("RELU", ops[1].inputs[:1], ops[1].outputs), ops[2]],
    "no outputs": lambda ops: [*ops[:2], replace(ops[2], outputs=[])],
    "no end": lambda ops: ops[:2],
    "no inputs": lambda ops: [replace(ops[0], inputs=[None, *ops[0].inputs[1:]]), *ops[1:]],
}


@pytest.mark.parametrize("name", NOT_THE_SAME)
def test_what_is_no_dilation_stays_as_it_is(name: str) -> None:
    """And is refused, with a sentence: a convolution of several batches, or shapes that do not fit."""
    ops = NOT_THE_SAME[name](Chain("valid", (1, 8, 8, 2), (2, 2), (1, 1), NONE2, NONE2).operators("int8"))
    file = tflite_file(ops, ops[-1].outputs or ops[1].outputs)
    with pytest.raises(
        Exception, match=r"batch|different tensors|fit together|declared|block|constant"
    ) as caught:
        read_tflite(file, "net")
    assert type(caught.value).__name__ in ("UnsupportedModelError", "InvalidModelError")


def test_batches_that_others_read_are_not_fused() -> None:
    ops = Chain("valid", (1, 8, 8, 2), (2, 2), (3, 3), NONE2, NONE2).operators("int8")
    file = tflite_file(ops, [*ops[2].outputs, *ops[0].outputs])
    with pytest.raises(UnsupportedModelError, match="the batch must be 1"):
        read_tflite(file, "net")
