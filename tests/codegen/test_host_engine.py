"""The host engine notices what it is there to notice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.errors import EngineFailedError, ToolMissingError
from mcu_quant.verify.host import HostEngine
from tests.codegen.deployments import activation, branch_graph, dense_graph, deploy, random_inputs


def test_no_compiler() -> None:
    with pytest.raises(ToolMissingError, match="C compiler"):
        HostEngine(deploy(dense_graph()), compiler="no-such-compiler")


def test_compiler_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -m32")
    with pytest.raises(ToolMissingError, match="no-such-compiler"):
        HostEngine(deploy(dense_graph()))


def test_code_that_does_not_compile() -> None:
    with pytest.raises(EngineFailedError, match="no-such-flag"):
        HostEngine(deploy(dense_graph()), flags=["--no-such-flag"])


@pytest.mark.parametrize("sanitize", (False, True))
def test_writing_outside_the_arena(sanitize: bool) -> None:
    """A plan that lies about its size: the output reaches beyond the end."""
    right = deploy(dense_graph())
    addresses = {**right.plan.addresses, "h": 16}  # 16 + 6 bytes in an arena of 18
    wrong = replace(right, plan=replace(right.plan, addresses=addresses))
    inputs = random_inputs(right.graph, 2)
    HostEngine(right, sanitize=sanitize).run(inputs)
    with pytest.raises(EngineFailedError, match=r"outside its arena|heap-buffer-overflow"):
        HostEngine(wrong, sanitize=sanitize).run(inputs)


def test_arena_is_garbage_before_every_sample() -> None:
    """A first layer that reads beside its input: equal samples come out unequal."""
    right = deploy(dense_graph())
    x = np.repeat(random_inputs(right.graph, 1)[0], 20, axis=0)
    (y,) = HostEngine(right).run([x])
    assert np.all(y == y[0])
    graph = right.graph.with_(
        tensors={**right.graph.tensors, "x2": activation("x2", (1, 12))},
        nodes=(replace(right.graph.nodes[0], inputs=("x2", "w0", "b0")), right.graph.nodes[1]),
    )
    addresses = {**right.plan.addresses, "x2": 20}
    wrong = replace(right, graph=graph, plan=replace(right.plan, addresses=addresses, arena_bytes=32))
    (y,) = HostEngine(wrong).run([x])
    assert not np.all(y == y[0])


def test_overlap_that_a_kernel_does_not_allow_changes_bytes() -> None:
    """So the comparison with the reference sees wrong plans, too."""
    right = deploy(branch_graph())
    addresses = {**right.plan.addresses, "c": right.plan.addresses["image"] + 3}
    wrong = replace(
        right, plan=replace(right.plan, addresses=addresses, arena_bytes=right.plan.arena_bytes + 64)
    )
    inputs = random_inputs(right.graph, 20)
    (good,), (bad,) = HostEngine(right).run(inputs), HostEngine(wrong).run(inputs)
    assert not np.array_equal(good, bad)
