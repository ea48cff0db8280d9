"""What streams, what it keeps, and what is refused, with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.errors import InvalidInputError, McuQuantError, UnsupportedModelError
from mcu_quant.ir import Graph, Node, State, Tensor
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.cumsum import CumsumAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.ops.strided_slice import attrs_of
from mcu_quant.streaming import stream_graph
from mcu_quant.streaming.windows import run_windows
from tests.streaming.models import QUANT, Model, frames

HOPS = 30
EVERY = slice(None)


def causal(model: Model, name: str, taps: int) -> Model:
    paddings = ((0, 0), (taps - 1, 0), (0, 0), (0, 0))
    return model.layer(f"{name}/causal", "pad", PadAttrs(paddings)).conv(name, taps)


def streamed(graph: Graph, hop: int = 1) -> Graph:
    """What streams it, once it is shown to give the window model's bytes."""
    found = stream_graph(graph, 1, hop)
    assert found.streaming is not None
    hops = frames(HOPS, hop)
    expected = run_windows(graph, found.streaming, hops)
    for actual, wanted in zip(run_graph(found, [hops]), expected, strict=True):
        np.testing.assert_array_equal(actual, wanted)
    return found


def kept_rows(graph: Graph) -> dict[str, int]:
    """The rows of each state, by the tensor of the window model that they are of."""
    return {s.before.removesuffix("/kept"): graph.tensors[s.before].shape[1] for s in graph.states}


