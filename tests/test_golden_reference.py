"""The reference against stored outputs of TFLM: published and converted models, single operators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from tests.graphs import assert_same_graph
from tests.oracles import tflm

SHARED = Path(__file__).resolve().parents[2] / "shared"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the published models are not at ../shared")

PUBLISHED = (
    "ad01_int8",
    "pretrainedResnet_quant",
    "kws_ref_model",
    "vww_96_int8",
    "str_ww_ref_model",
    "hello_world_int8",
    "micro_speech_quantized",
    "person_detect",
)
CONVERTED = tuple(
    f"{model}_tf221_{technique}"
    for model in ("pretrainedResnet", "kws_ref_model", "fashion_dscnn", "fsdd_dscnn")
    for technique in ("int8", "int8_per-tensor", "int16x8")
)
PER_OPERATOR = SHARED / "golden" / "perop"
#: The largest input that any of the eight models has costs TFLM a tenth of a second a sample.
ORACLE_SAMPLES = 2


def load(name: str) -> Graph:
    return read_tflite((SHARED / "models" / f"{name}.tflite").read_bytes(), name)


def stored(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(SHARED / "golden" / f"{name}.npz") as golden:
        return golden["in0"], golden["tflm_out0"]


def assert_same_bytes(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.dtype == expected.dtype
    wrong = np.argwhere(actual != expected)
    assert not len(wrong), f"{len(wrong)} of {expected.size} bytes differ, first at {wrong[0]}"


@pytest.mark.parametrize("name", PUBLISHED + CONVERTED)
def test_reference_gives_the_stored_bytes(name: str) -> None:
    inputs, expected = stored(name)
    (actual,) = run_graph(load(name), [inputs])
    assert_same_bytes(actual, expected)


@pytest.mark.parametrize("name", PUBLISHED + CONVERTED)
def test_our_file_of_a_model_is_the_same_model(name: str) -> None:
    graph = load(name)
    written = write_tflite(graph)
    assert write_tflite(graph) == written
    assert_same_graph(read_tflite(written, name), graph)
    inputs, expected = stored(name)
    (actual,) = tflm(written, [inputs[:ORACLE_SAMPLES]])
    assert_same_bytes(actual, expected[:ORACLE_SAMPLES])


def per_operator_cases() -> list[str]:
    index = PER_OPERATOR / "index.json"
    return sorted(path.stem for path in PER_OPERATOR.glob("*.tflite")) if index.is_file() else []


def test_there_are_119_single_operators() -> None:
    assert len(per_operator_cases()) == 119


@pytest.mark.parametrize("case", per_operator_cases())
def test_single_operator_gives_the_stored_bytes(case: str) -> None:
    graph = read_tflite((PER_OPERATOR / f"{case}.tflite").read_bytes(), case)
    with np.load(PER_OPERATOR / f"{case.split('__')[0]}.npz") as golden:
        inputs = [golden[f"{case}.in{index}"] for index in range(len(graph.inputs))]
        expected = golden[f"{case}.out0"]
    (actual,) = run_graph(graph, inputs)
    assert_same_bytes(actual, expected)
