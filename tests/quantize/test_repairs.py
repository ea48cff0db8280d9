"""Repairs: each leaves alone what it must and mends what it says."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.errors import InvalidInputError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ir import BoundNode, Graph, QuantParams, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import GraphBuilder
from mcu_quant.ops.linear import LinearOperator
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.transpose_conv import TransposeConvAttrs
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize.adaround import _Problem, rounded_weights
from mcu_quant.quantize.equalize import PeakFinder, equalized, pairs
from mcu_quant.quantize.schemes import LinearRounding, quantize_linear_constants
from mcu_quant.quantize.taps import from_weight_rows, tap_rows, weight_rows
from mcu_quant.quantize_options import QuantizeOptions
from tests.oracles import tflm

RNG = np.random.default_rng(11)
CHANNELS = 6


def chain(activation: str, spread: float = 6.0) -> Graph:
    """Convolutions, one of them depthwise, and a dense layer, with unequal channels."""
    rng = np.random.default_rng(2)
    builder = GraphBuilder("chain", OPERATORS)
    sizes = np.exp2(rng.uniform(-spread, 0, (3, CHANNELS))).astype(np.float32)

    def constant(name: str, *shape: int, by: np.ndarray | float = 1.0) -> str:
        return builder.constant(name, rng.normal(size=shape).astype(np.float32) * by)

    x = builder.input("x", (1, 6, 6, 3))
    weights = constant("w0", CHANNELS, 3, 3, 3, by=sizes[0][:, None, None, None])
    attrs = Conv2DAttrs(activation=activation)
    x = builder.add("conv_2d", "first", attrs, [x, weights, constant("b0", CHANNELS, by=sizes[0])])
    x = builder.add("pad", "pad", PadAttrs(((0, 0), (1, 1), (1, 1), (0, 0))), [x])
    weights = constant("w1", 1, 3, 3, CHANNELS, by=sizes[1] / sizes[0])
    depthwise = DepthwiseConv2DAttrs(padding="valid", activation=activation)
    x = builder.add(
        "depthwise_conv_2d", "second", depthwise, [x, weights, constant("b1", CHANNELS, by=sizes[1])]
    )
    weights = constant("w2", CHANNELS, 1, 1, CHANNELS, by=sizes[2][:, None, None, None] / sizes[1])
    x = builder.add("conv_2d", "third", attrs, [x, weights, constant("b2", CHANNELS, by=sizes[2])])
    x = builder.add("reshape", "flatten", ReshapeAttrs((1, 36 * CHANNELS)), [x])
    weights = constant("w3", 4, 36 * CHANNELS, by=np.tile(1 / sizes[2], 36) / 36)
    return builder.graph([builder.add("fully_connected", "last", FullyConnectedAttrs(), [x, weights, None])])


DATA = RNG.normal(size=(64, 1, 6, 6, 3)).astype(np.float32)


def equalize(graph: Graph, per_tensor: bool, data: np.ndarray = DATA) -> Graph:
    finder = PeakFinder(graph)
    run_graph(graph, [data], finder.observe)
    return equalized(graph, finder.peaks, per_tensor)


def error(graph: Graph, quantized: Graph) -> float:
    """Mean squared, relative to the output's variance."""
    tensor = quantized.output_tensors()[0]
    q = np.clip(np.rint(DATA / quantized.input_tensors()[0].scale), -200, 200)
    q = np.clip(q + quantized.input_tensors()[0].zero_point, -128, 127).astype(np.int8)
    (y,), (expected,) = run_graph(quantized, [q]), run_graph(graph, [DATA])
    real = (y.astype(np.float64) - tensor.zero_point) * tensor.scale
    return float(((real - expected) ** 2).mean() / expected.var())


