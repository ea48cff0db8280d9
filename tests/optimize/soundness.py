"""Checks of the optimizer: nothing leaves its interval, and a rewritten graph gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcu_quant.deployment import GenerateOptions
from mcu_quant.ir import Graph, Tensor
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.ranges import full_range
from mcu_quant.ops.support import require_supported
from mcu_quant.optimize import optimize
from mcu_quant.optimize.ranges import annotate_ranges


def assert_in_range(graph: Graph, inputs: Sequence[np.ndarray]) -> None:
    """Every element of every quantized activation lies in its channel's interval."""
    tensors = annotate_ranges(graph).tensors

    def observe(name: str, value: np.ndarray) -> None:
        known = tensors[name].value_range
        assert (known is not None) == (full_range(tensors[name]) is not None), name
        if known is not None:
            rows = value.reshape(-1, len(known.low)).astype(np.int64)
            assert (rows >= known.low).all() and (rows <= known.high).all(), name

    run_graph(graph, inputs, observe)


def assert_optimized_is_same(graph: Graph, inputs: Sequence[np.ndarray]) -> Graph:
    """The optimized graph, which is supported, and gives the same outputs for those inputs."""
    optimized = require_supported(optimize(graph, GenerateOptions()))
    assert optimized.inputs == graph.inputs and optimized.outputs == graph.outputs
    for expected, actual in zip(run_graph(graph, inputs), run_graph(optimized, inputs), strict=True):
        np.testing.assert_array_equal(actual, expected)
        assert actual.dtype == expected.dtype
    return optimized


def hard_samples(tensor: Tensor, count: int, seed: int = 0) -> np.ndarray:
    """Random ones, then all of the least value, all of the largest, and these two in turn, both ways."""
    rng = np.random.default_rng(seed)
    if tensor.dtype == "float32":
        scales = np.float32(10.0) ** rng.integers(-2, 4, (count + 5, *(1 for _ in tensor.shape)))
        return (rng.normal(size=(count + 5, *tensor.shape)) * scales).astype(np.float32)
    limits = np.iinfo(tensor.dtype)
    samples = rng.integers(limits.min, limits.max + 1, (count + 5, *tensor.shape)).astype(tensor.dtype)
    turns = np.resize([limits.min, limits.max], tensor.elements).reshape(tensor.shape)
    samples[count:] = np.stack(
        [
            np.full(tensor.shape, limits.min),
            np.full(tensor.shape, limits.max),
            turns,
            -1 - turns if limits.min < 0 else limits.max - turns,
            rng.choice([limits.min, limits.max], tensor.shape),
        ]
    )
    return samples
