"""Variables of .tflite files: read, run as TFLM and LiteRT run them, written, refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.boards import load_board
from mcu_quant.errors import InvalidModelError, McuQuantError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.verify.host import HostEngine
from mcu_quant.verify.qemu import QemuEngine
from tests.codegen.deployments import deploy
from tests.conftest import require_tools
from tests.importers.streams import SCALES, SHAPE, STREAMS, Stream, last_input, never_assigned, open_shape
from tests.oracles import litert_ref, tflm
from tests.tflite_builder import Subgraph

STEPS = 1000


def steps(graph: Graph, count: int = STEPS) -> list[np.ndarray]:
    """Random inputs, one after the other."""
    (x,) = graph.input_tensors()
    rng = np.random.default_rng(len(graph.nodes))
    if x.dtype == "float32":
        return [rng.normal(size=(count, *x.shape)).astype(np.float32)]
    return [rng.integers(-128, 128, (count, *x.shape)).astype(x.dtype)]


def assert_same(actual: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for one, other in zip(actual, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("oracle", [tflm, litert_ref], ids=lambda oracle: oracle.__name__)
@pytest.mark.parametrize("name", STREAMS)
def test_a_thousand_steps(name: str, oracle: Callable[..., list[np.ndarray]]) -> None:
    if name == "in_containers" and oracle is tflm:
        pytest.skip("TFLM's Python interpreter has room for as many variables as there are names")
    file = STREAMS[name]()
    graph = read_tflite(file, "model")
    inputs = steps(graph)
    assert_same(run_graph(graph, inputs), oracle(file, inputs, sequence=True))


@pytest.mark.parametrize("oracle", [tflm, litert_ref], ids=lambda oracle: oracle.__name__)
@pytest.mark.parametrize("name", STREAMS)
def test_what_is_written_is_the_same_model(name: str, oracle: Callable[..., list[np.ndarray]]) -> None:
    graph = read_tflite(STREAMS[name](), "model")
    file, inputs = write_tflite(graph), steps(graph)
    assert_same(run_graph(graph, inputs), oracle(file, inputs, sequence=True))
    again = read_tflite(file, "model")
    assert [(s.before, s.after) for s in again.states] == [(s.before, s.after) for s in graph.states]
    assert write_tflite(again) == file


@pytest.mark.parametrize("name", STREAMS)
def test_the_host_gives_the_same_bytes(name: str) -> None:
    graph = read_tflite(STREAMS[name](), "model")
    inputs = steps(graph)
    assert_same(HostEngine(deploy(graph, "model")).run(inputs), run_graph(graph, inputs))


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2_an386", "microbit"])
@pytest.mark.parametrize("name", ["delay_line_int8", "exchanged", "constant_in_the_run"])
def test_boards_give_the_same_bytes(name: str, board: str) -> None:
    require_tools("qemu-system-arm", "arm-none-eabi-gcc")
    graph, target = read_tflite(STREAMS[name](), "model"), load_board(board)
    inputs = steps(graph)
    assert_same(QemuEngine(deploy(graph, "model", target.core), target).run(inputs), run_graph(graph, inputs))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32"])
def test_without_a_first_value_it_is_real_0_as_in_tflm(dtype: str) -> None:
    file = last_input(dtype)
    graph = read_tflite(file, "model")
    inputs = steps(graph, 5)
    assert_same(run_graph(graph, inputs), tflm(file, inputs, sequence=True))
    assert (graph.states[0].initial == SCALES[dtype].get("zero_point", 0)).all()


@pytest.mark.parametrize("name", ["constant", "never_read", "assigned_before_it_is_read"])
def test_what_no_run_needs_is_no_state(name: str) -> None:
    graph = read_tflite(STREAMS[name](), "model")
    assert not graph.states and len(graph.nodes) == 1


def test_an_open_size_is_that_of_the_first_value() -> None:
    graph = read_tflite(open_shape(), "model")
    (x,) = steps(graph, 5)
    (before,) = run_graph(graph, [x])
    assert before.shape == (5, 1, 4) and (before[0] == 1).all() and np.array_equal(before[1:], x[:-1])


def other_shape() -> bytes:
    stream = Stream()
    handle = stream.handle("v")
    before = stream.read(handle)
    stream.assign(handle, stream.concatenated(before, stream.x, 1, (1, 8)))
    return stream.file(before)


def other_scale() -> bytes:
    stream = Stream()
    handle = stream.handle("v")
    before = stream.read(handle, stream.tensor(scale=0.25))
    stream.assign(handle, stream.x)
    return stream.file(before)


def other_type() -> bytes:
    stream = Stream()
    stream.first_value("v", 1, dtype="int32")
    handle = stream.handle("v")
    before = stream.read(handle)
    stream.assign(handle, stream.x)
    return stream.file(before)


def late_call_once() -> bytes:
    stream = Stream()
    handle = stream.handle("v")
    before = stream.read(handle)
    stream.assign(handle, stream.x)
    stream.first_value("v", 1)
    return stream.file(before)


def computed_first_value() -> bytes:
    stream = Stream()
    stream.first_value("v", 1)
    assert stream.initial is not None
    values = stream.initial.tensor("given", SHAPE, "int8", **SCALES["int8"])
    stream.initial.table.inputs.append(values)
    stream.initial.table.operators[-1].inputs[1] = values
    handle = stream.handle("v")
    before = stream.read(handle)
    stream.assign(handle, stream.x)
    return stream.file(before)


def branching(builtin: str) -> bytes:
    """An IF whose branches read a variable, or change it: with handles of their own, or with the model's."""
    stream = Stream()
    stream.first_value("v", 1)
    outer = stream.handle("v")
    before = stream.read(outer)
    stream.assign(outer, stream.x)
    branch = Subgraph(stream.model)
    y = branch.tensor("y", SHAPE, "int8", **SCALES["int8"])
    if builtin == "handle":
        branch.op("READ_VARIABLE", [branch.input("h", (), "resource")], [y], type="ReadVariableOptions")
    else:
        inner = stream.handle("v", graph=branch)
        branch.op("READ_VARIABLE", [inner], [y], type="ReadVariableOptions")
        if builtin == "ASSIGN_VARIABLE":
            branch.op("ASSIGN_VARIABLE", [inner, y], [], type="AssignVariableOptions")
    branch.outputs(y)
    condition = stream.main.constant("condition", [True], "bool")
    result = stream.tensor()
    given = [condition, outer] if builtin == "handle" else [condition]
    both = {"thenSubgraphIndex": branch.index, "elseSubgraphIndex": branch.index}
    stream.main.op("IF", given, [result], type="IfOptions", **both)
    return stream.file(before, result)


