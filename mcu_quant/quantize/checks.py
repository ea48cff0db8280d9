"""What every technique asks of a float graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import Operator
from mcu_quant.ops.support import find_problems

#: Constants beyond this are as good as infinite: scales must stay normal float32 numbers.
_LARGEST_CONSTANT = 2.0**60


def check_quantizable(graph: Graph) -> None:
    """Raise unless every operator has an integer form and every constant is finite."""
    problems = [
        Problem(
            "there must be an integer form of every operator",
            node.name,
            node.op,
            "a layer from SUPPORTED_OPS.md in its place",
        )
        for node in graph.nodes
        if type(OPERATORS[node.op]).to_tflite is Operator.to_tflite and not OPERATORS[node.op].is_composition
    ]
    if problems:
        raise UnsupportedModelError(problems)
    for node in graph.bound_nodes():
        for tensor in node.inputs:
            if tensor is not None and tensor.data is not None and tensor.dtype == "float32":
                _check_constant(node.name, tensor.name, tensor.data)


def require_integer_forms(graph: Graph) -> Graph:
    """The quantized graph, if it keeps every rule; else UnsupportedModelError, with --allow-float to try."""
    problems = [
        replace(
            problem, hint=f"{problem.hint}; or --allow-float, to compute this layer in float32".lstrip("; ")
        )
        for problem in find_problems(graph)
    ]
    if problems:
        raise UnsupportedModelError(problems)
    return graph


def _check_constant(layer: str, tensor: str, data: np.ndarray) -> None:
    bad = int(np.count_nonzero(~(np.abs(data) <= _LARGEST_CONSTANT)))
    if bad:
        raise InvalidModelError(
            "weights must be finite (and below 1e18)",
            layer=layer,
            value=f"{bad} of {data.size} values of {tensor} are not",
            hint="a checkpoint from before the training diverged",
        )
