"""dequantize: every byte."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check
from mcu_quant.kernels import KERNELS
from mcu_quant.ops import OPERATORS
from tests.kernel_harness import run_kernel
from tests.ops.elementwise import ALL_BYTES
from tests.oracles import tflm

SCHEMES = [(0.05, -128), (1 / 3, 127), (1e-30, 5), (1e36, -7), (1e-44, 0), (0.0078125, 0)]
(KERNEL,) = [kernel for kernel in KERNELS if "dequantize" in kernel.ops and "int8" in kernel.forms]


def graph_of(dtype: str, scale: float, zero_point: int) -> Graph:
    x = Tensor("x", (1, 256), dtype, QuantParams.per_tensor(scale, zero_point))
    node = Node("node", "dequantize", None, ("x",), ("y",))
    return check(Graph("model", (node,), {"x": x, "y": Tensor("y", (1, 256))}, ("x",), ("y",)))


def cases() -> list[tuple[str, float, int]]:
    raised = {"int8": 0, "uint8": 128}
    return [(dtype, s, z + raised[dtype]) for dtype in raised for s, z in SCHEMES]


@pytest.mark.parametrize(("dtype", "scale", "zero_point"), cases())
def test_dequantize(dtype: str, scale: float, zero_point: int) -> None:
    graph = graph_of(dtype, scale, zero_point)
    (node,) = graph.bound_nodes()
    x = ALL_BYTES.view(dtype).reshape(1, 1, 256)
    (y,) = OPERATORS["dequantize"].run_integer(node, [x])
    assert y.dtype == np.float32
    exact = (x.astype(np.float64) - zero_point) * node.input(0).scale
    np.testing.assert_allclose(y, exact, rtol=2.0**-24, atol=1e-45)
    (oracle,) = tflm(write_tflite(graph), [x])
    assert y.tobytes() == oracle.tobytes()


@pytest.mark.parametrize(("dtype", "scale", "zero_point"), cases())
@pytest.mark.parametrize("overlapped", [False, True])
def test_c_equals_reference(dtype: str, scale: float, zero_point: int, overlapped: bool) -> None:
    (node,) = graph_of(dtype, scale, zero_point).bound_nodes()
    x = ALL_BYTES.view(dtype).reshape(1, 1, 256)
    (expected,) = OPERATORS["dequantize"].run_integer(node, [x])
    (actual,) = run_kernel(KERNEL, node, [x], overlapped=overlapped)
    assert actual.tobytes() == expected.tobytes()
