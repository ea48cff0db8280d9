"""The published models within less RAM than any of their layers needs as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcu_quant import pipeline
from mcu_quant.boards import load_board
from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.kernels.base import CORES
from mcu_quant.memory import overlaps
from mcu_quant.pipeline import TfliteModel
from mcu_quant.verify.compare import compare
from mcu_quant.verify.host import HostEngine
from mcu_quant.verify.qemu import QemuEngine
from tests.bands.simulation import simulate
from tests.boards.models import golden_samples, published

#: A limit, what the arena takes without one, and how many more cycles the kernels may estimate.
LIMITS = {
    "vww_96_int8": (31_000, 38_448, 1.6),
    "pretrainedResnet_quant": (22_000, 34_752, 1.6),
    "person_detect": (16_000, 38_448, 1.6),
}


def limited(shared: Path, name: str, core: str) -> tuple[TfliteModel, Deployment]:
    """Checked on paper: it fits, at the cost allowed, and no byte is overwritten that is still read."""
    model = published(shared, name)
    ram, free, slowdown = LIMITS[name]
    deployment = pipeline.deploy(model, CORES[core], GenerateOptions(ram=ram))
    assert deployment.plan.arena_bytes <= ram < free
    assert deployment.fitting()["bands"]
    assert core != "cortex-m4" or deployment.slowdown <= slowdown
    assert not simulate(deployment)
    assert not overlaps(deployment.graph, deployment.kernels, deployment.plan)
    return model, deployment


def of_each(quick: str) -> pytest.MarkDecorator:
    """One model in CI, all with MQ_BANDS=1."""
    return pytest.mark.parametrize("name", list(LIMITS) if os.environ.get("MQ_BANDS") else [quick])


@of_each("vww_96_int8")
@pytest.mark.slow
def test_golden_samples_on_this_computer(name: str, shared: Path) -> None:
    """With the kernels of Cortex-M4, whose assembly has its twins in C here."""
    model, deployment = limited(shared, name, "cortex-m4")
    inputs, expected = golden_samples(shared, name, model.graph)
    result = compare("host", [y[:8] for y in expected], HostEngine(deployment).run([x[:8] for x in inputs]))
    assert result.identical, result


@pytest.mark.slow
@pytest.mark.qemu
@of_each("pretrainedResnet_quant")
def test_golden_samples_on_a_board(name: str, shared: Path) -> None:
    model, deployment = limited(shared, name, "cortex-m4")
    board = load_board("mps2_an386")
    inputs, expected = golden_samples(shared, name, model.graph)
    result = compare(board.name, expected, QemuEngine(deployment, board).run(inputs))
    assert result.identical, result
