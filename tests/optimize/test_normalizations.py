"""Layer normalizations of int16 steps as one node: which, and the same bits, in C too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.ir import BoundNode, Graph
from mcu_quant.kernels import KERNELS
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import KerasLayer
from mcu_quant.ops.layer_normalization import OPERATOR as LAYER
from mcu_quant.optimize import optimize
from mcu_quant.pipeline import quantize
from mcu_quant.quantize_options import QuantizeOptions
from tests.kernel_harness import run_kernel
from tests.passes.float_models import Model

RNG = np.random.default_rng(3)


def weights(*sizes: int) -> tuple[np.ndarray, ...]:
    return tuple(RNG.uniform(-1.5, 1.5, size).astype(np.float32) for size in sizes)


def layer(class_name: str = "LayerNormalization", sizes: tuple[int, ...] = (), **config: Any) -> KerasLayer:
    return KerasLayer("norm", class_name, config, weights(*sizes))


#: A shape and the layer.
CASES: dict[str, tuple[tuple[int, ...], KerasLayer]] = {
    "usual": ((5, 16), layer(sizes=(16, 16))),
    "odd": ((3, 4, 7), layer(sizes=(7, 7), epsilon=1e-6)),
    "two_axes": ((3, 4, 5), layer(sizes=(20, 20), axis=[2, 3])),
    "whole": ((3, 4, 5), layer(sizes=(60, 60), axis=[1, 2, 3])),
    "without_beta": ((5, 16), layer(sizes=(16,), center=False)),
    "without_gamma": ((5, 16), layer(sizes=(16,), scale=False)),
    "plain": ((5, 16), layer(scale=False, center=False)),
    "two": ((9, 2), layer(sizes=(2, 2), epsilon=0.1)),
    "rms": ((5, 16), layer("RMSNormalization", (16,), epsilon=1e-6)),
}
TECHNIQUES = ("int8", "int16x8")


def samples(shape: tuple[int, ...]) -> np.ndarray:
    """Rows whose deviations differ by up to a factor of two."""
    rng = np.random.default_rng(6)
    x = rng.normal(size=(40, 1, *shape))
    rows = 2.0 ** rng.uniform(-1, 0, (40, 1, *shape[:-1], 1)) / x.std(axis=-1, keepdims=True)
    return (x * rows + 0.1).astype(np.float32)


def quantized(name: str, technique: str) -> Graph:
    shape, keras_layer = CASES[name]
    m = Model(*shape)
    graph = m.graph(LAYER.from_keras(keras_layer, [m.x], m.builder))
    return quantize(graph, [samples(shape)], QuantizeOptions(technique=technique)).graph


def hard_inputs(graph: Graph) -> np.ndarray:
    """Any integers, rows of one value, rows of ends, and rows that hardly differ."""
    (x,) = graph.input_tensors()
    limits = np.iinfo(x.dtype)
    rng = np.random.default_rng(9)
    shape = (12, *x.shape)
    any_value = rng.integers(limits.min, limits.max + 1, shape)
    rows = np.broadcast_to(rng.integers(limits.min, limits.max + 1, (*shape[:-1], 1)), shape)
    ends = np.where(rng.random(shape) < 0.5, limits.min, limits.max)
    near = np.clip(rows + rng.integers(-2, 3, shape), limits.min, limits.max)
    return np.concatenate([any_value, rows, ends, near]).astype(x.dtype)


def one_node(graph: Graph) -> BoundNode:
    """The node that the whole graph becomes."""
    (node,) = optimize(graph, GenerateOptions()).bound_nodes()
    assert node.node.op == "normalize_rows" and node.name == graph.nodes[-1].name
    return node


#: In int16x8 the last product has the scale that the next layer reads, which is no power of two.
NOT_MERGED = [("without_beta", "int16x8"), ("plain", "int16x8"), ("rms", "int16x8")]


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("name", CASES)
def test_c_has_the_bits_of_the_chain(name: str, technique: str) -> None:
    graph = quantized(name, technique)
    if (name, technique) in NOT_MERGED:
        assert len(optimize(graph, GenerateOptions()).nodes) == len(graph.nodes)
        return
    node, inputs = one_node(graph), hard_inputs(graph)
    (expected,) = run_graph(graph, [inputs])
    tried = 0
    for kernel in KERNELS:
        if node.node.op in kernel.ops and form_of(node) in kernel.forms and kernel.refusal(node) is None:
            tried += 1
            for overlapped in (False, True):
                (found,) = run_kernel(kernel, node, [inputs], overlapped=overlapped)
                np.testing.assert_array_equal(found, expected, kernel.name)
    assert tried


def test_what_others_read_stays() -> None:
    """The converter before a chain, which another layer reads, too; and a chain whose middle is an output."""
    graph = quantized("usual", "int8")
    merged = optimize(graph.with_(outputs=(*graph.outputs, graph.nodes[0].outputs[0])), GenerateOptions())
    assert [node.op for node in merged.nodes] == ["quantize", "normalize_rows"]
    inner = next(node for node in graph.nodes if node.op == "rsqrt").outputs[0]
    kept = optimize(graph.with_(outputs=(*graph.outputs, inner)), GenerateOptions())
    assert "normalize_rows" not in [node.op for node in kept.nodes]


def test_other_axes_stay() -> None:
    m = Model(4, 5, 3)
    keras_layer = KerasLayer("norm", "LayerNormalization", {"axis": 1}, weights(4, 4))
    graph = m.graph(LAYER.from_keras(keras_layer, [m.x], m.builder))
    model = quantize(graph, [samples((4, 5, 3))], QuantizeOptions())
    assert "normalize_rows" not in [node.op for node in optimize(model.graph, GenerateOptions()).nodes]
