"""The published models on every board that they fit: all golden samples, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcu_quant.boards import load_board, qemu_boards
from mcu_quant.errors import DoesNotFitError
from mcu_quant.verify.compare import compare
from mcu_quant.verify.qemu import QemuEngine
from tests.boards.models import PUBLISHED, deploy, golden_samples, published

#: What 256 kB of flash and 14 kB of RAM, or 128 and 7, cannot hold, even in bands of rows.
TOO_LARGE = {
    "microbit": {"ad01_int8", "pretrainedResnet_quant", "vww_96_int8", "kws_ref_model_tf221_int16x8"},
    "stm32vldiscovery": {
        "ad01_int8",
        "pretrainedResnet_quant",
        "kws_ref_model",
        "vww_96_int8",
        "person_detect",
        "fashion_dscnn_tf221_int16x8",
        "kws_ref_model_tf221_int16x8",
    },
}


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("board_name", qemu_boards())
def test_golden_samples(name: str, board_name: str, shared: Path) -> None:
    board = load_board(board_name)
    model = published(shared, name)
    inputs, expected = golden_samples(shared, name, model.graph)
    engine = QemuEngine(deploy(model, board), board)
    if name in TOO_LARGE.get(board_name, ()):
        with pytest.raises(DoesNotFitError):
            engine.build()
        return
    result = compare(board_name, expected, engine.run(inputs))
    assert result.identical, result
