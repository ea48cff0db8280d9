"""Layers in bands of rows: the same bytes, no row computed twice, no byte overwritten that is still read."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.bands.schedule import Reach, Schedule, Stage
from mcu_quant.bands.segment import find_segments
from mcu_quant.deployment import TENSOR_ALIGN, Deployment
from mcu_quant.memory import overlaps
from mcu_quant.ops.support import find_problems
from mcu_quant.optimize.ranges import annotate_ranges
from mcu_quant.verify.host import HostEngine
from mcu_quant.verify.reference import ReferenceEngine
from tests.bands.graphs import banded_deployment, random_graph
from tests.bands.simulation import simulate
from tests.codegen.deployments import random_inputs
from tests.hunter.int16 import int16_graph

#: More graphs than CI tries: MQ_BANDS=2000 pytest tests/bands.
COUNT = int(os.environ.get("MQ_BANDS", "0"))
DTYPES = ("int8", "int16")
CORES = ("generic", "cortex-m4", "cortex-m0", "cortex-m3", "cortex-m55")


def deployments(seed: int, core: str | None = None, dtype: str = "int8") -> Deployment:
    """The first deployment with bands that the seed leads to."""
    generator = random.Random(seed)
    while True:
        graph = random_graph(generator)
        if dtype == "int16":
            graph = annotate_ranges(int16_graph(graph))
            if find_problems(graph):
                continue
        chosen = core or generator.choice(CORES)
        keep_input = generator.random() < 0.2
        if found := banded_deployment(graph, generator, chosen, keep_input=keep_input):
            return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(COUNT or 16))
def test_nothing_is_overwritten_that_is_still_read(seed: int, dtype: str) -> None:
    deployment = deployments(seed, dtype=dtype)
    assert not simulate(deployment)
    keep_input = deployment.options.keep_input
    assert not overlaps(deployment.graph, deployment.kernels, deployment.plan, keep_input=keep_input)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(COUNT or 4))
def test_bands_give_the_same_bytes(seed: int, dtype: str) -> None:
    """In an arena between canaries, full of garbage before each sample."""
    deployment = deployments(seed, dtype=dtype)
    inputs = random_inputs(deployment.reference, 3, seed)
    (expected,) = ReferenceEngine(deployment.reference).run(inputs)
    (actual,) = HostEngine(deployment).run(inputs)
    assert np.array_equal(expected, actual)


@pytest.mark.parametrize("seed", range(5))
def test_an_input_one_unit_too_low_is_seen(seed: int) -> None:
    """Where the output begins inside it, or right below, at the least distance: both checks say so."""
    generator = random.Random(seed)
    tight = None
    while tight is None:
        tight = _tightened(deployments(generator.randrange(10**6)))
    assert simulate(tight)
    assert overlaps(tight.graph, tight.kernels, tight.plan)


def _tightened(deployment: Deployment) -> Deployment | None:
    """None where the graph's input is not where the output's distance keeps it."""
    node, kernel, plan = deployment.graph.nodes[0], deployment.kernels[0], deployment.plan
    source, (output,) = deployment.graph.inputs[0], node.outputs
    at, bound = plan.addresses[source], deployment.graph.bind(node)
    (distance,) = kernel.overlap(bound)[:1]
    if kernel.name != "bands" or deployment.options.keep_input or distance is None or at == 0:
        return None
    if not distance <= at - plan.addresses[output] < distance + TENSOR_ALIGN:
        return None
    if distance == -bound.input(0).bytes:
        return None  # all of the input is read before the first output is written
    return replace(deployment, plan=replace(plan, addresses={**plan.addresses, source: at - TENSOR_ALIGN}))


def test_one_row_too_few_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation is not blind for what the schedule gets wrong."""
    right = Schedule.low
    seen = []
    for seed in range(8):
        monkeypatch.setattr(Schedule, "low", right)
        assert not simulate(deployments(seed))
        monkeypatch.setattr(
            Schedule,
            "low",
            lambda self, name, band: min(right(self, name, band) + 1, self.made(name, band).start),
        )
        seen.append(bool(simulate(deployments(seed))))
    assert sum(seen) >= 4  # the others keep no rows


@pytest.mark.parametrize("seed", range(40))
def test_every_row_is_made_once_and_kept_while_it_is_read(seed: int) -> None:
    """A schedule of stages that were drawn, against sets of rows."""
    generator = random.Random(seed)
    stages = _random_stages(generator)
    schedule = Schedule(stages, generator.randint(1, stages[-1].height))
    present: dict[str, set[int]] = {stage.output: set() for stage in stages}
    made: dict[str, set[int]] = {stage.output: set() for stage in stages}
    for band in range(schedule.bands):
        for stage in stages:
            kept = set(schedule.kept(stage.output, band))
            assert kept <= present[stage.output]
            present[stage.output] = kept
        for index, stage in enumerate(stages):
            new = set(schedule.made(stage.output, band))
            assert not new & made[stage.output]
            for operand, read in enumerate(stage.reads):
                assert read is not None
                rows = schedule.read(index, operand, band)
                needed = {row for y in new for row in _needed(read[1], y)}
                assert rows is not None and needed <= set(rows)
                assert read[0] == "x" or set(rows) <= present[read[0]]
            made[stage.output] |= new
            present[stage.output] |= new
            assert len(present[stage.output]) <= schedule.buffer_rows(stage.output)
    assert made[stages[-1].output] == set(range(stages[-1].height))


def _random_stages(generator: random.Random) -> list[Stage]:
    heights = {"x": generator.randint(4, 30)}
    stages: list[Stage] = []
    for index in range(generator.randint(1, 6)):
        name = list(heights)[-1]
        stride, span = generator.choice((1, 1, 2, 3)), generator.randint(1, 5)
        before = generator.randint(0, span - 1)
        height = (heights[name] + before + generator.randint(0, span - 1) - span) // stride + 1
        if height < 1 or (height - 1) * stride - before >= heights[name]:
            continue
        reads: list[tuple[str, Reach] | None] = [(name, Reach(heights[name], stride, before, span))]
        others = [other for other in heights if other != "x" and heights[other] == height]
        if others:
            reads.append((generator.choice(others), Reach(height)))
        heights[f"t{index}"] = height
        stages.append(Stage(f"t{index}", height, tuple(reads)))
    return stages or _random_stages(generator)


def _needed(reach: Reach, row: int) -> range:
    first = row * reach.stride - reach.before
    return range(max(first, 0), min(first + reach.span, reach.height))


def test_segments_have_one_input_and_one_output() -> None:
    for seed in range(20):
        graph = random_graph(random.Random(seed))
        for indices, segment in find_segments(graph, len(graph.nodes) // 2):
            inside = {name for node in segment.graph.nodes for name in node.outputs}
            outside = [node for i, node in enumerate(graph.nodes) if i not in indices]
            read = {name for node in outside for name in node.inputs} | set(graph.outputs)
            assert inside & read == set(segment.graph.outputs)
            assert len(segment.graph.inputs) == 1
