"""Which operators of a subgraph count, and which subgraphs call which: checked before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mcu_quant.errors import InvalidModelError
from mcu_quant.importers.tflite_file import CORRUPTION, FileOperator, FileSubgraph, TfliteFile

#: Tensors and operators of all branches and iterations, written out.
MAX_UNROLLED = 2**15
#: Subgraphs that call subgraphs that call subgraphs.
_MAX_DEPTH = 16

#: The subgraphs that an operator calls, from its options.
CALLEES: Mapping[str, Callable[[Any], tuple[int, ...]]] = {
    "IF": lambda options: (options.ThenSubgraphIndex(), options.ElseSubgraphIndex()),
    "WHILE": lambda options: (options.CondSubgraphIndex(), options.BodySubgraphIndex()),
    "STABLEHLO_COMPOSITE": lambda options: (options.DecompositionSubgraphIndex(),),
    "CALL_ONCE": lambda options: (options.InitSubgraphIndex(),),
}


def live_operators(subgraph: FileSubgraph) -> Iterator[tuple[int, FileOperator]]:
    """(position, operator) of those that the outputs need, and those that have an effect beside."""
    needed, live = set(subgraph.outputs), []
    for index, operator in reversed(list(enumerate(subgraph.operators))):
        keeps_state = any(i >= 0 and subgraph.tensors[i].is_variable for i in operator.inputs)
        if keeps_state or not operator.outputs or not needed.isdisjoint(operator.outputs):
            needed.update(operator.inputs)
            live.append((index, operator))
    return reversed(live)


def check_subgraphs(file: TfliteFile, name: str) -> None:
    """The model and the subgraphs that it calls are in order; none calls itself. Else InvalidModelError."""
    _check_calls(file, 0, (), set(), name)


def _check_calls(file: TfliteFile, index: int, callers: tuple[int, ...], done: set[int], name: str) -> None:
    if index in callers:
        raise _invalid("a subgraph must not call itself", name, f"subgraph {index}")
    if len(callers) > _MAX_DEPTH:
        raise _invalid(f"branches and loops may be {_MAX_DEPTH} deep", name, f"subgraph {index}")
    if index in done:
        return
    subgraph = file.subgraphs[index]
    _check_order(subgraph, name, is_model=not callers)
    for operator in subgraph.operators:
        for callee in callees(operator, name):
            if not 0 <= callee < len(file.subgraphs):
                raise _invalid("a subgraph that is called must be in the file", name, f"subgraph {callee}")
            _check_calls(file, callee, (*callers, index), done, name)
    done.add(index)


def called_subgraphs(file: TfliteFile) -> list[int]:
    """The subgraphs of branches, loops and composites, at any depth; not those of CALL_ONCE. Once checked."""
    found: list[int] = []
    waiting = [0]
    while waiting:
        for operator in file.subgraphs[waiting.pop()].operators:
            new = [] if operator.builtin == "CALL_ONCE" else callees(operator, file.subgraphs[0].name)
            waiting += [index for index in new if index not in found]
            found += [index for index in new if index not in found]
    return found


def callees(operator: FileOperator, name: str) -> tuple[int, ...]:
    if operator.builtin not in CALLEES:
        return ()
    try:
        return CALLEES[operator.builtin](operator.options)
    except CORRUPTION as error:
        raise _invalid("a branch or loop must name its subgraphs", name, operator.builtin) from error


def _check_order(subgraph: FileSubgraph, name: str, is_model: bool) -> None:
    """Every tensor is written once, and before it is read: no cycles."""

    def require(holds: bool, rule: str, value: object) -> None:
        if not holds:
            raise _invalid(rule, name, value)

    inputs = subgraph.inputs
    known = {index for index, tensor in enumerate(subgraph.tensors) if tensor.data is not None}
    known.update(inputs)
    written = set(known)
    known.update(i for i, tensor in enumerate(subgraph.tensors) if tensor.is_variable or tensor.external)
    require(len(inputs) == len(set(inputs)), "the inputs must be different tensors", inputs)
    require(len(inputs) > 0 or not is_model, "the inputs must be different tensors", inputs)
    require(len(subgraph.outputs) > 0 or not is_model, "a model must have an output", "none")
    for position, operator in enumerate(subgraph.operators):
        label = f"operator {position} ({operator.builtin})"
        for index in operator.inputs:
            require(index < 0 or index in known, "every tensor must be written before it is read", label)
        for index in operator.outputs:
            require(index not in written, "every tensor must be written once", label)
            written.add(index)
        known.update(operator.outputs)
    for index in subgraph.outputs:
        require(index in known, "every output must be written", f"tensor {index}")


def _invalid(rule: str, name: str, value: object) -> InvalidModelError:
    return InvalidModelError(rule, layer=name, value=value, hint="export the model again")
