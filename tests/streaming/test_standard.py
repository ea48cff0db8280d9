"""Streaming graphs in the operators of files, and what is read of such files again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import UnsupportedModelError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ir import Graph, Node, State, check
from mcu_quant.kernels.base import CORES
from mcu_quant.ops.concatenation import ConcatenationAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.slide import SlideAttrs
from mcu_quant.ops.strided_slice import attrs_of
from mcu_quant.optimize.slides import find_slides
from mcu_quant.pipeline import TfliteModel, deploy, streamed, streaming_file
from mcu_quant.streaming import stream_graph
from mcu_quant.streaming.standard import in_standard_operators
from mcu_quant.streaming.windows import run_windows
from mcu_quant.verify.host import HostEngine
from tests.hunter.draws import drawn
from tests.hunter.streams import stream_cases
from tests.keras_models import needs_models
from tests.ops.test_unidirectional_sequence_lstm import case as recurrent_case
from tests.oracles import litert_ref, tflm
from tests.streaming.models import Model, frames
from tests.streaming.published import frames as frames_of
from tests.streaming.published import wake_word

Oracle = Callable[..., list[np.ndarray]]


def example() -> Graph:
    return stream_graph(
        Model().conv("a", 3).conv("b", 5).layer("c", "mean", ReductionAttrs((1, 2))).graph(), 1, 2
    )


def operators(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def test_they_give_the_same_bytes_and_are_read_as_slides_again() -> None:
    written = 0
    for case in drawn(stream_cases(), 60, 3):
        try:
            standard = in_standard_operators(case.graph)
        except UnsupportedModelError:
            continue
        assert "slide" not in operators(standard)
        found = find_slides(standard)
        assert operators(found).count("slide") == operators(case.graph).count("slide")
        for graph in (standard, found):
            for actual, expected in zip(run_graph(graph, case.inputs), case.expected(), strict=True):
                np.testing.assert_array_equal(actual, expected)
        written += 1
    assert written > 40


def test_rows_that_are_cut_before_new_ones_are_joined() -> None:
    """As Keras models write it that stream by themselves."""
    graph = example()
    standard = in_standard_operators(graph)
    x = frames(30, 2)
    nodes = []
    tensors = dict(standard.tensors)
    for node in standard.nodes:
        if node.op == "concatenation" and node.inputs[0].endswith("/kept"):
            continue
        before = node.name.removesuffix("/slide")
        if node.op == "strided_slice" and f"{before}/kept" in tensors:
            joined = next(other for other in standard.nodes if other.outputs[0] == node.inputs[0])
            kept, new = joined.inputs
            begin = node.attrs.begin
            rows = tensors[kept].shape[1] - begin[1]
            cut = replace(node.attrs, sizes=(1, rows, *node.attrs.sizes[2:]))
            tensors[f"{before}/cut"] = replace(tensors[kept], name=f"{before}/cut", shape=cut.sizes)
            nodes.append(
                replace(node, name=f"{before}/cut", attrs=cut, inputs=(kept,), outputs=(f"{before}/cut",))
            )
            node = replace(
                node, op="concatenation", attrs=ConcatenationAttrs(1), inputs=(f"{before}/cut", new)
            )
        nodes.append(node)
    other = standard.with_(nodes=tuple(nodes), tensors=tensors)
    assert operators(find_slides(other)) == operators(graph)
    for actual, expected in zip(run_graph(find_slides(other), [x]), run_graph(graph, [x]), strict=True):
        np.testing.assert_array_equal(actual, expected)


def by_itself(hop: int, kept: int) -> Graph:
    """A convolution of kept + hop rows, of which the last are the state: as streaming layers keep them."""
    model = Model(hop)
    model.tensors["kept"] = replace(model.tensors["x"], name="kept", shape=(1, kept, 1, 2))
    model.last = "kept"
    model.layer("joined", "concatenation", ConcatenationAttrs(1), ("x",)).conv("a", kept + hop)
    model.last = "joined"
    model.layer("last", "strided_slice", attrs_of([slice(None), slice(hop, None)], (1, kept + hop, 1, 2)))
    initial = np.arange(2 * kept, dtype=np.int8).reshape(1, kept, 1, 2)
    states = (State("kept", "last", initial),)
    return check(Graph("by_itself", tuple(model.nodes), model.tensors, ("x",), ("a",), states=states))


@pytest.mark.parametrize(("hop", "kept"), [(1, 4), (3, 2), (2, 2)])
def test_what_is_joined_becomes_the_state_where_it_is_read(hop: int, kept: int) -> None:
    graph, x = by_itself(hop, kept), frames(20, hop)
    found = find_slides(graph)
    assert operators(found) == ["slide", "conv_2d"]
    assert found.tensors[found.states[0].before].shape[1] == hop + kept
    (expected,) = run_graph(graph, [x])
    np.testing.assert_array_equal(run_graph(found, [x])[0], expected)
    deployment = deploy(TfliteModel("by_itself", b"", graph), CORES["generic"], GenerateOptions())
    np.testing.assert_array_equal(HostEngine(deployment, sanitize=True).run([x])[0], expected)


@pytest.mark.parametrize("output", ["kept", "last"])
def test_a_state_that_is_read_by_others_stays_as_it_is(output: str) -> None:
    graph = replace(by_itself(1, 4), outputs=("a", output))
    assert operators(find_slides(graph)) == operators(graph)


def test_a_state_that_is_all_new_is_no_slide() -> None:
    """Three new rows, two of which are kept, and nothing reads them joined."""
    graph = by_itself(3, 2)
    nodes = tuple(node for node in graph.nodes if node.name != "a")
    graph = replace(graph, nodes=nodes, outputs=("kept",)).with_()
    assert operators(find_slides(graph)) == ["concatenation", "strided_slice"]
    x = frames(20, 3)
    deployment = deploy(TfliteModel("by_itself", b"", graph), CORES["generic"], GenerateOptions())
    (actual,) = HostEngine(deployment, sanitize=True).run([x])
    np.testing.assert_array_equal(actual, run_graph(graph, [x])[0])


def test_no_code_is_generated_for_a_slide_of_more_rows_than_are_kept() -> None:
    """The move of what stays would be one of -1 rows."""
    graph = by_itself(3, 2)
    tensors = {**graph.tensors, "last": replace(graph.tensors["kept"], name="last")}
    slide = Node("last", "slide", SlideAttrs(1), ("kept", "x"), ("last",))
    wrong = replace(graph, nodes=(slide,), tensors=tensors, outputs=("last",)).with_()
    deployment = deploy(TfliteModel("by_itself", b"", wrong), CORES["generic"], GenerateOptions())
    with pytest.raises(AssertionError, match="more new rows than are kept"):
        HostEngine(deployment)


def test_what_is_read_otherwise_stays() -> None:
    """Rows in between that are an output, or another state: no slide makes them."""
    standard = in_standard_operators(example())
    joined = next(node.outputs[0] for node in standard.nodes if node.op == "concatenation")
    seen = standard.with_(outputs=(*standard.outputs, joined))
    assert operators(find_slides(seen)).count("slide") == len(standard.states) - 1


def test_a_state_that_becomes_something_else_stays() -> None:
    """The first rows of both, not the last: the oldest would be kept for ever."""
    standard = in_standard_operators(example())
    first = [
        replace(node, attrs=replace(node.attrs, begin=(0, 0, 0, 0))) if node.op == "strided_slice" else node
        for node in standard.nodes
    ]
    assert "slide" not in operators(find_slides(standard.with_(nodes=tuple(first))))


def test_a_graph_without_states_stays_as_it_is() -> None:
    graph = Model().conv("a", 3).graph()
    assert find_slides(graph) is graph


def test_a_pool_that_pads_across_has_no_form_in_a_file() -> None:
    model = Model()
    model.tensors["x"] = replace(model.tensors["x"], shape=(1, 12, 5, 2))
    model.layer("pool", "average_pool_2d", Pool2DAttrs((1, 3), (1, 1), "same"))
    with pytest.raises(UnsupportedModelError, match="pool: a pool that streams must have no padding"):
        in_standard_operators(stream_graph(model.graph(), 1, 1))


@pytest.mark.parametrize("oracle", [tflm, litert_ref], ids=["TFLM", "LiteRT"])
@pytest.mark.parametrize("hop", [1, 2])
def test_other_interpreters_give_the_window_models_bytes(oracle: Oracle, hop: int) -> None:
    """Of the file that is written, run by run: it needs nothing of ours."""
    window = Model().conv("a", 3, stride=2).conv("b", 3).layer("c", "reshape", ReshapeAttrs((1, 6))).graph()
    graph = stream_graph(window, 1, hop)
    assert graph.streaming is not None
    x = frames(40, hop)
    (expected,) = run_windows(window, graph.streaming, x)
    (actual,) = oracle(write_tflite(in_standard_operators(graph)), [x], sequence=True)
    np.testing.assert_array_equal(actual.reshape(expected.shape), expected)


@needs_models
def test_tflm_runs_the_published_model_as_a_stream() -> None:
    window = wake_word()
    file = streaming_file(window, GenerateOptions(stream=1))
    x = frames_of(file, 1, 60)
    graph = streamed(window, GenerateOptions(stream=1)).graph
    assert graph.streaming is not None
    (expected,) = run_windows(window.graph, graph.streaming, x)
    (actual,) = tflm(file.data, [x], sequence=True)
    np.testing.assert_array_equal(actual.reshape(expected.shape), expected)


def test_a_layer_that_begins_anew_is_refused_beside_other_states() -> None:
    """Found by the hunter: TFLM would keep its state, too. In C it begins anew, as in the window model."""
    window = recurrent_case("begins_anew", keeps=False).graph()
    graph = stream_graph(window, 1, 1)
    with pytest.raises(UnsupportedModelError, match="node: a layer that begins anew in every run"):
        in_standard_operators(graph)
    assert graph.streaming is not None
    shape = (20, *graph.input_tensors()[0].shape)
    x = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    deployment = deploy(TfliteModel("anew", b"", graph), CORES["generic"], GenerateOptions())
    for actual, expected in zip(
        HostEngine(deployment).run([x]), run_windows(window, graph.streaming, x), strict=True
    ):
        np.testing.assert_array_equal(actual, expected)
