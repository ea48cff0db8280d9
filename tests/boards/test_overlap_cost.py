"""Balanced with overlap costs hardly more instructions than without."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcu_quant.boards import load_board
from mcu_quant.samples import default_inputs
from tests.boards.models import deploy, published
from tests.boards.overlap_cost import BOARD, MODELS, measure


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("name", MODELS)
def test_overlap_costs_few_instructions(name: str, shared: Path) -> None:
    board = load_board(BOARD)
    planned = deploy(published(shared, name), board)
    cost = measure(planned, board, default_inputs(planned.graph, 1))
    assert cost.arena_bytes[0] <= cost.arena_bytes[1]
    assert max(cost.ratios) <= 1.03
