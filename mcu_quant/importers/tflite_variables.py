"""Variables of a .tflite file (VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE, CALL_ONCE) as states of the graph.

A read gives the tensor that was assigned last in the run, or the one that holds the variable's value when
the run begins (State.before). What is assigned last of all is State.after. The subgraph of a CALL_ONCE runs
here: it gives State.initial. Variables that no run changes are constants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.importers.tflite_calls import CALLEES, called_subgraphs
from mcu_quant.importers.tflite_draft import Draft
from mcu_quant.importers.tflite_file import CORRUPTION, FileOperator, FileSubgraph, TfliteFile
from mcu_quant.ir import State, Tensor
from mcu_quant.ops.base import without_axis
from mcu_quant.ops.storage import real_values

if TYPE_CHECKING:
    from mcu_quant.importers.tflite import Reader, Scope

#: (container, shared name): what makes two handles those of one variable.
Key = tuple[bytes, bytes]

_ONE_TYPE = "a variable must have one type, shape and scale wherever it is read or assigned"

_BY_THE_MODEL = "a variable must be read and assigned by the model itself"


@dataclass
class Variable:
    """is_assigned: whether the model changes it, and not its CALL_ONCE alone. initial: its value at reset,
    None if there is none but real 0. before: its value when a run begins, None until it is read. current: its
    value by now, None until it is read or assigned.
    """

    name: str
    is_assigned: bool
    initial: Tensor | None = None
    before: Tensor | None = None
    current: Tensor | None = None


class Variables:
    """All variables of a file."""

    def __init__(self, file: TfliteFile, draft: Draft) -> None:
        self.draft = draft
        self.found: dict[Key, Variable] = {}
        #: Whether a CALL_ONCE's subgraph is being read.
        self.is_initializing = False
        main = file.subgraphs[0]
        handles = handles_of(main)
        self._assigned = {
            handles[op.inputs[0]]
            for op in main.operators
            if op.builtin == "ASSIGN_VARIABLE" and op.inputs and op.inputs[0] in handles
        }

    def of(self, scope: Scope, file_op: FileOperator, name: str) -> Variable:
        """The variable whose handle is the operator's first input."""
        key = scope.handles.get(file_op.inputs[0]) if file_op.inputs else None
        if key is None:
            rule = "a variable must be named by a VAR_HANDLE beside the operator that reads or assigns it"
            hint = "variables that branches and loops do not share with the model"
            raise UnsupportedModelError([Problem(rule, name, file_op.builtin, hint)])
        if key not in self.found:
            text = key[1].decode("utf-8", "replace")
            printable = "".join(c if c.isprintable() else "_" for c in text)
            self.found[key] = Variable(printable, key in self._assigned)
        return self.found[key]

    def read(self, variable: Variable, output: Tensor) -> Tensor:
        """What a READ_VARIABLE with that output gives."""
        known = variable.initial if self.is_initializing else variable.current or variable.initial
        if known is not None:
            self._require_same(variable, output := self._sized(output, known), known)
        if variable.current is not None and not self.is_initializing:
            return variable.current
        if variable.is_assigned and not self.is_initializing:
            self.draft.require_scale(output)
            variable.before = variable.current = output
            return output
        if known is None or known.data is None:
            rule = "a variable must be assigned before it is read"
            hint = "a file with its first value (CALL_ONCE); a Keras model itself: mcu-quant quantize"
            raise InvalidModelError(rule, layer=output.name, value=variable.name, hint=hint)
        return self.draft.constant(output, known.data)

    def assign(self, variable: Variable, value: Tensor, name: str) -> None:
        if value.dtype == "float16" and value.data is not None:  # stored so behind a DEQUANTIZE
            value = self.draft.file_under(
                replace(value, dtype="float32", data=real_values(value, value.data))
            )
        known = variable.current or variable.initial
        if known is not None:
            self._require_same(variable, value, known)
        if not self.is_initializing:
            variable.current = value
        elif value.data is not None:
            variable.initial = value
        else:
            rule, hint = "the first value of a variable must not be computed by the model", "a constant"
            raise UnsupportedModelError([Problem(rule, name, variable.name, hint)])

    def states(self) -> tuple[State, ...]:
        """Those that a run reads before it assigns them."""
        return tuple(
            State(variable.before.name, variable.current.name, _at_reset(variable, variable.before))
            for variable in self.found.values()
            if variable.before is not None and variable.current is not None
        )

    def _sized(self, output: Tensor, known: Tensor) -> Tensor:
        """The output with the variable's shape, where the file leaves sizes open."""
        if output.shape != known.shape and self.draft.allows(output, known.shape):
            self.draft.tensors[output.name] = output = replace(output, shape=known.shape)
        return output

    def _require_same(self, variable: Variable, tensor: Tensor, known: Tensor) -> None:
        if _kind(tensor) != _kind(known):
            value = f"{variable.name}: {_described(tensor)}, and {_described(known)}"
            hint = "quantize the model again, variables too"
            raise UnsupportedModelError([Problem(_ONE_TYPE, tensor.name, value, hint)])


