"""What gru and simple_rnn have in common: meaning, bounds of a step, files, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers

from mcu_quant.errors import InvalidModelError, McuQuantError, UnsupportedModelError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import QuantParams
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.custom_options import read_options, write_options
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.recurrent import HIDDEN, RecurrentOperator
from mcu_quant.ops.support import node_problems
from tests.ops import test_gru, test_simple_rnn
from tests.ops.custom_operators import definition
from tests.ops.driver import Case, float_node, operands, real_operands
from tests.ops.int16 import as_int16

CASES = [*test_gru.CASES, *test_simple_rnn.CASES]
#: Those whose output holds every hidden state, and whose sums stay within the limits.
WITHIN = [case for case in CASES if case.float_steps <= 1]
STEPS = 1000


def one_step(case: Case) -> Case:
    """The case with a state, and runs of one step."""
    x = case.inputs[0]
    assert x is not None
    state = replace(case.states[0], name="before")
    inputs = (replace(x, shape=(1, 1, x.shape[2])), *case.inputs[1:HIDDEN], state)
    return replace(case, inputs=inputs, samples=200)


def bound_of_step(case: Case) -> float:
    """ARITHMETIC section 26: how far the output of a step may be from its float meaning."""
    real = real_operands(case)
    recurrent, bias = np.asarray(real[2]), real[4]
    largest = float(np.abs(recurrent).sum(axis=1).max())
    half, rounding = case.output_quant.scale[0] / 2, 2.0**-11 if case.output_dtype == "int8" else 2.0**-10
    product, tanh = largest * half + rounding, 2.0**-13
    if case.op == "simple_rnn":
        return product + tanh + half
    gate = product / 4 + 2.0**-11
    scaled = largest + (float(np.abs(bias).max()) if case.attrs.reset_after and bias is not None else 0.0)
    return product + scaled * gate + tanh + 2 * gate + 2.0**-14 + half


@pytest.mark.parametrize("form", ["int8", "int16"])
@pytest.mark.parametrize("case", WITHIN, ids=lambda case: f"{case.op}-{case}")
def test_a_step_is_near_its_meaning(case: Case, form: str) -> None:
    case = one_step(case if form == "int8" else as_int16(case))
    node, arrays = operands(case)
    before = np.clip(arrays[HIDDEN], -30000, 30000)  # what the output can hold
    arrays[HIDDEN], real = before, real_operands(case)
    real[HIDDEN] = before.astype(np.float32) / 2**15
    expected = OPERATORS[case.op].run_float(float_node(node, real), real)[0]
    (actual, _) = OPERATORS[case.op].run_integer(node, arrays)
    quant = case.output_quant
    low = (np.iinfo(actual.dtype).min - quant.zero_point[0]) * quant.scale[0]
    high = (np.iinfo(actual.dtype).max - quant.zero_point[0]) * quant.scale[0]
    found = (actual.astype(np.int64) - quant.zero_point[0]) * quant.scale[0]
    error = np.abs(found - np.clip(expected, low, high)).max()
    assert error <= bound_of_step(case), f"{error} is more than {bound_of_step(case)}"


@pytest.mark.parametrize("reset_after", [True, False])
def test_the_float_meaning_is_kerass(reset_after: bool) -> None:
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(3)
    layer = keras.layers.GRU(5, return_sequences=True, reset_after=reset_after)
    layer.build((None, 8, 4))
    layer.set_weights([rng.normal(0, 0.7, weight.shape) for weight in layer.get_weights()])
    kernel, recurrent, bias = layer.get_weights()
    case = test_gru.case("keras", test_gru.GruAttrs(reset_after), (8, 4, 5))
    biases = [*np.atleast_2d(bias), None][:2]
    x = rng.normal(size=(6, 1, 8, 4)).astype(np.float32)
    real: list[Any] = [x, kernel.T, recurrent.T, *biases, None]
    names = case.inputs if reset_after else (*case.inputs[:4], None, None)
    node = replace(case.node(), inputs=tuple(names))
    (y, _) = OPERATORS["gru"].run_float(float_node(node, real), real)
    np.testing.assert_allclose(y[:, 0], layer(x[:, 0]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", [test_gru.CASES[0], test_gru.CASES[1], test_simple_rnn.CASES[0]], ids=str)
def test_a_thousand_runs_with_state(case: Case) -> None:
    """The file, run by the definition, and the reference; and read again."""
    case = one_step(case)
    graph, file = case.graph(), write_tflite(case.graph())
    x = np.random.default_rng(4).integers(-128, 128, (STEPS, *graph.input_tensors()[0].shape)).astype(np.int8)
    (expected,) = definition(file, [x], sequence=True)
    assert len(np.unique(expected)) > 20
    for each in (graph, read_tflite(file, "again")):
        assert len(each.states) == 1
        np.testing.assert_array_equal(run_graph(each, [x])[0], expected)


def test_a_layer_without_a_state_begins_anew() -> None:
    case = test_gru.CASES[0]
    graph = read_tflite(write_tflite(case.graph()), "again")
    assert not graph.states and graph.nodes[0].inputs[HIDDEN] is None
    (x,) = case.samples_of_inputs()
    y = run_graph(graph, [np.concatenate([x, x])])[0]
    np.testing.assert_array_equal(y[: len(x)], y[len(x) :])


def custom(options: bytes | None, version: int = 1) -> TfliteNode:
    return TfliteNode("layer", "MCU_QUANT_GRU", options, (), (), version)


def test_options_are_read_as_they_were_written() -> None:
    for value in (True, False):
        assert read_options(custom(write_options({"reset_after": value})), 1, ("reset_after",)) == {
            "reset_after": value
        }
    assert read_options(custom(write_options({})), 1, ()) == {}


def test_other_versions_and_options_are_refused_by_name() -> None:
    good = write_options({"reset_after": True})
    with pytest.raises(UnsupportedModelError, match="the version of MCU_QUANT_GRU must be 1"):
        read_options(custom(good, 2), 1, ("reset_after",))
    for other in ({}, {"reset_after": True, "time_major": True}, {"time_major": True}):
        with pytest.raises(UnsupportedModelError, match="options of MCU_QUANT_GRU must be reset_after"):
            read_options(custom(write_options(other)), 1, ("reset_after",))


HOSTILE = {
    "none": None,
    "short": b"\x00\x01",
    "long": bytes(10_000),
    "number": flexbuffers.Dumps(3),
    "vector": flexbuffers.Dumps([True]),
    "number_in_map": flexbuffers.Dumps({"reset_after": 1}),
    "map_in_map": flexbuffers.Dumps({"reset_after": {"reset_after": True}}),
    "text": b"reset_after=true",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_damaged_options_are_refused(name: str) -> None:
    with pytest.raises(InvalidModelError, match="options of MCU_QUANT_GRU must be a map of conditions"):
        read_options(custom(HOSTILE[name]), 1, ("reset_after",))


def test_no_options_are_more_than_refused() -> None:
    """Every change of a byte or two of the options: read as they are, or an error of ours."""
    good = write_options({"reset_after": True})
    rng = np.random.default_rng(5)
    read = 0
    for _ in range(3000):
        data = bytearray(good)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] = rng.integers(256)
        try:
            read += read_options(custom(bytes(data)), 1, ("reset_after",))["reset_after"] in (True, False)
        except McuQuantError:
            continue
    assert 0 < read < 2000


def problems(case: Case) -> str:
    return str(node_problems(case.node())[0].rule)


def test_refused_rules() -> None:
    case = test_gru.CASES[0]
    assert not node_problems(case.node())
    assert "2**-29" in problems(replace(case, output_quant=QuantParams.per_tensor(2.0**-30)))
    state = replace(case.states[0], quant=QuantParams.per_tensor(2.0**-14))
    assert "int16 of scale 1/32768" in problems(replace(case, states=(state,)))
    x, weights, *rest = case.inputs
    assert x is not None and weights is not None and weights.quant is not None
    loud = replace(x, quant=QuantParams.per_tensor(1e6))
    assert "2**18" in problems(replace(case, inputs=(loud, weights, *rest)))
    skewed = replace(weights, quant=QuantParams.per_tensor(0.01, 3))
    assert "symmetric int8" in problems(replace(case, inputs=(x, skewed, *rest)))
    computed = replace(weights, data=None)
    assert "must be constant" in problems(replace(case, inputs=(x, computed, *rest)))
    fine = as_int16(case)
    x, weights, *rest = fine.inputs
    loud = replace(x, quant=QuantParams.per_tensor(100.0))
    assert "2**-5" in problems(replace(fine, inputs=(loud, weights, *rest)))


def test_every_operator_is_of_this_test() -> None:
    assert {case.op for case in CASES} == {
        name for name, operator in OPERATORS.items() if isinstance(operator, RecurrentOperator)
    }
