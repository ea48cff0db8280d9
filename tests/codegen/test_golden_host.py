"""Published models and single operators: the C on this machine gives the stored bytes of TFLM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcu_quant.importers.tflite import read_tflite
from mcu_quant.verify.host import HostEngine
from tests.codegen.deployments import deploy, published
from tests.conftest import SHARED
from tests.test_golden_reference import (
    CONVERTED,
    PER_OPERATOR,
    PUBLISHED,
    assert_same_bytes,
    per_operator_cases,
    stored,
)

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the published models are not at ../shared")

QUICK = ("kws_ref_model", "hello_world_int8")
#: The sanitizers make a run thirty times as long.
SANITIZED_SAMPLES = 3


@pytest.mark.parametrize(
    "name",
    [*QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in PUBLISHED + CONVERTED if n not in QUICK)],
)
def test_every_stored_sample(name: str) -> None:
    inputs, expected = stored(name)
    (actual,) = HostEngine(deploy(published(name), name="net")).run([inputs])
    assert_same_bytes(actual, expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ("pretrainedResnet_quant", "kws_ref_model", "person_detect"))
def test_under_sanitizers(name: str) -> None:
    inputs, expected = stored(name)
    engine = HostEngine(deploy(published(name), name="net"), sanitize=True)
    (actual,) = engine.run([inputs[:SANITIZED_SAMPLES]])
    assert_same_bytes(actual, expected[:SANITIZED_SAMPLES])


@pytest.mark.slow
@pytest.mark.parametrize("options", ({"optimize": "time"}, {"optimize": "size", "keep_input": True}), ids=str)
def test_other_options_give_the_same_bytes(options: dict[str, object]) -> None:
    inputs, expected = stored("kws_ref_model")
    engine = HostEngine(deploy(published("kws_ref_model"), name="net", **options))
    (actual,) = engine.run([inputs[:100]])
    assert_same_bytes(actual, expected[:100])


@pytest.mark.slow
@pytest.mark.parametrize("case", per_operator_cases())
def test_single_operator(case: str) -> None:
    path: Path = PER_OPERATOR / f"{case}.tflite"
    graph = read_tflite(path.read_bytes(), case)
    with np.load(PER_OPERATOR / f"{case.split('__')[0]}.npz") as golden:
        inputs = [golden[f"{case}.in{index}"] for index in range(len(graph.inputs))]
        expected = golden[f"{case}.out0"]
    (actual,) = HostEngine(deploy(graph, name="op"), flags=("-O1",)).run(inputs)
    assert_same_bytes(actual, expected)
