"""A few of `make mutate`'s mutants, and the machinery itself."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.boards import load_board
from mcu_quant.kernels.base import Assembly
from tests.kernels.machine import Machine, lay_out
from tests.kernels.prove import BOARDS
from tests.kernels.random_cases import kernel_named
from tests.mutation.attacks import SEGMENT_BYTES, across_segments, attacks
from tests.mutation.equivalent import EQUIVALENT, reason_of
from tests.mutation.hard_inputs import solved, sums_near_ties
from tests.mutation.mutants import asm_changes, inline_changes, random_change, with_fault
from tests.mutation.run import Bench, fixed_tasks, has_gap, mutate

#: One kernel of each family.
SAMPLE = ("pointwise_bytes_s8_armv7m", "add_tables_s8", "mean_s8_dsp", "average_pool_2d_s8_mve")
BODY = """
/* a comment */
push {r4, lr}
1: /* a loop */
1:
ldrsb r4, [r0], #1
subs r2, #1
bne 1b
pop {r4, pc}
"""


@pytest.mark.qemu
@pytest.mark.parametrize("name", SAMPLE)
def test_sample(name: str) -> None:
    report = mutate(kernel_named(name), seed=3, mutants=2, flips=1, shapes=2)
    assert sum(tally.total for tally in report.blocks.values()) >= 2
    for block, tally in report.blocks.items():
        if not block.startswith(("table", "parameters")):
            assert not has_gap(block, tally), f"{block}: {tally.survivors}"


def test_changes_are_of_one_instruction() -> None:
    rng = np.random.default_rng(1)
    changes = {change for _ in range(400) if (change := random_change(BODY, rng)) is not None}
    assert {change.line for change in changes} == {2, 5, 6, 7, 8}
    for change in changes:
        old, new = BODY.splitlines(), change.applied(BODY).splitlines()
        assert len(old) == len(new)
        assert [i for i in range(len(old)) if old[i] != new[i]] == [change.line]


def test_changes_are_of_every_kind() -> None:
    rng = np.random.default_rng(1)
    found = {str(change) for _ in range(400) if (change := random_change(BODY, rng)) is not None}
    for expected in (
        "line 5: ldrsb r4, [r0], #1 -> left out",
        "line 5: ldrsb r4, [r0], #1 -> ldrb r4, [r0], #1",
        "line 5: ldrsb r4, [r0], #1 -> ldrsb r2, [r0], #1",
        "line 5: ldrsb r4, [r0], #1 -> ldrsb r4, [r0], #2",
        "line 7: bne 1b -> beq 1b",
    ):
        assert expected in found


def test_faults_are_not_put_into_blocks_of_conditions() -> None:
    body = "cmp r0, r1\nite lt\nmovlt r0, r1\nmovge r0, #3\nbx lr"
    for line, expected in enumerate([0, 1, 1, 1, 4]):
        assert with_fault(body, line).splitlines().index("udf #0") == expected


def test_inline_changes() -> None:
    header = (
        '#if MQ_HAS_DSP\nMQ_DSP_3(mq_smlad, "smlad", uint32_t)\n#else\nMQ_DSP_3(mq_smlad, "smlad")\n#endif\n'
    )
    changes = dict(inline_changes(header))
    assert changes["smlad -> smladx"].count('"smladx"') == 1
    assert all(text.split("#else")[1] == header.split("#else")[1] for text in changes.values())


@pytest.mark.qemu
@pytest.mark.parametrize("name", (*SAMPLE, "conv_2d_dsp_s16"))
def test_attacks_share_functions_and_the_kernels_stand_them(name: str) -> None:
    kernel = kernel_named(name)
    task = fixed_tasks(kernel, shapes=2)[0][0]
    bodies = {a.body for a in task.call.arguments if isinstance(a, Assembly)}
    cases = list(attacks(kernel, task.case, bodies))[::4] if bodies else []
    tasks = [task, *(lay_out(case, kernel) for case in cases), *across_segments(task, bodies)]
    for each in tasks:
        shared = {a.body for a in each.call.arguments if isinstance(a, Assembly)} & bodies
        assert bool(shared) == bool(bodies), each.case.name
    Bench(Machine(load_board(BOARDS[kernel.family]), kernel), tasks, [])


def test_across_segments() -> None:
    task = fixed_tasks(kernel_named("conv_2d_dsp_small_s8"), shapes=2)[0][0]
    bodies = {a.body for a in task.call.arguments if isinstance(a, Assembly)}
    tasks = list(across_segments(task, bodies))
    starts = [t.scratch[0] for t in tasks]
    assert any(start < SEGMENT_BYTES < start + task.scratch[1] for start in starts)


def test_sums_of_hard_inputs_are_beside_steps() -> None:
    """The reference's outputs of two sums that differ by 1 are different there, and targets are met."""
    task = fixed_tasks(kernel_named("fully_connected_dsp_s8"), shapes=2)[0][0]
    node, (x,) = task.node, task.case.samples_of_inputs()
    weights, bias = node.input(1).data, node.optional_input(2)
    assert weights is not None and bias is not None and bias.data is not None
    near = sums_near_ties(node)[:12]
    rows = x.reshape(len(x), -1, weights.shape[1]).astype(np.int64) - node.input(0).zero_point
    sums = rows @ weights.astype(np.int64).T + bias.data
    met = [int(np.isin(sums[..., c], near[:, c]).sum()) for c in range(len(weights))]
    assert sum(met) >= 10


def test_solved() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        weights = rng.integers(-127, 128, 12)
        x, target = rng.integers(-128, 128, 12), int(rng.integers(-20_000, 20_000))
        found = solved(rng, x.copy(), weights, target)
        assert found.min() >= -128 and found.max() <= 127
        assert abs(int(found @ weights) - target) <= abs(int(x @ weights) - target)
        # Only where weights have a common divisor, or the target is out of reach, it is not met.
        assert int(found @ weights) == target or np.gcd.reduce(weights) > 1


def test_asm_changes() -> None:
    header = '__asm__("vmov %0, %1\\n\\tssat %0, #12, %0" : "=r"(a) : "t"(b));'
    changes = dict(asm_changes(header))
    assert '"vmov %0, %1\\n\\tusat %0, #12, %0"' in changes["ssat %0, #12, %0 -> usat %0, #12, %0"]
    assert '"vmov %0, %1\\n\\tssat %0, #11, %0"' in changes["ssat %0, #12, %0 -> ssat %0, #11, %0"]
    assert '"vmov %0, %1\\n\\t"' in changes["ssat %0, #12, %0 -> left out"]


def test_reasons_are_of_kernel_block_and_change() -> None:
    block, change = "mq_depthwise_planar_rows_function_t", "depthwise_rows_2, line 26: bne 3b -> left out"
    assert reason_of("depthwise_planar_s8", block, change) is not None
    assert reason_of("depthwise_planar_small_s8", block, change) is None
    assert reason_of("depthwise_planar_s8", "another_t", change) is None
    assert reason_of("depthwise_planar_s8", block, change + "!") is None


def test_every_equivalent_has_a_reason() -> None:
    assert all(len(known.reason) > 20 for known in EQUIVALENT)
