"""The text that kernels are costed by, against the model that measures: the same instructions, assembled."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcu_quant.kernels.mve import cost
from mcu_quant.verify.cycles import MODELS
from tests.boards.test_cycles import MVE, SNIPPETS, assemble

MODEL = MODELS["cortex-m55"]


def lines_of(source: str) -> list[str]:
    return [" ".join(line.split()) for line in source.split(";")]


@pytest.mark.qemu
@pytest.mark.parametrize("name", MVE)
def test_the_text_costs_what_the_encodings_cost(name: str, tmp_path: Path) -> None:
    """Each instruction, right after itself: so that its class shows."""
    twice = [line for line in lines_of(MVE[name]) for _ in range(2)]
    instructions = assemble("cortex-m55", "; ".join(twice), tmp_path)
    for index in range(0, len(twice), 2):
        expected = MODEL.costs(instructions[index : index + 2], None)
        assert cost.cycles(twice[index : index + 2]) == expected, twice[index]


@pytest.mark.parametrize("source", [source for source, _ in SNIPPETS["cortex-m55"]])
def test_snippets(source: str) -> None:
    expected = dict(SNIPPETS["cortex-m55"])[source]
    assert cost.cycles(lines_of(source)) == sum(expected)


def test_branches_are_taken_and_labels_are_free() -> None:
    lines = ["/* a comment */", "1:", "subs r0, r0, #1", "bne 1b", "pop {r4-r11, pc}"]
    assert cost.cycles(lines) == 1 + 3 + (9 + 1) // 2 + 1 + 2
    assert cost.loop_body(["mov r0, #3", "1:", "nop", "2:", "nop", "bne 2b", "bne 1b"], "2") == [
        "nop",
        "bne 2b",
    ]
