"""unidirectional_sequence_lstm: meaning, bits over many runs, and C. Each ID reruns one case."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Node, QuantParams, Tensor, check
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.support import node_problems
from mcu_quant.ops.unidirectional_sequence_lstm import (
    BIAS,
    CELL,
    GATES,
    HIDDEN,
    RECURRENT_WEIGHTS,
    WEIGHTS,
    LstmAttrs,
)
from tests.ops.driver import CHECKS, Case, activation, check_name, same_in_a_file
from tests.oracles import tflm

OP = "unidirectional_sequence_lstm"


def case(
    name: str,
    sizes: tuple[int, int, int] = (4, 5, 6),
    *,
    keeps: bool = True,
    time_major: bool = False,
    clip: float = 0.0,
    x: tuple[float, int] = (0.02, 3),
    y: tuple[float, int] = (1 / 120, -5),
    cell: int = -12,
    weights: tuple[float, float] = (0.5, 0.4),
    fill: int | None = None,
    float_steps: float = 4.0,
    samples: int = 20,
) -> Case:
    """sizes: steps, values of a step, units. keeps: states live from run to run. cell: log2 of its scale.

    weights: the largest real ones, of the input and recurrent. fill: the one value of all, else random ones.
    """
    steps, size, units = sizes
    rng = np.random.default_rng(zlib.crc32(name.encode()) + 1)
    inputs: list[Tensor | None] = [None] * 24
    inputs[0] = activation("x", (steps, 1, size) if time_major else (1, steps, size), *x)
    for first, columns, largest in ((WEIGHTS, size, weights[0]), (RECURRENT_WEIGHTS, units, weights[1])):
        for gate in range(GATES):
            values = (
                rng.integers(-127, 128, (units, columns)) if fill is None else np.full((units, columns), fill)
            )
            quant = QuantParams.per_tensor(rng.uniform(0.5, 1.0) * largest / 127)
            inputs[first + gate] = Tensor.constant(f"weights_{first + gate}", values.astype(np.int8), quant)
    for gate in range(GATES):
        weight = inputs[WEIGHTS + gate]
        assert weight is not None
        scale = x[0] * weight.scale
        values = np.clip(np.round(rng.normal(0, 0.5, units) / scale), -(2**24), 2**24).astype(np.int32)
        inputs[BIAS + gate] = Tensor.constant(f"bias_{gate}", values, QuantParams.per_tensor(scale))
    hidden, state = activation("h", (1, units), *y), activation("c", (1, units), 2.0**cell, 0, "int16")
    if keeps:
        inputs[HIDDEN], inputs[CELL] = hidden, state
    after = replace(hidden, name="h_after"), replace(state, name="c_after")
    quant = QuantParams.per_tensor(*y)
    attrs = LstmAttrs(time_major, clip)
    return Case(name, OP, attrs, tuple(inputs), quant, samples, float_steps, states=after)


CASES = [
    case("usual"),
    case("begins_anew", keeps=False),
    case("time_major", time_major=True),
    case("time_major_begins_anew", time_major=True, keeps=False),
    case("one_step", (1, 7, 5)),
    case("one_step_begins_anew", (1, 7, 5), keeps=False),
    case("one_unit", (5, 3, 1)),
    case("one_value", (6, 1, 5)),
    case("one_of_all", (1, 1, 1)),
    case("four_by_four", (3, 4, 4)),
    case("long", (60, 3, 6), keeps=False, samples=4),
    case("wide", (2, 41, 19), weights=(0.15, 0.15), samples=8),
    case("clipped", clip=0.625),
    case("clipped_beyond_int16", clip=100.0),
    case("clipped_to_nothing", clip=2.0**-17),
    case("zero_points_low", x=(0.02, -128), y=(1 / 200, -128), float_steps=255),
    case("zero_points_high", x=(0.02, 127), y=(1 / 200, 127), float_steps=255),
    case("cell_of_3_12", cell=-9),
    case("cell_saturates", cell=-15, float_steps=255),
    # A cell state that next to nothing is added to, and its tanh of one step.
    case("coarse_cell", cell=2, float_steps=255),
    case("coarse_cell_1", cell=0, float_steps=255),
    case("fine_cell", cell=-20, float_steps=255),
    case("finest_cell", cell=-27, float_steps=255),
    # Gates that are all or nothing: a step of difference may decide.
    case("saturates_gates", x=(0.5, 3), weights=(8.0, 30.0), float_steps=255),
    case("weights_all_minus_128", fill=-128, weights=(0.3, 0.3), float_steps=255),
    case("weights_all_127", fill=127, weights=(0.3, 0.3), float_steps=16),
    case("fine_output", y=(1e-4, 3), float_steps=255),
    case("coarse_output", y=(0.3, 3)),
    case("tiny_weights", weights=(1e-9, 1e-9)),
]


@pytest.mark.parametrize("check", (*CHECKS, same_in_a_file), ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_lstm(case: Case, check) -> None:
    if check is same_in_a_file and case.attrs.time_major:
        pytest.skip("a model's input has its batch first: see below")
    check(case)


@pytest.mark.parametrize("name", ["time_major", "time_major_begins_anew"])
def test_time_major_within_a_file(name: str) -> None:
    """Behind a reshape, as converters have it behind a transposition."""
    (major,) = [case for case in CASES if case.name == name]
    graph, (samples,) = major.graph(), major.samples_of_inputs()
    x = replace(graph.tensors["x"], name="batch_first", shape=(1, *samples.shape[1::2]))
    (node,) = graph.nodes
    shape = Node("shape", "reshape", ReshapeAttrs(samples.shape[1:]), (x.name,), ("x",))
    whole = check(replace(graph, nodes=(shape, node), tensors={**graph.tensors, x.name: x}, inputs=(x.name,)))
    given = samples.reshape(-1, *x.shape)
    data = write_tflite(whole)
    read = read_tflite(data, "model")
    assert read.nodes[-1].attrs == major.attrs
    (expected,) = tflm(data, [given], sequence=bool(whole.states))
    np.testing.assert_array_equal(run_graph(read, [given])[0], expected)


def test_a_scale_of_the_cell_that_is_no_power_of_two_counts_as_one() -> None:
    """As in TFLM: the scale itself for what is added, the nearest power for the tanh."""
    usual = case("usual")
    state = replace(usual.inputs[CELL], quant=QuantParams.per_tensor(1.3 * 2.0**-12))
    inputs = (*usual.inputs[:CELL], state, *usual.inputs[CELL + 1 :])
    after = usual.states[0], replace(state, name="c_after")
    odd = replace(usual, name="odd_cell", inputs=inputs, states=after, float_steps=255.0)
    graph, samples = odd.graph(), odd.samples_of_inputs()
    expected = tflm(write_tflite(graph), samples, sequence=True)
    np.testing.assert_array_equal(run_graph(graph, samples)[0], expected[0])


def test_states_that_begin_anew_are_named_in_the_file() -> None:
    anew = case("begins_anew", keeps=False)
    data, samples = write_tflite(anew.graph()), anew.samples_of_inputs()
    assert b"mcu_quant.begins_anew" in data
    read = read_tflite(data, "model")
    assert not read.states and read.nodes[0].inputs[HIDDEN] is None
    # Without that word it keeps its states, as another's file does.
    kept = read_tflite(data.replace(b"mcu_quant.begins_anew", b"mcu_quant.begins_soon"), "model")
    assert len(kept.states) == 2
    expected = tflm(data, samples, sequence=True)
    np.testing.assert_array_equal(run_graph(kept, samples)[0], expected[0])


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({BIAS: None}, "biases must be constant int32"),
        ({WEIGHTS: "int16"}, "must be int8"),
        ({CELL: "int8"}, "cell state must be int16"),
        ({HIDDEN: "scale"}, "hidden state must have"),
    ],
)
def test_rules(change: dict[int, str | None], rule: str) -> None:
    usual = case("usual")
    inputs, states = list(usual.inputs), list(usual.states)
    for index, what in change.items():
        tensor = inputs[index]
        assert tensor is not None
        if what == "scale":
            inputs[index] = replace(tensor, quant=QuantParams.per_tensor(0.5))
            states[0] = replace(states[0], quant=QuantParams.per_tensor(0.5))
        elif what == "int8":
            inputs[index], states[1] = replace(tensor, dtype=what), replace(states[1], dtype=what)
        elif what is None:
            inputs[index] = None
        else:
            inputs[index] = Tensor.constant(tensor.name, np.zeros(tensor.shape, what), tensor.quant)
    broken = replace(usual, inputs=tuple(inputs), states=tuple(states))
    assert rule in " ".join(problem.rule for problem in node_problems(broken.node()))