@pytest.mark.parametrize("per_tensor", [True, False])
@pytest.mark.parametrize("activation", ["none", "relu", "relu6"])
def test_equalized_models_compute_the_same(activation: str, per_tensor: bool) -> None:
    graph = chain(activation)
    after = equalize(graph, per_tensor)
    (expected,), (y,) = run_graph(graph, [DATA]), run_graph(after, [DATA])
    assert np.abs(y - expected).max() <= 1e-4 * np.abs(expected).max()
    assert not np.array_equal(after.tensors["w1"].data, graph.tensors["w1"].data)


@pytest.mark.parametrize("per_tensor", [True, False])
@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_equalization_mends_unequal_channels(activation: str, per_tensor: bool) -> None:
    graph = chain(activation)
    naive = error(graph, quantize_integer(graph, [DATA], QuantizeOptions(per_tensor=per_tensor)))
    mended = error(
        graph, quantize_integer(graph, [DATA], QuantizeOptions(per_tensor=per_tensor, repairs=("equalize",)))
    )
    assert mended < naive / 4


def test_channels_are_equal_afterwards() -> None:
    """As the paper has it: what makes a channel and what reads it reach equally far."""
    after = equalize(chain("relu"), per_tensor=True)
    made = np.abs(after.tensors["w0"].data).max(axis=(1, 2, 3))
    read = np.abs(after.tensors["w1"].data).max(axis=(0, 1, 2))
    assert made == pytest.approx(read, rel=0.01)


def test_relu6_keeps_clamped_channels_and_headroom() -> None:
    graph = chain("relu6", spread=10.0)
    before, after, data = PeakFinder(graph), PeakFinder(graph), 30 * DATA
    run_graph(graph, [data], before.observe)
    run_graph(equalize(graph, False, data), [data], after.observe)
    clamped = before.peaks["first"] >= 5.999
    assert clamped.any() and not clamped.all()
    assert np.array_equal(after.peaks["first"][clamped], before.peaks["first"][clamped])
    small = before.peaks["first"] < 3
    assert small.any() and (after.peaks["first"][small] <= 3.001).all()
    assert after.peaks["first"][small].min() > 2 * before.peaks["first"][small].min()


def test_pairs_end_where_others_read() -> None:
    graph = chain("relu")
    assert [(p.first, p.second) for p in pairs(graph)] == [
        ("first", "second"),
        ("second", "third"),
        ("third", "last"),
    ]
    both = replace(graph, outputs=("second", *graph.outputs))
    assert [p.first for p in pairs(both)] == ["first", "third"]


def test_means_over_channels_are_no_pair() -> None:
    builder = GraphBuilder("mean", OPERATORS)
    x = builder.input("x", (1, 4, 4, 4))
    x = builder.add("conv_2d", "a", Conv2DAttrs(), [x, builder.constant("w", np.ones((4, 1, 1, 4))), None])
    x = builder.add("mean", "m", ReductionAttrs((3,)), [x])
    x = builder.add("reshape", "r", ReshapeAttrs((1, 16)), [x])
    weights = builder.constant("v", np.ones((2, 16)))
    graph = builder.graph([builder.add("fully_connected", "b", FullyConnectedAttrs(), [x, weights, None])])
    assert list(pairs(graph)) == []


def linear(op: str, attrs: object, x: tuple[int, ...], weights: tuple[int, ...]) -> BoundNode:
    builder = GraphBuilder(op, OPERATORS)
    data = builder.constant("w", RNG.normal(size=weights).astype(np.float32))
    graph = builder.graph([builder.add(op, "node", attrs, [builder.input("x", x), data, None])])
    return graph.bind(graph.nodes[0])


LINEAR = {
    "conv": linear("conv_2d", Conv2DAttrs(strides=(2, 1)), (1, 7, 5, 3), (4, 3, 2, 3)),
    "groups": linear("conv_2d", Conv2DAttrs(dilation=(1, 2)), (1, 5, 6, 6), (4, 2, 3, 3)),
    "depthwise": linear("depthwise_conv_2d", DepthwiseConv2DAttrs(), (1, 5, 5, 3), (1, 3, 3, 3)),
    "multiplier": linear(
        "depthwise_conv_2d", DepthwiseConv2DAttrs(padding="valid"), (1, 5, 5, 3), (1, 2, 3, 6)
    ),
    "transposed": linear("transpose_conv", TransposeConvAttrs((7, 9), (2, 3)), (1, 4, 3, 3), (4, 3, 4, 3)),
    "dense": linear("fully_connected", FullyConnectedAttrs(), (1, 8), (5, 8)),
}


