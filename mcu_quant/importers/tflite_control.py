"""IF, WHILE and composites: the subgraphs that they call, read in their place.

What decides must be known at import: the taken branch replaces an IF, and a WHILE is written out as often
as its condition, computed from constants, holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.importers.tflite_calls import CALLEES
from mcu_quant.ir import Tensor
from mcu_quant.ops.base import TfliteNode

if TYPE_CHECKING:
    from mcu_quant.importers.tflite import Reader

#: Iterations of a WHILE that is written out.
MAX_ITERATIONS = 1024

_Values = Sequence["Tensor | None"]


def _if(reader: Reader, node: TfliteNode) -> _Values:
    then, other = CALLEES[node.builtin](node.options)
    hint = "compute both branches, then keras.ops.where; or convert each branch as a model of its own"
    condition = _decided(node, node.inputs[0], "the condition of an IF must not depend on the input", hint)
    return reader.call(then if condition else other, node.inputs[1:])


def _while(reader: Reader, node: TfliteNode) -> _Values:
    condition_index, body = CALLEES[node.builtin](node.options)
    hint = "a fixed number of iterations: unroll=True in recurrent layers, range(n) in place of tf.while_loop"
    state, problems = list(node.inputs), len(reader.problems)
    for _ in range(MAX_ITERATIONS + 1):
        before = len(reader.draft.nodes)
        condition, *more = reader.call(condition_index, state)
        if condition is None or more:
            return _lost(reader, node)
        rule = "how often a WHILE turns must not depend on the input"
        decided = _decided(node, condition, rule, hint)
        del reader.draft.nodes[before:]  # nothing else reads what a known condition was compared with
        if not decided:
            return state
        state = list(reader.call(body, state))
        if len(reader.problems) > problems:  # once is enough
            return node.outputs
    rule = f"a WHILE may turn {MAX_ITERATIONS} times"
    raise UnsupportedModelError([Problem(rule, node.name, f"over {MAX_ITERATIONS}", "fewer iterations")])


def _composite(reader: Reader, node: TfliteNode) -> _Values:
    """An operator that names its own decomposition."""
    (decomposition,) = CALLEES[node.builtin](node.options)
    return reader.call(decomposition, node.inputs)


def _decided(node: TfliteNode, condition: Tensor | None, rule: str, hint: str) -> bool:
    """The value of a condition. Raises UnsupportedModelError if it depends on the model's input."""
    assert condition is not None
    if condition.data is None:
        raise UnsupportedModelError([Problem(rule, node.name, f"computed by {condition.name}", hint)])
    if condition.dtype != "bool" or condition.data.size != 1:
        value = f"{condition.dtype} {condition.shape}"
        raise InvalidModelError("a condition must be one bool", layer=node.name, value=value)
    return bool(np.all(condition.data))


def _lost(reader: Reader, node: TfliteNode) -> _Values:
    """The outputs as declared: the condition is among the problems already."""
    if not reader.problems:
        raise InvalidModelError("the condition of a WHILE must be one bool", layer=node.name)
    return node.outputs


CONTROL: Mapping[str, Callable[[Reader, TfliteNode], _Values]] = {
    "IF": _if,
    "WHILE": _while,
    "STABLEHLO_COMPOSITE": _composite,
}
