"""A small sample of `make prove`, and that it would notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.boards import load_board
from mcu_quant.errors import EngineFailedError
from mcu_quant.kernels.base import Constant, Kernel
from tests.kernels.machine import Machine, Task
from tests.kernels.prove import BOARDS, Count, batches, on_host, on_machine
from tests.kernels.random_cases import FAST_KERNELS, MAKERS, kernel_named, random_cases
from tests.ops.driver import may_overlap

#: One kernel of each family; `make prove` has them all.
SAMPLE = ("pointwise_bytes_s8_armv7m", "fully_connected_bytes_s8", "conv_2d_dsp_small_s8", "add_s8_mve")


@pytest.mark.parametrize("kernel", FAST_KERNELS, ids=lambda kernel: str(kernel.name))
def test_every_kernel_has_cases_and_a_machine(kernel: Kernel) -> None:
    assert kernel.family in BOARDS
    assert set(kernel.ops) <= set(MAKERS), f"{kernel.name}: tests/kernels/random_cases.py has no maker"
    cases = list(random_cases(kernel, seed=1, count=3))
    assert len(cases) == 3 and all(kernel.refusal(case.node()) is None for case in cases)


def tasks_of(name: str, count: int) -> list[Task]:
    kernel = kernel_named(name)
    (tasks,) = batches(kernel, random_cases(kernel, 2, count))
    return tasks


@pytest.mark.qemu
@pytest.mark.parametrize("name", SAMPLE)
def test_sample(name: str) -> None:
    """The kernel is right; with other tables, where it has some, it is not."""
    tasks = tasks_of(name, 12)
    kernel = tasks[0].kernel
    machine = Machine(load_board(BOARDS[kernel.family]), kernel)
    count = Count(kernel.name, kernel.family)
    on_host(tasks, count)
    on_machine(machine, tasks, count)
    assert not count.mismatches
    assert count.host == count.board[machine.board.name] == len(tasks)
    changed = [_with_other_tables(task) for task in tasks]
    if any(new is not old for new, old in zip(changed, tasks, strict=True)):
        assert is_wrong(machine, changed)


def is_wrong(machine: Machine, tasks: Sequence[Task]) -> bool:
    """Other bytes, or a fault."""
    count = Count("", "")
    try:
        on_machine(machine, tasks, count)
    except EngineFailedError:
        return True
    return bool(count.mismatches)


def test_bytes_beside_the_output_are_noticed() -> None:
    (task,) = tasks_of("add_s8_mve", 1)
    arenas = task.arenas.copy()
    assert task.is_rest_unchanged(arenas)
    arenas[:, task.addresses[task.node.output.name] :][:, : task.node.output.bytes] ^= 1
    assert task.is_rest_unchanged(arenas)
    arenas[-1, task.addresses[task.node.output.name] - 1] ^= 1
    assert not task.is_rest_unchanged(arenas)


def _with_other_tables(task: Task) -> Task:
    arguments = tuple(
        replace(a, data=(a.data.view(np.int8) ^ np.int8(0x10)).view(a.data.dtype))
        if isinstance(a, Constant)
        else a
        for a in task.call.arguments
    )
    if all(old is new for old, new in zip(task.call.arguments, arguments, strict=True)):
        return task
    return replace(task, call=replace(task.call, arguments=arguments))


def test_every_second_case_that_may_overlap_does() -> None:
    tasks = tasks_of("add_s8_mve", 8)
    assert all(may_overlap(task.kernel, task.node) for task in tasks)
    for index, task in enumerate(tasks):
        starts = [task.addresses[tensor.name] for tensor in task.node.inputs if tensor is not None]
        assert (task.addresses[task.node.output.name] in starts) == bool(index % 2)
