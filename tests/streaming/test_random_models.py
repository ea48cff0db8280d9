"""Random models over time: streaming gives the window model's bytes, in the reference and in C."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import McuQuantError
from mcu_quant.kernels.base import CORES
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.pipeline import TfliteModel, deploy
from mcu_quant.verify.host import HostEngine
from tests.hunter.batches import run_on_host
from tests.hunter.draws import drawn
from tests.hunter.floats import float_graph
from tests.hunter.streams import HOPS, StreamCase, stream_case, stream_cases

CASES = 100


@cache
def cases(seed: int) -> list[StreamCase]:
    return drawn(stream_cases(), CASES, seed)


def assert_equal(actual: list[np.ndarray], case: StreamCase) -> None:
    for got, expected in zip(actual, case.expected(), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("seed", range(2))
def test_the_reference_gives_the_window_models_bytes(seed: int) -> None:
    for case in cases(seed):
        assert_equal(run_graph(case.graph, case.inputs), case)


@pytest.mark.parametrize("hop", [1, 2, 3, 4])
def test_every_hop_is_among_them(hop: int) -> None:
    found = [case for seed in range(2) for case in cases(seed) if case.streaming.hop == hop]
    operators = {node.op for case in found for node in case.graph.nodes}
    assert operators >= {"slide", "conv_2d", "depthwise_conv_2d", "average_pool_2d", "max_pool_2d", "add"}
    assert any(
        node.attrs.strides != (1, 1) for case in found for node in case.window.nodes if node.op == "conv_2d"
    )


@pytest.mark.parametrize("core", ["generic", "cortex-m4"])
def test_c_gives_the_same_bytes(core: str) -> None:
    some = cases(1)[:30]
    deployments = [
        deploy(TfliteModel(f"case{k}", b"", case.graph), CORES[core], GenerateOptions(), f"case{k}")
        for k, case in enumerate(some)
    ]
    outputs = run_on_host(deployments, [case.inputs for case in some])
    for case, actual in zip(some, outputs, strict=True):
        assert_equal(actual, case)


def test_c_is_clean_under_sanitizers() -> None:
    """With arenas and states of the exact size."""
    for case in cases(0)[:6]:
        deployment = deploy(TfliteModel("sanitized", b"", case.graph), CORES["generic"], GenerateOptions())
        assert_equal(HostEngine(deployment, sanitize=True).run(case.inputs), case)


def test_floats_are_near_the_window_models() -> None:
    """The order of sums may differ with the shape: a few rounding errors."""
    checked = 0
    for case in cases(1):
        rng = np.random.default_rng(len(case.window.nodes))
        window = float_graph(case.window, rng)
        if window is None or len(window.inputs) != 1:
            continue
        hops = rng.standard_normal(case.inputs[0].shape).astype(np.float32)
        try:
            found = stream_case(window, case.streaming.axis, case.streaming.hop, hops)
        except McuQuantError:
            continue
        with np.errstate(all="ignore"):
            pairs = list(zip(run_graph(found.graph, [hops]), found.expected(), strict=True))
        for actual, expected in pairs:
            if expected.dtype == np.float32 and np.isfinite(expected).all():
                largest = np.abs(expected).max(initial=1.0)
                assert np.abs(actual - expected).max(initial=0.0) <= 1e-4 * largest
        checked += 1
    assert checked >= 20


def test_hops_outlast_the_windows() -> None:
    """So that each case sees what comes before the first frame, and windows without it."""
    for case in cases(0):
        assert HOPS * case.streaming.hop > case.streaming.frames