def handle_as_output() -> bytes:
    stream = Stream()
    return stream.file(stream.handle("v"))


def handle_that_is_added() -> bytes:
    stream = Stream()
    return stream.file(stream.add(stream.handle("v"), stream.x))


def handle_that_is_no_handle() -> bytes:
    stream = Stream()
    return stream.file(stream.read(stream.x))


def no_options() -> bytes:
    stream = Stream()
    handle = stream.handle("v")
    stream.main.table.operators[-1].builtinOptions = None
    return stream.file(stream.read(handle))


def no_handle() -> bytes:
    stream = Stream()
    stream.main.op("READ_VARIABLE", [], [y := stream.tensor()], type="ReadVariableOptions")
    return stream.file(y)


def assigns_nothing() -> bytes:
    stream = Stream()
    handle = stream.handle("v")
    stream.main.op("ASSIGN_VARIABLE", [handle], [], type="AssignVariableOptions")
    return stream.file(stream.read(handle))


def assigns_an_absent_value() -> bytes:
    stream = Stream()
    handle = stream.handle("v")
    stream.assign(handle, -1)
    return stream.file(stream.read(handle))


def calls_itself() -> bytes:
    stream = Stream()
    stream.first_value("v", 1)
    assert stream.initial is not None
    options = {"type": "CallOnceOptions", "initSubgraphIndex": stream.initial.index}
    stream.initial.op("CALL_ONCE", [], [], **options)
    return stream.file(stream.read(stream.handle("v")))


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "never_assigned": (never_assigned, "must be assigned before it is read .*v"),
    "other_shape": (other_shape, "one type, shape and scale .*int8 .1, 8. .*int8 .1, 4."),
    "other_scale": (other_scale, "one type, shape and scale .*scale 0.5.*scale 0.25"),
    "other_type": (other_type, "one type, shape and scale .*int8 .*int32"),
    "late_call_once": (late_call_once, "CALL_ONCE must stand before"),
    "computed_first_value": (computed_first_value, "a subgraph must be given its inputs"),
    "assigned_in_a_branch": (
        lambda: branching("ASSIGN_VARIABLE"),
        "a branch or loop must not change a variable",
    ),
    "handle_into_a_branch": (lambda: branching("handle"), "by the model itself .*an input of IF"),
    "handle_as_output": (handle_as_output, "by the model itself .*an output"),
    "handle_that_is_added": (handle_that_is_added, "by the model itself .*an input of ADD"),
    "handle_that_is_no_handle": (handle_that_is_no_handle, "must be named by a VAR_HANDLE"),
    "no_options": (no_options, "a VAR_HANDLE must name its variable"),
    "no_handle": (no_handle, "must be named by a VAR_HANDLE"),
    "assigns_nothing": (assigns_nothing, "inputs and options of ASSIGN_VARIABLE must fit together"),
    "assigns_an_absent_value": (assigns_an_absent_value, "fit together .*no value to assign"),
    "calls_itself": (calls_itself, "a subgraph must not call itself"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    build, pattern = REFUSED[name]
    with pytest.raises(McuQuantError, match=f"(?s){pattern}"):
        read_tflite(build(), "model")


def test_what_follows_from_a_handle_in_a_branch_is_not_said() -> None:
    with pytest.raises(McuQuantError) as caught:
        read_tflite(branching("handle"), "model")
    assert [problem.value for problem in caught.value.problems] == ["an input of IF"]


def test_a_branch_may_read_a_variable() -> None:
    file = branching("READ_VARIABLE")
    graph = read_tflite(file, "model")
    inputs = steps(graph, 20)
    assert_same(run_graph(graph, inputs), litert_ref(file, inputs, sequence=True))


def test_a_table_of_strings_is_no_variable() -> None:
    stream = Stream()
    table = stream.main.tensor("table", (), "resource")
    stream.main.op("HASHTABLE", [], [table], type="HashtableOptions")
    with pytest.raises(McuQuantError) as caught:
        read_tflite(stream.file(stream.add(table, stream.x)), "model")
    assert not isinstance(caught.value, InvalidModelError)
    assert any(problem.value == "RESOURCE" for problem in caught.value.problems)