@pytest.mark.parametrize("case", LINEAR)
def test_taps_times_weights_are_the_sums(case: str) -> None:
    node = LINEAR[case]
    x = RNG.normal(size=(3, *node.input(0).shape)).astype(np.float32)
    weights = node.input(1).data
    assert weights is not None
    rows = weight_rows(node, weights)
    assert np.array_equal(from_weight_rows(node, rows), weights)
    (pieces,) = zip(*tap_rows(node, x), strict=True)
    ours = np.concatenate(pieces, axis=1) @ rows.transpose(0, 2, 1)
    operator = OPERATORS[node.node.op]
    assert isinstance(operator, LinearOperator)
    sums = operator.sums(node, x, weights).reshape(-1, node.output.shape[-1])
    assert ours.transpose(1, 0, 2).reshape(sums.shape) == pytest.approx(sums, abs=1e-4)


@pytest.mark.parametrize("case", LINEAR)
def test_adaptive_rounding_never_loses(case: str) -> None:
    """Each channel's error over the rows is that of plain rounding or less; together it is a lot less."""
    node = LINEAR[case]
    x = RNG.normal(2, 0.5, size=(40, *node.input(0).shape)).astype(np.float32)
    weights = node.input(1)
    axis = OPERATORS[node.node.op].quant_rule.weights.channel_axis  # type: ignore[union-attr]
    (nearest, quant), _ = quantize_linear_constants(
        QuantParams.per_tensor(0.02), weights, None, axis, LinearRounding()
    )
    scale = QuantParams(tuple(8 * s for s in quant.scale), quant.zero_point, axis)  # 4 bits: more to win
    adapted = rounded_weights(node, x, x, scale, centered=False)
    nearest = np.clip(np.rint(weights.data / scale.broadcast_scale(weights.data.ndim)), -127, 127)
    operator = OPERATORS[node.node.op]
    errors = []
    for q in (nearest, adapted):
        difference = (q * scale.broadcast_scale(q.ndim) - weights.data).astype(np.float32)
        assert np.abs(difference / scale.broadcast_scale(q.ndim)).max() < 1
        sums = operator.sums(node, x, difference).reshape(-1, node.output.shape[-1])  # type: ignore[attr-defined]
        errors.append((sums**2).mean(axis=0))
    assert (errors[1] <= errors[0] * 1.001).all()
    assert errors[1].sum() < 0.8 * errors[0].sum()


def test_adaptive_rounding_is_near_the_best_of_all_choices() -> None:
    steps = RNG.uniform(-5, 5, (1, 5, 9))
    x = RNG.normal(1, 1, (1, 400, 9)) @ RNG.normal(size=(9, 9))
    problem = _Problem(steps, x.transpose(0, 2, 1) @ x / 400, np.zeros_like(steps))
    lower = np.floor(steps)
    every = [problem.errors(lower + np.array(up)) for up in itertools.product((0.0, 1.0), repeat=9)]
    best, nearest = np.min(every, axis=0), problem.errors(np.rint(steps))
    ours = problem.errors(
        problem.better(problem.flipped(problem.descended()), problem.flipped(np.rint(steps)))
    )
    assert (ours <= nearest).all()
    assert (nearest - ours).sum() > 0.8 * (nearest - best).sum()


@pytest.mark.parametrize("repairs", [("bias",), ("adaround",), ("adaround", "bias")])
def test_layerwise_repairs_lower_the_error(repairs: tuple[str, ...]) -> None:
    graph = chain("relu", spread=3.0)
    naive = error(graph, quantize_integer(graph, [DATA], QuantizeOptions(per_tensor=True)))
    assert (
        error(graph, quantize_integer(graph, [DATA], QuantizeOptions(per_tensor=True, repairs=repairs)))
        < 0.9 * naive
    )


