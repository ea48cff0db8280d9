"""Cases of functions of two floats: operands that are drawn as int8, and floats of every kind."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode, Node, Tensor
from mcu_quant.kernels.portable.division_f32 import KERNEL
from mcu_quant.ops.interpreter import run_node
from tests.kernel_harness import run_kernel
from tests.ops.driver import Case
from tests.ops.elementwise import SHAPES, Scheme, binary_case, without_0

_ODD = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    -2.0,
    3.0,
    -3.0,
    7.5,
    -65.0,
    65504.0,
    123456.79,
    16777216.0,
    16777217.0,
]
_ODD += [1e-40, -3e-39, 1.4e-45, 1e-38, 1e10, 3e38, -3e38, float("inf"), float("-inf"), float("nan")]


def float_cases(op: str, schemes: tuple[Scheme, Scheme, Scheme]) -> list[Case]:
    """No operand is 0: LiteRT refuses to divide by it. Only the float form has these cases."""
    return [
        without_0(binary_case(name, op, None, a, b, constant=constant, schemes=schemes))
        for name, (a, b, constant) in SHAPES.items()
    ]


def every_kind_of_float(op: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(a, b, the C kernel's results, the reference's) of all pairs of odd numbers and of drawn ones."""
    rng = np.random.default_rng(3)
    pairs = [grid.reshape(-1) for grid in np.meshgrid(np.float32(_ODD), np.float32(_ODD))]
    drawn = [np.float32(rng.normal(size=4000) * 10.0 ** rng.uniform(-6, 6, 4000)) for _ in range(2)]
    a, b = (np.concatenate(both).reshape(1, 1, -1) for both in zip(pairs, drawn, strict=True))
    tensors = [Tensor(name, a.shape[1:]) for name in "aby"]
    node = BoundNode(Node("node", op, None, ("a", "b"), ("y",)), tuple(tensors[:2]), (tensors[2],))
    (expected,) = run_node(node, [a, b])
    return a, b, run_kernel(KERNEL, node, [a, b])[0], expected