def operators(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def test_a_layer_keeps_what_its_filter_reads() -> None:
    graph = streamed(Model().conv("a", 3).conv("b", 5).layer("c", "mean", ReductionAttrs((1, 2))).graph())
    assert kept_rows(graph) == {"x": 3, "a": 5, "b": 6}
    assert [node.output.shape[1] for node in graph.bound_nodes() if node.node.op == "conv_2d"] == [1, 1]


@pytest.mark.parametrize("hop", [1, 2, 3, 4, 5, 12])
def test_strides_at_any_hop(hop: int) -> None:
    graph = streamed(
        Model().conv("a", 3, stride=2).conv("b", 3).layer("c", "mean", ReductionAttrs((1,))).graph(), hop
    )
    made = next(node.output.shape[1] for node in graph.bound_nodes() if node.name == "b")
    assert made == {1: 1, 2: 1, 3: 3, 4: 2, 5: 5, 12: 3}[hop]


def test_rows_that_lie_apart_are_gathered() -> None:
    """At hop 1 a model of stride 2 keeps rows one frame apart, and reads every other."""
    graph = streamed(
        Model().conv("a", 3, stride=2).conv("b", 2).layer("c", "mean", ReductionAttrs((1,))).graph()
    )
    assert kept_rows(graph) == {"x": 3, "a": 3, "b": 8}  # one of the last is too new: a frame is left over
    assert operators(graph).count("strided_slice") == 2


def test_a_causal_model_gives_its_newest_rows() -> None:
    model = causal(causal(Model(), "a", 3), "b", 4)
    assert streamed(model.graph(), 2).streaming.rows == ((1, 10, 12),)


def test_padding_on_both_sides_makes_rows_late() -> None:
    graph = streamed(Model().conv("a", 3, padding="same").conv("b", 5, padding="same").graph())
    assert graph.streaming.rows == ((1, 8, 9),)  # of 12: three rows at each end see padding


def test_only_the_last_step_of_a_causal_model_is_read() -> None:
    for index in ([EVERY, slice(-1, None)], [EVERY, -1]):
        model = causal(Model(), "a", 3)
        model.layer("last", "strided_slice", attrs_of(index, model.tensors["a"].shape))
        graph = streamed(model.graph())
        assert kept_rows(graph) == {"a/causal": 3} and graph.streaming.rows == (None,)


def test_a_branch_that_is_ahead_waits() -> None:
    model = Model().conv("a", 3)
    cut = attrs_of([EVERY, slice(0, 10)], model.tensors["x"].shape)
    model.tensors["cut"] = Tensor("cut", (1, 10, 1, 2), "int8", QUANT)
    model.nodes.append(Node("cut", "strided_slice", cut, ("x",), ("cut",)))
    graph = streamed(model.layer("sum", "add", ArithmeticAttrs(), ("cut",)).graph())
    assert kept_rows(graph) == {"x": 3, "cut": 3}


def test_what_needs_the_whole_window_has_it() -> None:
    graph = streamed(Model().conv("a", 3).layer("c", "cumsum", CumsumAttrs(1)).graph())
    assert graph.streaming.whole == ("c",) and kept_rows(graph) == {"x": 3, "a": 10}


def test_states_begin_as_if_zeros_had_been_there() -> None:
    graph = streamed(Model().conv("a", 3).conv("b", 3).graph())
    first, second = graph.states
    assert (first.initial == QUANT.zero_point[0]).all()
    assert (second.initial == second.initial[:, :1]).all() and (second.initial != QUANT.zero_point[0]).any()


def problems(graph: Graph, axis: int = 1, hop: int = 1) -> str:
    with pytest.raises(McuQuantError) as caught:
        stream_graph(graph, axis, hop)
    assert isinstance(caught.value, (InvalidInputError, UnsupportedModelError))
    return str(caught.value)


@pytest.mark.parametrize(
    ("axis", "hop", "reason"),
    [
        (0, 1, "axis 0 of [1, 12, 1, 2]). Try: --stream 1 or 3"),
        (-1, 1, "axis -1"),
        (4, 1, "axis 4"),
        (2, 1, "axis 2"),
        (1, 0, "(seen: 0 of 12 frames)"),
        (1, 13, "(seen: 13 of 12 frames)"),
    ],
)
def test_axes_and_hops_that_there_are_not(axis: int, hop: int, reason: str) -> None:
    assert reason in problems(Model().conv("a", 3).graph(), axis, hop)


def test_padding_that_reaches_the_end_is_named_with_its_layer() -> None:
    model = Model().conv("a", 3, padding="same").conv("b", 5, padding="same")
    text = problems(model.layer("mean", "mean", ReductionAttrs((1, 2))).graph())
    assert "mean: what a layer reads along time must not depend on padding" in text
    assert "of its input's 12 rows, 0 to 2 and 9 to 11 see the padding of a" in text
    assert 'Try: padding="valid" along time' in text


def test_one_padded_row_is_one() -> None:
    model = Model().layer("pad", "pad", PadAttrs(((0, 0), (0, 1), (0, 0), (0, 0))))
    assert "of its input's 13 rows, 12 see the padding of pad" in problems(
        model.layer("mean", "mean", ReductionAttrs((1, 2))).graph()
    )


def test_a_layer_of_padding_alone() -> None:
    model = Model().layer("pool", "average_pool_2d", Pool2DAttrs((15, 1), (15, 1), "same"))
    assert "pool: a layer must have rows that read no padding along time" in problems(model.graph())


def test_all_problems_at_once() -> None:
    model = Model().conv("a", 3, padding="same").layer("mean", "mean", ReductionAttrs((1, 2)))
    model.last = "a"
    text = problems(model.layer("flat", "sum", ReductionAttrs((1,))).graph("mean", "flat"))
    assert "mean: " in text and "flat: " in text


def test_an_output_of_fewer_rows_than_a_hop_brings() -> None:
    graph = Model().conv("a", 11, padding="same").graph()
    assert "a: an output must have the rows that one hop brings" in problems(graph, hop=3)


def test_more_than_one_input() -> None:
    graph = Model().conv("a", 3).graph()
    other = replace(graph.tensors["x"], name="other")
    two = replace(graph, tensors={**graph.tensors, "other": other}, inputs=("x", "other"))
    assert "must have one input (seen: x, other)" in problems(two)


def test_a_model_that_has_a_state() -> None:
    graph = Model().conv("a", 3).graph()
    state = State("x", "x", np.zeros((1, 12, 1, 2), np.int8))
    assert "streams already (seen: x)" in problems(replace(graph, states=(state,), inputs=()))
