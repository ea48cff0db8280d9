"""A short hunt of models that stream, and proof that it can catch what could be wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import KernelCall
from mcu_quant.kernels.portable import slide_s8
from mcu_quant.streaming import frames, kept, steps
from mcu_quant.streaming.frames import Frames, Taps
from mcu_quant.streaming.reach import Reach
from tests.hunter import regressions
from tests.hunter.check import Engines, Mismatch, Tally, Target, check_case
from tests.hunter.hunt import Plan, describe, hunt
from tests.hunter.streams import StreamCase

CASES = 40
Break = Callable[[pytest.MonkeyPatch], None]


def test_a_short_hunt_finds_nothing(tmp_path: Path) -> None:
    report = hunt(Plan(CASES, host_cores=(), only="streams", regressions=tmp_path))
    assert not report.failed(), describe(report, 0)
    assert report.tally.engines["TFLM"] > 0.8 * CASES
    assert report.tally.operators["slide"] > CASES


def rows_that_come_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window reads rows that are one older than they should be."""
    right = steps.taps_of

    def wrong(reach: Reach, given: Frames, made: Frames) -> Taps:
        taps = right(reach, given, made)
        return replace(taps, delay=taps.delay + 1)

    monkeypatch.setattr(steps, "taps_of", wrong)


def padding_that_counts_as_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    right = steps.through

    def wrong(reach: Reach, given: Frames, size: int, layer: str) -> Frames:
        return replace(right(reach, given, size, layer), clean=(0, size))

    monkeypatch.setattr(steps, "through", wrong)


def states_that_begin_as_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all layers: what a layer makes of zeros is something else."""
    right = kept._resting_rows
    monkeypatch.setattr(
        kept,
        "_resting_rows",
        lambda *given: {name: np.zeros_like(row) for name, row in right(*given).items()},
    )


def rows_of_every_window_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strides without the rows of the windows between: right at hops that they divide."""
    monkeypatch.setattr(frames.Frames, "period", property(lambda self: min(self.spacing, self.hop)))


@pytest.mark.parametrize(
    "plant",
    [
        rows_that_come_too_late,
        padding_that_counts_as_rows,
        states_that_begin_as_zeros,
        rows_of_every_window_alone,
    ],
)
def test_a_planted_fault_is_caught(plant: Break, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as broken:
        plant(broken)
        try:
            report = hunt(Plan(CASES, host_cores=(), only="streams", regressions=tmp_path))
        except AssertionError:
            return  # a graph that cannot be
    assert report.mismatches


def test_a_kernel_that_is_wrong_is_caught_shrunk_and_saved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A slide that leaves its first row where it was."""
    right = slide_s8.SlideS8.call

    def wrong(self: slide_s8.SlideS8, node: BoundNode) -> KernelCall:
        call = right(self, node)
        kept_bytes = call.params["kept"]
        return replace(call, params=call.params | {"kept": max(0, int(str(kept_bytes)) - 1)})

    target = Target("generic")
    with monkeypatch.context() as broken:
        broken.setattr(slide_s8.SlideS8, "call", wrong)
        report = hunt(Plan(10, host_cores=(target.core,), only="streams", regressions=tmp_path))
        assert report.mismatches
        (path, *_) = regressions.saved(tmp_path)
        case = regressions.load(path)
        assert isinstance(case, StreamCase) and len(case.window.nodes) <= 2
        with pytest.raises(Mismatch):
            check_case(case, Engines(target), Tally())
    check_case(case, Engines(target), Tally())
