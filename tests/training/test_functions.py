"""What training computes for an operator is the operator's float meaning, on its own cases."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from mcu_quant.ops import OPERATORS
from mcu_quant.training.functions import BROADCASTING, FUNCTIONS, aligned
from tests.ops.driver import Case, float_node, operands, real_operands

#: So many cases of an operator.
SOME = 6


def _cases() -> list[object]:
    found = []
    for op in FUNCTIONS:
        table = [c for c in getattr(import_module(f"tests.ops.test_{op}"), "CASES", []) if c.op == op]
        batched = [
            c for c in table if all(t is None or t.shape[:1] == (1,) for t in (*c.inputs, c.node().output))
        ]
        if op == "concatenation":  # its constants are repeated by the layer around the function
            batched = [c for c in batched if not any(t.is_constant for t in c.inputs)]
        found += [pytest.param(case, id=f"{op}-{case}") for case in batched[:SOME]]
    return found


@pytest.mark.parametrize("case", _cases())
def test_training_computes_the_float_meaning(case: Case) -> None:
    real = real_operands(case)
    node = float_node(operands(case)[0], real)
    (expected,) = OPERATORS[case.op].run_float(node, real)
    batches = [_batch(x, t is not None and t.is_constant) for x, t in zip(real, node.inputs, strict=True)]
    rank = max(x.ndim for x in batches)
    if case.op in BROADCASTING:
        batches = [np.asarray(aligned(x, rank)) for x in batches]
    actual = np.asarray(FUNCTIONS[case.op](case.attrs, batches))
    np.testing.assert_allclose(actual.reshape(expected.shape), expected, rtol=1e-5, atol=1e-6)


def _batch(x: np.ndarray | None, is_constant: bool) -> np.ndarray:
    """[N, 1, *rest] as [N, *rest]."""
    assert x is not None
    return x if is_constant else x[:, 0]