def test_progress_goes_on_through_repairs() -> None:
    seen: list[tuple[int, int | None]] = []
    repairs = ("equalize", "adaround")
    quantize_integer(
        chain("relu"), [DATA], QuantizeOptions(repairs=repairs), progress=lambda *told: seen.append(told)
    )
    assert seen == [(64, 64), (64, 64), (16, 64), (32, 64), (48, 64), (64, 64)]


def test_repairs_of_int16() -> None:
    graph = chain("relu", spread=3.0)
    repairs = ("equalize", "adaround", "bias")
    quantized = quantize_integer(graph, [DATA], QuantizeOptions("int16x8", repairs=repairs, per_tensor=True))
    q = np.rint(DATA / quantized.input_tensors()[0].scale).clip(-32768, 32767).astype(np.int16)
    (y,), (expected,) = run_graph(quantized, [q]), run_graph(graph, [DATA])
    real = y * np.float64(quantized.output_tensors()[0].scale)
    assert ((real - expected) ** 2).mean() < 1e-3 * expected.var()


def test_bias_correction_brings_the_mean_back() -> None:
    graph = chain("none", spread=4.0)
    (expected,) = run_graph(graph, [DATA])
    shifts = []
    for repairs in ((), ("bias",)):
        quantized = quantize_integer(
            graph, [DATA], QuantizeOptions(per_tensor=True, repairs=repairs, output_type="float32")
        )
        scale = quantized.input_tensors()[0]
        q = np.clip(np.rint(DATA / scale.scale) + scale.zero_point, -128, 127).astype(np.int8)
        shifts.append(np.abs((run_graph(quantized, [q])[0] - expected).mean(axis=(0, 1))).max())
    assert shifts[1] < shifts[0] / 4


@pytest.mark.parametrize("per_tensor", [True, False])
def test_repaired_models_run_elsewhere_and_repeat(per_tensor: bool) -> None:
    graph, repairs = chain("relu6"), ("equalize", "adaround", "bias")
    quantized = quantize_integer(graph, [DATA], QuantizeOptions(per_tensor=per_tensor, repairs=repairs))
    file = write_tflite(quantized)
    split = quantize_integer(graph, list(DATA), QuantizeOptions(per_tensor=per_tensor, repairs=repairs[::-1]))
    assert write_tflite(split) == file
    q = RNG.integers(-128, 128, (5, 1, 6, 6, 3)).astype(np.int8)
    assert np.array_equal(run_graph(quantized, [q])[0], tflm(file, [q])[0])


def test_rounded_weights_do_not_overflow_sums() -> None:
    """Integers whose sums could overflow are not taken; the usual ones are."""
    weights = Tensor.constant("w", np.full((1, 70_000), 1.0, np.float32))
    x = QuantParams.per_tensor(0.02, -128)
    (usual, quant), _ = quantize_linear_constants(x, weights, None, 0, LinearRounding())
    assert usual.max() < 127
    full = np.full(usual.shape, 127, np.int8), quant
    (kept, _), _ = quantize_linear_constants(x, weights, None, 0, LinearRounding(), rounded=full)
    assert np.array_equal(kept, usual)
    less = usual - np.int8(1), quant
    (taken, _), _ = quantize_linear_constants(x, weights, None, 0, LinearRounding(), rounded=less)
    assert np.array_equal(taken, less[0])


def test_one_shot_samples_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"several times.*iterator.*generator function"):
        quantize_integer(chain("relu"), iter([DATA]), QuantizeOptions(repairs=("bias",)))


def test_unknown_repairs() -> None:
    for repairs in (("magic",), ("bias", ""), ("equalize,bias",)):
        with pytest.raises(
            InvalidInputError, match=r"repair must be one that exists.*equalize, adaround, bias"
        ):
            QuantizeOptions(repairs=repairs)
