"""Kernels give way to smaller ones where the arena would not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcu_quant import pipeline
from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import DoesNotFitError
from mcu_quant.fitting import choose_and_plan
from mcu_quant.kernels.base import CORES
from mcu_quant.memory import overlaps
from mcu_quant.verify.host import HostEngine
from mcu_quant.verify.reference import ReferenceEngine
from tests.boards.models import PUBLISHED, published, tiny_model
from tests.test_memory_networks import MCUNET, MOBILENET, Block, network

CORE = CORES["cortex-m0plus"]
#: 400 inputs and 40 outputs, and no way around them.
MODEL = tiny_model("wide", inputs=400, hidden=40)


def arena(ram: int | None) -> int:
    return pipeline.deploy(MODEL, CORE, GenerateOptions(ram=ram)).plan.arena_bytes


def test_without_a_limit_the_cheapest_kernels_are_taken() -> None:
    fit = choose_and_plan(MODEL.graph, CORE, GenerateOptions())
    assert fit.kernels[0].family == "thumb1"
    assert fit.plan.arena_bytes > 800


def test_scratch_is_given_up_only_as_far_as_the_limit_asks() -> None:
    fast, least = arena(None), arena(440)
    assert fast > 800 and least == 440
    fit = choose_and_plan(MODEL.graph, CORE, GenerateOptions(), 440)
    assert fit.kernels[0].family == "portable"
    assert fit.plan.arena_bytes == 440 and fit.slowdown > 1
    assert arena(fast) == fast


def test_a_limit_out_of_reach_names_the_least() -> None:
    with pytest.raises(DoesNotFitError, match="440 bytes is the least found, 439 given"):
        arena(439)


@pytest.mark.parametrize("core", ["generic", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m55"])
@pytest.mark.parametrize(("size", "blocks"), [(128, MCUNET), (64, MOBILENET)])
@pytest.mark.slow
def test_size_takes_no_larger_arena_than_balanced(core: str, size: int, blocks: tuple[Block, ...]) -> None:
    graph = network(size, 16, blocks)
    balanced, small = (
        choose_and_plan(graph, CORES[core], GenerateOptions(optimize=mode)) for mode in ("balanced", "size")
    )
    assert small.plan.arena_bytes <= balanced.plan.arena_bytes
    assert not overlaps(small.graph, small.kernels, small.plan)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*PUBLISHED, "fsdd_dscnn_tf221_int8", "fashion_dscnn_tf221_int8"])
def test_size_takes_no_larger_arena_for_published_models(name: str, shared: Path) -> None:
    """fsdd's lines of 32 pixels took 1,680 bytes more on Cortex-M4."""
    model = published(shared, name)
    for core in ("cortex-m0plus", "cortex-m4", "cortex-m55"):
        balanced, small = (
            pipeline.deploy(model, CORES[core], GenerateOptions(optimize=mode)).plan.arena_bytes
            for mode in ("balanced", "size")
        )
        assert small <= balanced, core


def test_the_smaller_kernels_give_the_same_bytes() -> None:
    x = np.random.default_rng(5).integers(-128, 128, (3, 1, 400)).astype(np.int8)
    deployment = pipeline.deploy(MODEL, CORE, GenerateOptions(ram=440))
    (expected,) = ReferenceEngine(MODEL.graph).run([x])
    (got,) = HostEngine(deployment).run([x])
    assert np.array_equal(expected, got)
