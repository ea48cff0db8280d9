"""Every rule of every kernel's `refusal` guards: a node just outside is refused, one just inside computed."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mcu_quant.ir import BoundNode
from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import Kernel
from tests.conftest import one_in_four_is_quick
from tests.kernel_harness import run_kernel
from tests.kernels.guards.armv7m import GUARDS as ARMV7M
from tests.kernels.guards.dsp import GUARDS as DSP
from tests.kernels.guards.guard import Guard
from tests.kernels.guards.int16 import GUARDS as INT16
from tests.kernels.guards.moves import GUARDS as MOVES
from tests.kernels.guards.mve import GUARDS as MVE
from tests.kernels.guards.portable import GUARDS as PORTABLE
from tests.kernels.guards.portable import NEVER
from tests.kernels.guards.recurrent import GUARDS as RECURRENT
from tests.kernels.guards.thumb1 import GUARDS as THUMB1
from tests.ops.driver import operands, reference

GUARDS = [*THUMB1, *ARMV7M, *DSP, *MVE, *PORTABLE, *MOVES, *INT16, *RECURRENT]
GUARDED = [(kernel, guard) for guard in GUARDS for kernel in KERNELS if kernel.name in guard.kernels.split()]
IDS = [f"{kernel.name}-{index}" for index, (kernel, _) in enumerate(GUARDED)]


@pytest.mark.parametrize(
    ("kernel", "guard"),
    [
        pytest.param(*pair, id=name, marks=one_in_four_is_quick(index))
        for index, (pair, name) in enumerate(zip(GUARDED, IDS, strict=True))
    ],
)
def test_just_outside_is_refused(kernel: Kernel, guard: Guard) -> None:
    """For that reason, not for another; and nothing of a node just inside is wrong."""
    assert kernel.refusal(guard.outside.node()) == guard.rule
    assert kernel.refusal(guard.inside.node()) is None
    if guard.runs:
        node, arrays = operands(guard.inside)
        for actual, expected in zip(run_kernel(kernel, node, arrays), reference(guard.inside), strict=True):
            assert np.array_equal(actual, expected)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_every_rule_has_a_guard(kernel: Kernel) -> None:
    proved = {guard.rule for other, guard in GUARDED if other is kernel} | NEVER.get(kernel.name, set())
    missing = [rule for rule in rules_of(kernel.refusal) if not any(map(rule.fullmatch, proved))]
    assert not missing, f"{kernel.name} has no guard for {[rule.pattern for rule in missing]}"


def test_guards_are_of_kernels() -> None:
    named = {name for guard in GUARDS for name in guard.kernels.split()}
    assert named <= {kernel.name for kernel in KERNELS}


def _refusal(node: BoundNode) -> str | None:
    if node.node.op == "add":
        return "one"
    if node.inputs:
        return f"{len(node.inputs)} of many"
    return None if node.outputs else "two"


def test_a_rule_without_a_guard_is_seen() -> None:
    assert [rule.pattern for rule in rules_of(_refusal)] == ["two", "one", r".*\ of\ many"]


def rules_of(refusal: Callable[..., Any]) -> Iterator[re.Pattern[str]]:
    """What a function may return, by its source: texts, with anything where one is formatted.

    What it leaves to another function is that one's.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(refusal)))
    function = getattr(refusal, "__func__", refusal)
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Return) and statement.value is not None:
            yield from _rules_in(statement.value, function.__globals__)


def _rules_in(value: ast.expr, names: dict[str, Any]) -> Iterator[re.Pattern[str]]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield re.compile(re.escape(value.value))
    elif isinstance(value, ast.JoinedStr):
        parts = [re.escape(p.value) if isinstance(p, ast.Constant) else ".*" for p in value.values]
        yield re.compile("".join(parts))
    elif isinstance(value, ast.IfExp):
        yield from _rules_in(value.body, names)
        yield from _rules_in(value.orelse, names)
    elif isinstance(value, ast.Call):
        yield from rules_of(eval(ast.unparse(value.func), names))
    else:
        assert isinstance(value, ast.Constant) and value.value is None, ast.unparse(value)
