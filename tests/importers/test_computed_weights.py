"""FULLY_CONNECTED with weights that are computed, as converters write products of two activations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.interpreter import run_graph
from tests.oracles import litert_ref, tflm
from tests.tflite_files import one_operator, outer_shape

Shape = tuple[int, ...]


def file_of(
    x: Shape, weights: Shape, y: Shape, zero_points: tuple[int, int, int] = (3, -7, 11), **options: Any
) -> tuple[bytes, list[Shape]]:
    """The file and the shapes of its inputs."""
    dtype, bias = options.pop("dtype", "int8"), options.pop("bias", None)
    scales = (0.05, 0.02, options.pop("scale", 0.1))

    def tensor(name: str, shape: Shape, index: int) -> Tensor:
        quant = QuantParams.per_tensor(scales[index], zero_points[index]) if dtype == "int8" else None
        return Tensor(name, shape, dtype, quant)

    inputs = [tensor("x", x, 0), tensor("weights", weights, 1), *([bias] if bias is not None else [])]
    options = {"fusedActivationFunction": 0, "keepNumDims": False, **options}
    file = one_operator("FULLY_CONNECTED", inputs, [tensor("y", y, 2)], options, version=5)
    return file, [outer_shape(x), outer_shape(weights)]


CASES: dict[str, tuple[Shape, Shape, Shape, dict[str, Any]]] = {
    "row": ((1, 6), (5, 6), (1, 5), {}),
    "rows": ((4, 6), (5, 6), (4, 5), {}),
    "one": ((1, 1), (1, 1), (1, 1), {}),
    "flattened": ((1, 2, 3, 4), (5, 12), (2, 5), {}),
    "keeps_axes": ((1, 3, 6), (7, 6), (1, 3, 7), {"keepNumDims": True}),
    "relu": ((1, 6), (5, 6), (1, 5), {"fusedActivationFunction": 1}),
    "relu6": ((3, 6), (5, 6), (3, 5), {"fusedActivationFunction": 3, "scale": 0.04}),
    "zero_points_low": ((3, 6), (5, 6), (3, 5), {"zero_points": (-128, -128, -128)}),
    "zero_points_high": ((3, 6), (5, 6), (3, 5), {"zero_points": (127, 127, 127)}),
    "zero_points_apart": ((3, 6), (5, 6), (3, 5), {"zero_points": (-128, 127, -128), "scale": 1.0}),
    "saturates": ((3, 6), (5, 6), (3, 5), {"scale": 1e-3}),
}


@pytest.mark.parametrize("name", CASES)
def test_bits_are_tflms(name: str) -> None:
    x, weights, y, options = CASES[name]
    file, shapes = file_of(x, weights, y, **options)
    rng = np.random.default_rng(len(name))
    inputs = [rng.integers(-128, 128, (5, *shape)).astype(np.int8) for shape in shapes]
    graph = read_tflite(file, "net")
    assert "fully_connected" not in {node.op for node in graph.nodes}
    (expected,) = tflm(file, inputs)
    np.testing.assert_array_equal(run_graph(graph, inputs)[0], expected)
    np.testing.assert_array_equal(tflm(write_tflite(graph), inputs)[0], expected)


@pytest.mark.parametrize("name", ["rows", "flattened", "keeps_axes", "relu6"])
def test_floats_are_near_litert(name: str) -> None:
    x, weights, y, options = CASES[name]
    file, shapes = file_of(x, weights, y, dtype="float32", **options)
    rng = np.random.default_rng(3)
    inputs = [rng.normal(size=(2, *shape)).astype(np.float32) for shape in shapes]
    (expected,) = litert_ref(file, inputs)
    np.testing.assert_allclose(run_graph(read_tflite(file, "net"), inputs)[0], expected, rtol=1e-5, atol=1e-6)


def test_refusals() -> None:
    bias = Tensor.constant("bias", np.zeros(5, np.int32), QuantParams.per_tensor(0.001))
    with pytest.raises(UnsupportedModelError, match="must have no bias"):
        read_tflite(file_of((1, 6), (5, 6), (1, 5), bias=bias)[0], "net")
    with pytest.raises(UnsupportedModelError, match="relu_n1_to_1"):
        read_tflite(file_of((1, 6), (5, 6), (1, 5), fusedActivationFunction=2)[0], "net")
    with pytest.raises(InvalidModelError, match="two axes"):
        read_tflite(file_of((1, 6), (1, 5, 6), (1, 5))[0], "net")
    with pytest.raises(InvalidModelError, match=r"fit together|declared"):
        read_tflite(file_of((1, 6), (5, 7), (1, 5))[0], "net")
