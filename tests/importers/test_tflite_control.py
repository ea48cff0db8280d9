"""IF, WHILE and composites in .tflite files: read where what decides is constant, refused where not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from flatbuffers import flexbuffers

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.importers import tflite_control
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.importers.tflite_calls import MAX_UNROLLED
from mcu_quant.ops.interpreter import run_graph
from tests.oracles import litert_ref, tflm
from tests.tflite_builder import Model, Subgraph, schema
from tests.tflite_models import (
    SCALED,
    SHAPE,
    arithmetic,
    branches,
    constant_condition,
    input_condition,
    loop,
    rank_condition,
)

Oracle = Callable[[bytes, list[np.ndarray]], list[np.ndarray]]


def samples() -> list[np.ndarray]:
    return [np.random.default_rng(0).integers(-128, 128, (16, *SHAPE)).astype(np.int8)]


def assert_same_bytes(file: bytes, ops: list[str], oracles: Sequence[Oracle] = (tflm, litert_ref)) -> None:
    """TFLM and LiteRT, which take the branches and loops as they are, give the graph's bytes."""
    graph = read_tflite(file, "model")
    assert [node.op for node in graph.nodes] == ops
    ours = run_graph(graph, samples())
    for oracle in oracles:
        np.testing.assert_array_equal(ours, oracle(file, samples()))


@pytest.mark.parametrize("value", [True, False])
def test_the_taken_branch_stands_for_an_if(value: bool) -> None:
    file = branches(constant_condition(value)).file()
    assert_same_bytes(file, ["add" if value else "sub"])
    assert read_tflite(file, "model").outputs == ("y",)


def test_a_condition_on_the_rank_is_known() -> None:
    assert_same_bytes(branches(rank_condition).file(), ["add"], [litert_ref])  # TFLM has no RANK


def test_a_condition_on_the_input_is_refused() -> None:
    with pytest.raises(
        UnsupportedModelError, match=r"condition of an IF must not depend.*computed by decides"
    ):
        read_tflite(branches(input_condition).file(), "model")


def test_a_subgraph_that_calls_itself_is_damage() -> None:
    with pytest.raises(InvalidModelError, match="must not call itself"):
        read_tflite(branches(constant_condition(True), recursive=True).file(), "model")


@pytest.mark.parametrize("index", [-1, 3, 2**31 - 1])
def test_a_branch_that_is_not_there_is_damage(index: int) -> None:
    model = branches(constant_condition(True))
    model.table.subgraphs[0].operators[-1].builtinOptions.elseSubgraphIndex = index
    with pytest.raises(InvalidModelError, match="must be in the file"):
        read_tflite(model.file(), "model")


@pytest.mark.parametrize("options", [None, "LessOptions"])
def test_a_branch_without_its_options_is_damage(options: str | None) -> None:
    model = branches(constant_condition(True))
    operator = model.table.subgraphs[0].operators[-1]
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, options or "NONE")
    operator.builtinOptions = None if options is None else getattr(schema, f"{options}T")()
    with pytest.raises(InvalidModelError, match="must name its subgraphs"):
        read_tflite(model.file(), "model")


def test_a_branch_without_its_inputs_is_damage() -> None:
    model = branches(constant_condition(True))
    model.table.subgraphs[0].operators[-1].inputs = [1]
    with pytest.raises(InvalidModelError):
        read_tflite(model.file(), "model")


def test_an_absent_operand_of_a_loop_is_damage() -> None:
    model = loop(3)
    model.table.subgraphs[0].operators[0].inputs = [1, -1]
    with pytest.raises(InvalidModelError, match="must be given all its inputs"):
        read_tflite(model.file(), "model")


def test_another_scale_inside_is_refused() -> None:
    model = branches(constant_condition(True))
    model.table.subgraphs[1].tensors[0].quantization.scale = [0.1]
    with pytest.raises(UnsupportedModelError, match="one scale on both sides"):
        read_tflite(model.file(), "model")


def test_a_branch_that_does_nothing() -> None:
    """Its output is the model's input, which keeps its name."""
    model = branches(constant_condition(True))
    model.table.subgraphs[1].operators, model.table.subgraphs[1].outputs = [], [0]
    graph = read_tflite(model.file(), "model")
    np.testing.assert_array_equal(run_graph(graph, samples()), samples())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_loop_is_written_out(count: int) -> None:
    file = loop(count).file()
    assert_same_bytes(file, ["add"] * count)
    graph = read_tflite(file, "model")
    assert graph.outputs == ("y",)
    assert sum(tensor.is_constant for tensor in graph.tensors.values()) == 1


def test_a_loop_that_does_not_turn() -> None:
    graph = read_tflite(loop(0).file(), "model")
    np.testing.assert_array_equal(run_graph(graph, samples()), samples())


def test_a_loop_that_depends_on_the_input_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match=r"how often a WHILE turns.*unroll=True"):
        read_tflite(loop(3, depends=True).file(), "model")


@pytest.mark.parametrize("last", [tflite_control.MAX_ITERATIONS + 1, 2**31 - 1])
def test_a_long_loop_is_refused(last: int) -> None:
    with pytest.raises(UnsupportedModelError, match="a WHILE may turn 1024 times"):
        read_tflite(loop(last).file(), "model")


def test_an_endless_loop_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="a WHILE may turn 1024 times"):
        read_tflite(loop(1, step=0).file(), "model")


def test_loops_in_loops_are_bounded() -> None:
    """1,000 times 1,000 times: what is written out is counted over all of it."""
    model = loop(1000)
    body = model.table.subgraphs[2]
    inner = loop(1000).table.subgraphs[0].operators[0]
    inner.opcodeIndex = model.code("WHILE", None)
    inner.builtinOptions.condSubgraphIndex, inner.builtinOptions.bodySubgraphIndex = 1, 3
    copy = Subgraph(model)
    copy.table.tensors, copy.table.operators = list(body.tensors), list(body.operators)
    copy.table.inputs, copy.table.outputs = list(body.inputs), list(body.outputs)
    graph = Subgraph(model)  # as `body` was, around the inner loop
    start, y = graph.constant("zero", 0), graph.input("inner_y", SHAPE, **SCALED)
    ends = [graph.tensor("inner_end", (), "int32"), graph.tensor("inner_next", SHAPE, **SCALED)]
    inner.inputs, inner.outputs = [start, y], ends
    body.tensors += graph.table.tensors
    place = len(body.tensors) - len(graph.table.tensors)
    inner.inputs, inner.outputs = [place, 1], [place + 2, place + 3]
    body.operators.append(inner)
    body.outputs = [body.outputs[0], place + 3]
    del model.table.subgraphs[4]
    with pytest.raises(UnsupportedModelError, match=f"may have {MAX_UNROLLED} tensors and operators"):
        read_tflite(model.file(), "model")


def test_a_composite_is_its_decomposition() -> None:
    model = Model()
    main = Subgraph(model)
    x, y = main.input("x", SHAPE, **SCALED), main.tensor("y", SHAPE, **SCALED)
    inside = arithmetic(model, "ADD")
    options = {"name": "aten.something", "decompositionSubgraphIndex": inside.index}
    options["compositeAttributes"] = list(flexbuffers.Dumps({}))
    main.op("STABLEHLO_COMPOSITE", [x], [y], type="StableHLOCompositeOptions", **options)
    main.outputs(y)
    graph = read_tflite(model.file(), "model")
    assert [node.op for node in graph.nodes] == ["add"] and graph.outputs == ("y",)
    np.testing.assert_array_equal(run_graph(graph, samples()), litert_ref(model.file(), samples()))
