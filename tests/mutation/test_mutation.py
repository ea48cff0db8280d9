"""A few of `make mutate`'s mutants, and the machinery itself."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.random_cases import kernel_named
from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.mutants import inline_changes, random_change, with_fault
from tests.mutation.run import has_gap, mutate

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


def test_every_equivalent_has_a_reason() -> None:
    assert all(len(known.reason) > 20 for known in EQUIVALENT)
