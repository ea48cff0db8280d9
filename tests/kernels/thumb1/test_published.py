"""The published models with thumb-1's kernels: all golden samples, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcu_quant.boards import load_board
from mcu_quant.verify.compare import compare
from mcu_quant.verify.qemu import QemuEngine
from tests.boards.models import deploy, golden_samples, published

MODELS = (
    "ad01_int8",
    "pretrainedResnet_quant",
    "kws_ref_model",
    "vww_96_int8",
    "str_ww_ref_model",
    "person_detect",
)
CASES = [("mps2_an385_m0plus", name) for name in MODELS] + [("microbit", "str_ww_ref_model")]


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("optimize", ["time", "balanced"])
@pytest.mark.parametrize(("board_name", "name"), CASES)
def test_golden_samples(board_name: str, name: str, optimize: str, shared: Path) -> None:
    board = load_board(board_name)
    model = published(shared, name)
    inputs, expected = golden_samples(shared, name, model.graph)
    deployment = deploy(model, board, optimize=optimize)
    assert any(kernel.family == "thumb1" for kernel in deployment.kernels)
    result = compare(board_name, expected, QemuEngine(deployment, board).run(inputs))
    assert result.identical, result
