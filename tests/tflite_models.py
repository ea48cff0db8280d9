"""Models as .tflite files with branches, loops and shapes that are computed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.tflite_builder import Model, Subgraph

SHAPE = (1, 4)
SCALED = {"dtype": "int8", "scale": 0.05, "zero_point": -3}


def arithmetic(model: Model, builtin: str) -> Subgraph:
    """A subgraph y = x op c, int8, with a constant c."""
    graph = Subgraph(model)
    x = graph.input(f"{builtin}_x", SHAPE, **SCALED)
    c = graph.constant(f"{builtin}_c", np.full(SHAPE, 20), **SCALED)
    y = graph.tensor(f"{builtin}_y", SHAPE, **SCALED)
    graph.op(builtin, [x, c], [y], type=f"{builtin.title()}Options")
    graph.outputs(y)
    return graph


def branches(condition: Callable[[Subgraph, int], int], recursive: bool = False) -> Model:
    """y = x + c if the condition holds, else x - c. recursive: the first of these calls itself."""
    model = Model()
    main = Subgraph(model)
    x = main.input("x", SHAPE, **SCALED)
    y = main.tensor("y", SHAPE, **SCALED)
    decides = condition(main, x)
    then, other = arithmetic(model, "ADD"), arithmetic(model, "SUB")
    if recursive:
        then.op("IF", [0, 0], [then.tensor("r", SHAPE, **SCALED)], **chosen(then, other))
    main.op("IF", [decides, x], [y], **chosen(then, other))
    main.outputs(y)
    return model


def chosen(then: Subgraph, other: Subgraph) -> dict[str, object]:
    return {"type": "IfOptions", "thenSubgraphIndex": then.index, "elseSubgraphIndex": other.index}


def constant_condition(value: bool) -> Callable[[Subgraph, int], int]:
    return lambda graph, x: graph.constant("decides", [value], "bool")


def rank_condition(graph: Subgraph, x: int) -> int:
    """rank(x) > 1, as a function that takes any rank asks."""
    rank, one = graph.tensor("rank", (), "int32"), graph.constant("one", 1)
    decides = graph.tensor("decides", (), "bool")
    graph.op("RANK", [x], [rank], type="RankOptions")
    graph.op("GREATER", [rank, one], [decides], type="GreaterOptions")
    return decides


def input_condition(graph: Subgraph, x: int) -> int:
    zero, decides = graph.constant("zero", [0], **SCALED), graph.tensor("decides", SHAPE, "bool")
    graph.op("GREATER", [x, zero], [decides], type="GreaterOptions")
    return decides


def loop(last: int, step: int = 1, depends: bool = False) -> Model:
    """for (i = 0; i < last; i += step) x = x + c, as tf.while_loop with a counter."""
    model = Model()
    main = Subgraph(model)
    x = main.input("x", SHAPE, **SCALED)
    start = main.constant("start", 0)
    ends = [main.tensor("end", (), "int32"), main.tensor("y", SHAPE, **SCALED)]
    condition, body = Subgraph(model), Subgraph(model)
    options = {"condSubgraphIndex": condition.index, "bodySubgraphIndex": body.index}
    main.op("WHILE", [start, x], ends, type="WhileOptions", **options)
    main.outputs(ends[1])
    i, y = condition.input("i", (), "int32"), condition.input("y", SHAPE, **SCALED)
    go = condition.tensor("go", SHAPE if depends else (), "bool")
    if depends:
        condition.op("LESS", [y, condition.constant("top", [100], **SCALED)], [go], type="LessOptions")
    else:
        condition.op("LESS", [i, condition.constant("last", last)], [go], type="LessOptions")
    condition.outputs(go)
    i, y = body.input("i", (), "int32"), body.input("y", SHAPE, **SCALED)
    next_i, next_y = body.tensor("next_i", (), "int32"), body.tensor("next_y", SHAPE, **SCALED)
    body.op("ADD", [i, body.constant("step", step)], [next_i], type="AddOptions")
    body.op("ADD", [y, body.constant("c", np.full(SHAPE, 20), **SCALED)], [next_y], type="AddOptions")
    body.outputs(next_i, next_y)
    return model


def computed_reshape() -> Model:
    """tf.shape(x) -> [0] -> pack with -1 -> reshape, of a tensor whose sizes the converter left open."""
    model = Model()
    main = Subgraph(model)
    x = main.input("x", (1, 2, 3), signature=(-1, 2, 3))
    shape, batch, target = (main.tensor(n, s, "int32") for n, s in (("s", (3,)), ("b", ()), ("t", (2,))))
    flat = main.tensor("flat", (1, 1), signature=(-1, -1))
    y = main.tensor("y", (1, 1), signature=(-1, -1))
    zero, one = main.constant("zero", [0]), main.constant("one", [1])
    main.op("SHAPE", [x], [shape], type="ShapeOptions", outType=2)
    main.op("STRIDED_SLICE", [shape, zero, one, one], [batch], type="StridedSliceOptions", shrinkAxisMask=1)
    main.op("PACK", [batch, main.constant("rest", -1)], [target], type="PackOptions", valuesCount=2)
    main.op("RESHAPE", [x, target], [flat], type="ReshapeOptions")
    main.op("ADD", [flat, flat], [y], type="AddOptions")
    main.outputs(y)
    return model