def _kind(tensor: Tensor) -> object:
    return tensor.dtype, tensor.shape, without_axis(tensor.quant)


def _described(tensor: Tensor) -> str:
    quant = tensor.quant
    scale = "" if quant is None else f" of scale {quant.scale[0]:g}, zero_point {quant.zero_point[0]}"
    return f"{tensor.dtype} {list(tensor.shape)}{scale}"


def _at_reset(variable: Variable, before: Tensor) -> np.ndarray:
    """The first value; without one real 0, as TFLM begins (LiteRT refuses such a model)."""
    if variable.initial is not None and variable.initial.data is not None:
        return variable.initial.data
    zero = 0 if before.quant is None else before.quant.zero_point[0]
    return np.full(before.shape, zero, before.dtype)


def handles_of(subgraph: FileSubgraph) -> dict[int, Key]:
    """The tensors of a subgraph that stand for variables, by index. Raises InvalidModelError."""
    try:
        return {
            index: (op.options.Container() or b"", op.options.SharedName() or b"")
            for op in subgraph.operators
            if op.builtin == "VAR_HANDLE"
            for index in op.outputs
        }
    except CORRUPTION as error:
        rule, hint = "a VAR_HANDLE must name its variable", "export the model again"
        raise InvalidModelError(rule, layer=subgraph.name, value=error, hint=hint) from error


def check_variables(file: TfliteFile, problems: list[Problem]) -> None:
    """The model itself changes variables, its handles go nowhere else, and first values come first."""
    hint = (
        "read the variable before the branch or loop, and assign it behind; of a Keras model with recurrent "
        "layers, give the .keras file"
    )
    for index in called_subgraphs(file):
        builtins = {op.builtin for op in file.subgraphs[index].operators}
        for builtin in sorted(builtins & {"ASSIGN_VARIABLE", "CALL_ONCE"}):
            rule = "a branch or loop must not change a variable"
            problems.append(Problem(rule, file.subgraphs[index].name, builtin, hint))
    for subgraph in file.subgraphs:
        rule, handles = _BY_THE_MODEL, handles_of(subgraph)
        for op in subgraph.operators:
            if op.builtin not in VARIABLE_OPERATORS and not handles.keys().isdisjoint(op.inputs):
                problems.append(Problem(rule, subgraph.name, f"an input of {op.builtin}", hint))
        if not handles.keys().isdisjoint(subgraph.outputs):
            problems.append(Problem(rule, subgraph.name, "an output", "the variable's value as an output"))
    order = [op.builtin for op in file.subgraphs[0].operators]
    first = min(
        (order.index(b) for b in ("READ_VARIABLE", "ASSIGN_VARIABLE") if b in order), default=len(order)
    )
    if "CALL_ONCE" in order[first:]:
        rule = "CALL_ONCE must stand before what reads or assigns variables"
        problems.append(Problem(rule, file.subgraphs[0].name, "CALL_ONCE", "export the model again"))


def without_followers(problems: list[Problem]) -> list[Problem]:
    """Without the tensors that a branch or loop hands variables on in, where that is among the problems."""
    is_cause = any(problem.rule == _BY_THE_MODEL for problem in problems)
    return [problem for problem in problems if not is_cause or problem.value != "RESOURCE"]


def _var_handle(reader: Reader, scope: Scope, file_op: FileOperator, name: str) -> None:
    """Handles are known already: Scope.handles."""


def _read_variable(reader: Reader, scope: Scope, file_op: FileOperator, name: str) -> None:
    (output,) = file_op.outputs
    variable, tensor = reader.variables.of(scope, file_op, name), scope.values[output]
    if tensor is not None:  # else it is among the problems
        scope.values[output] = reader.variables.read(variable, tensor)


def _assign_variable(reader: Reader, scope: Scope, file_op: FileOperator, name: str) -> None:
    _, index = file_op.inputs
    if index < 0:
        raise ValueError("no value to assign")
    variable, value = reader.variables.of(scope, file_op, name), scope.values[index]
    if value is not None:
        reader.variables.assign(variable, value, name)


def _call_once(reader: Reader, scope: Scope, file_op: FileOperator, name: str) -> None:
    (index,) = CALLEES["CALL_ONCE"](file_op.options)
    reader.variables.is_initializing = True
    try:
        reader.call(index, [])
    finally:
        reader.variables.is_initializing = False


VARIABLE_OPERATORS: Mapping[str, Callable[[Reader, Scope, FileOperator, str], None]] = {
    "VAR_HANDLE": _var_handle,
    "READ_VARIABLE": _read_variable,
    "ASSIGN_VARIABLE": _assign_variable,
    "CALL_ONCE": _call_once,
}
