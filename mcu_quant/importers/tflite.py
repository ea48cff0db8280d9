""".tflite file to Graph: float, integer or mixed. The file is verified by tflite_file.py first.

What does not depend on the model's input is computed here: shapes (an open batch is 1), other constants,
which branch an IF takes and how often a WHILE turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from mcu_quant.errors import InvalidModelError, McuQuantError, Problem, UnsupportedModelError
from mcu_quant.importers.tflite_calls import MAX_UNROLLED, check_subgraphs, live_operators
from mcu_quant.importers.tflite_control import CONTROL
from mcu_quant.importers.tflite_dilation import fuse_dilations
from mcu_quant.importers.tflite_draft import Draft
from mcu_quant.importers.tflite_file import (
    CORRUPTION,
    FileOperator,
    FileSubgraph,
    FileTensor,
    TfliteFile,
    parse_tflite,
)
from mcu_quant.importers.tflite_lowering import LOWERINGS, lowering_of
from mcu_quant.importers.tflite_outputs import with_names, without_dead_nodes
from mcu_quant.importers.tflite_shapes import plain_values, without_empty
from mcu_quant.importers.tflite_states import VariableTensors
from mcu_quant.importers.tflite_tensors import read_tensor
from mcu_quant.importers.tflite_unsupported import FIXED_BATCH, unsupported_operator, without_legacy
from mcu_quant.importers.tflite_variables import (
    VARIABLE_OPERATORS,
    Key,
    Variables,
    check_variables,
    handles_of,
    without_followers,
)
from mcu_quant.ir import Graph, Tensor, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.storage import STORED, real_values

_BY_BUILTIN = {builtin: operator for operator in OPERATORS.values() for builtin in operator.tflite_builtins}
#: Custom operators that are read, by name: our own (docs/CUSTOM_OPERATORS.md).
_BY_CUSTOM = {operator.tflite_custom: operator for operator in OPERATORS.values() if operator.tflite_custom}
_BY_CODE = {**_BY_BUILTIN, **_BY_CUSTOM}
#: Every builtin that is read, with whatever inputs it has.
READ = frozenset({*_BY_BUILTIN, *LOWERINGS, *CONTROL, *VARIABLE_OPERATORS})


def read_tflite(data: bytes, name: str) -> Graph:
    """The graph of a .tflite file. name: the model's, for the generated code.

    Raises InvalidModelError for a damaged file, and UnsupportedModelError with everything in it that
    has no form here: operators, types, and rules that its integer operators break.
    """
    file = parse_tflite(data)
    subgraphs = tuple(fuse_dilations(subgraph) for subgraph in file.subgraphs)
    return Reader(replace(file, subgraphs=subgraphs), name).graph()


@dataclass
class Scope:
    """A subgraph that is being read. values: its tensors, by index; None where one is among the problems.

    dequantized: which of them are constants behind a DEQUANTIZE. handles: which of them, with no value, stand
    for variables.
    """

    subgraph: FileSubgraph
    values: list[Tensor | None]
    handles: Mapping[int, Key]
    dequantized: set[int] = field(default_factory=set)


@dataclass
class Reader:
    file: TfliteFile
    name: str
    draft: Draft = field(default_factory=Draft)
    #: Constants of subgraphs that are called, which every call shares.
    constants: dict[tuple[int, int], Tensor | None] = field(default_factory=dict)
    unrolled: int = 0

    def __post_init__(self) -> None:
        self.variable_tensors = VariableTensors(self.draft)
        self.variables = Variables(self.file, self.draft)

    @property
    def problems(self) -> list[Problem]:
        return self.draft.problems

    def graph(self) -> Graph:
        main = self.file.subgraphs[0]
        self.check_signatures()
        check_subgraphs(self.file, self.name)
        check_variables(self.file, self.problems)
        used = _used(main)
        scope = self.scope(
            main, lambda index: self.tensor(main.tensors[index], index) if index in used else None
        )
        self.check_inputs(scope)
        names = [None if (tensor := scope.values[i]) is None else tensor.name for i in main.outputs]
        self.operators(scope)
        if self.problems:
            raise UnsupportedModelError(without_legacy(main, without_followers(self.problems)))
        inputs = tuple(_named(scope.values[index]) for index in main.inputs)
        outputs = tuple(_named(scope.values[index]) for index in main.outputs)
        for name in (*inputs, *outputs):
            shape = self.draft.tensors[name].shape
            self.require(0 not in shape, "inputs and outputs must not be empty", name)
        states = (*self.variable_tensors.states(), *self.variables.states())
        graph = Graph(self.name, tuple(self.draft.nodes), self.draft.tensors, inputs, outputs, states=states)
        return check(with_names(without_dead_nodes(graph), names))

    def scope(self, subgraph: FileSubgraph, value_of: Callable[[int], Tensor | None]) -> Scope:
        """The subgraph with its tensors, which those that stand for variables are none of."""
        handles = handles_of(subgraph)
        values = [None if index in handles else value_of(index) for index in range(len(subgraph.tensors))]
        return Scope(subgraph, values, handles)

    def check_signatures(self) -> None:
        if len({index for _, index in self.file.signatures}) > 1:
            keys = ", ".join(key for key, _ in self.file.signatures)
            hint = "convert one signature: TFLiteConverter.from_saved_model(path, signature_keys=[key])"
            self.problems.append(Problem("a model must have one signature", self.name, keys, hint))

    def tensor(self, file_tensor: FileTensor, index: int) -> Tensor | None:
        """The tensor, filed under a name of its own; None (and a problem) if it has no form here."""
        name = self.draft.unique(file_tensor.name or f"tensor_{index}", self.draft.tensors)
        tensor = read_tensor(name, file_tensor)
        if isinstance(tensor, Problem):
            self.problems.append(tensor)
            return None
        self.draft.tensors[name] = tensor
        self.draft.declared[name] = file_tensor
        if file_tensor.is_variable:
            self.variable_tensors.add(tensor, begins_anew=file_tensor.name in self.file.begins_anew)
        return tensor

    def check_inputs(self, scope: Scope) -> None:
        for index in scope.subgraph.inputs:
            tensor, signature = scope.values[index], scope.subgraph.tensors[index].shape_signature
            if tensor is None:
                continue
            self.require(not tensor.is_constant, "an input must not be a constant", tensor.name)
            is_variable = scope.subgraph.tensors[index].is_variable
            self.require(not is_variable, "an input must not be a variable tensor", tensor.name)
            self.draft.require_scale(tensor)
            if tensor.shape and tensor.shape[0] != 1:
                rule = "the batch (first size of an input) must be 1"
                self.problems.append(Problem(rule, tensor.name, f"shape {tensor.shape}", FIXED_BATCH))
            if any(size < 0 for size in signature[1:]):
                rule, hint = "every size but the batch must be fixed", "give keras.Input a shape without None"
                self.problems.append(Problem(rule, tensor.name, f"shape {signature}", hint))

    def require(self, holds: bool, rule: str, value: object) -> None:
        if not holds:
            raise InvalidModelError(rule, layer=self.name, value=value, hint="export the model again")

    def operators(self, scope: Scope) -> None:
        for index, operator in live_operators(scope.subgraph):
            self.operator(scope, operator, index)

    def call(self, index: int, arguments: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Read a subgraph with those inputs, as if it stood here; returns its outputs."""
        subgraph = self.file.subgraphs[index]
        self.unrolled += 1 + len(subgraph.tensors) + len(subgraph.operators)
        if self.unrolled > MAX_UNROLLED:
            rule = f"loops and branches, written out, may have {MAX_UNROLLED} tensors and operators"
            hint = "fewer iterations, or fewer operators in each"
            raise UnsupportedModelError([Problem(rule, subgraph.name, f"over {MAX_UNROLLED}", hint)])
        self.require(len(arguments) == len(subgraph.inputs), "a subgraph must be given its inputs", index)
        scope = self.scope(subgraph, lambda place: self.inner(index, place))
        for place, argument in zip(subgraph.inputs, arguments, strict=True):
            scope.values[place] = self.bound(scope.values[place], argument)
        self.operators(scope)
        return [scope.values[place] for place in subgraph.outputs]

    def inner(self, index: int, place: int) -> Tensor | None:
        """A tensor of a called subgraph: constants are shared by all calls."""
        file_tensor = self.file.subgraphs[index].tensors[place]
        if file_tensor.is_variable:
            rule, hint = "branches and loops must keep no state", "the layer with state outside of them"
            self.problems.append(Problem(rule, file_tensor.name, "a variable tensor", hint))
            return None
        if file_tensor.data is None:
            return self.tensor(file_tensor, place)
        if (index, place) not in self.constants:
            self.constants[index, place] = self.tensor(file_tensor, place)
        return self.constants[index, place]

    def bound(self, parameter: Tensor | None, argument: Tensor | None) -> Tensor | None:
        """What goes into a subgraph's input, or out of it into the caller's tensor, with the same meaning."""
        if parameter is None or argument is None:
            self.require(bool(self.problems), "a subgraph must be given all its inputs", "one is absent")
            return None
        types = parameter.dtype, argument.dtype
        same_type = types[0] == types[1] or types == ("float32", "float16")
        self.require(same_type, "a subgraph must be given inputs of its types", argument.name)
        if parameter.quant in (None, argument.quant):
            return argument
        if argument.is_constant:
            return self.draft.file_under(replace(argument, quant=parameter.quant))
        rule = "what goes into a branch or loop must have one scale on both sides"
        value = f"{argument.quant} and {parameter.quant}"
        self.problems.append(Problem(rule, argument.name, value, "quantize the model again"))
        return None

    def operator(self, scope: Scope, file_op: FileOperator, index: int) -> None:
        """Add what the operator becomes to the draft, and its outputs to the scope."""
        first = scope.values[file_op.outputs[0]] if file_op.outputs else None
        name = self.draft.node_name(first.name if first is not None else f"{file_op.builtin.lower()}_{index}")
        with self.collecting(name, file_op):
            if file_op.builtin in VARIABLE_OPERATORS:
                VARIABLE_OPERATORS[file_op.builtin](self, scope, file_op, name)
            elif (node := self.node(scope, file_op, name)) is not None:
                results = self.results(scope, file_op, node)
                for place, tensor in zip(file_op.outputs, results, strict=True):
                    scope.values[place] = tensor

    def node(self, scope: Scope, file_op: FileOperator, name: str) -> TfliteNode | None:
        """The operator and its tensors; None (and a problem) if one of these has no form here."""
        inputs = tuple(None if i < 0 else scope.values[i] for i in file_op.inputs)
        outputs = tuple(tensor for i in file_op.outputs if (tensor := scope.values[i]) is not None)
        missing = any(i >= 0 and scope.values[i] is None for i in file_op.inputs)
        if missing or not outputs or len(outputs) < len(file_op.outputs):
            # A tensor of it is among the problems already; the operator itself may be another.
            known = file_op.builtin in READ or _code(file_op) in _BY_CUSTOM
            self.problems.extend([] if known else [unsupported_operator(name, file_op)])
            return None
        if any(scope.subgraph.tensors[i].is_variable for i in file_op.outputs):
            rule, hint = "tensors that keep state must be an operator's own", "a variable (VAR_HANDLE)"
            self.problems.append(Problem(rule, name, "an output that is a variable tensor", hint))
            return None
        return TfliteNode(name, _code(file_op), file_op.options, inputs, outputs, file_op.version)

    @contextmanager
    def collecting(self, name: str, file_op: FileOperator) -> Iterator[None]:
        """What is found wrong within becomes one of the problems; a file that is damaged is an error."""
        try:
            yield
        except InvalidModelError:
            if not self.problems:  # else it may follow from one of them
                raise
        except McuQuantError as error:
            self.problems.extend(error.problems)
        except CORRUPTION as error:
            if not self.problems:
                raise InvalidModelError(
                    f"the inputs and options of {file_op.builtin} must fit together",
                    layer=name,
                    value=f"{type(error).__name__}: {error}",
                    hint="export the model again",
                ) from error

    def results(self, scope: Scope, file_op: FileOperator, node: TfliteNode) -> Sequence[Tensor | None]:
        """The outputs of an operator whose tensors are all known: computed by nodes, or constants."""
        if node.builtin in CONTROL:
            given = CONTROL[node.builtin](self, node)
            return [self.bound(*pair) for pair in zip(node.outputs, given, strict=True)]
        values, first = plain_values(node), node.inputs[0] if node.inputs else None
        if values is not None:
            return self.draft.values(node.name, node.outputs, values)
        node = without_empty(node)
        if node.builtin == "DEQUANTIZE" and first is not None and first.is_constant and first.dtype in STORED:
            return [self.dequantized(scope, file_op.outputs[0], node.outputs[0], first)]
        lowering = lowering_of(node)
        if lowering is not None:
            self.draft.node_names.discard(node.name)  # one of its parts takes it
            lowering.add_nodes(node, self.draft)
        elif node.builtin in _BY_CODE:
            operator = _BY_CODE[node.builtin]
            attrs, kept = operator.from_tflite(node)
            if hasattr(attrs, "hybrid") and self.has_real_weights(scope, file_op):
                attrs = replace(attrs, hybrid=False)
            inputs = list(kept)
            changed = self.variable_tensors.changed(node.name, operator.name, inputs)
            self.draft.node(node.name, operator.name, attrs, inputs, (*node.outputs, *changed.values()))
            for position, tensor in changed.items():
                scope.values[file_op.inputs[position]] = tensor
        else:
            self.problems.append(unsupported_operator(node.name, file_op))
        return [self.draft.tensors[tensor.name] for tensor in node.outputs]

    def dequantized(self, scope: Scope, index: int, output: Tensor, stored: Tensor) -> Tensor:
        """The constant itself, where it can stay as it is stored; else its float32 values."""
        reads = ((op, i, at) for op in scope.subgraph.operators for i, at in enumerate(op.inputs))
        uses = [_is_weights(op, i) for op, i, at in reads if at == index]
        symmetric = stored.quant is not None and not any(stored.quant.zero_point)
        can_stay = stored.dtype == "float16" or (stored.dtype == "int8" and symmetric and all(uses))
        scope.dequantized.add(index)
        if can_stay and index not in scope.subgraph.outputs:
            return stored
        assert stored.data is not None
        return self.draft.constant(output, real_values(stored, stored.data))

    def has_real_weights(self, scope: Scope, file_op: FileOperator) -> bool:
        """Whether its weights are int8 behind a DEQUANTIZE, so that there is nothing hybrid about it."""
        inputs = enumerate(file_op.inputs)
        return any(_is_weights(file_op, i) and at in scope.dequantized for i, at in inputs)


def _is_weights(file_op: FileOperator, index: int) -> bool:
    """Whether the input at that position is the weights of a linear operator."""
    operator = _BY_CODE.get(_code(file_op))
    return operator is not None and index in operator.quant_rule.weights_at


def _code(file_op: FileOperator) -> str:
    """The builtin, or the name of a custom operator that is read."""
    is_ours = file_op.builtin == "CUSTOM" and file_op.custom_name in _BY_CUSTOM
    return file_op.custom_name if is_ours else file_op.builtin


def _used(subgraph: FileSubgraph) -> set[int]:
    """The tensors that are read or written: others only state what is within an operator."""
    operators = {index for op in subgraph.operators for index in (*op.inputs, *op.outputs)}
    return operators.union(subgraph.inputs, subgraph.outputs)


def _named(tensor: Tensor | None) -> str:
    assert tensor is not None
    return tensor.name
