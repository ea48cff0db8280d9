"""Graph to .tflite: the standard file that LiteRT, TFLM and Netron open. Same graph, same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.exporters.constants import with_biases, with_dequantized_constants
from mcu_quant.exporters.states import begins_anew, variable_tensors, with_own_states
from mcu_quant.exporters.variables import PlainOperator, Variables, variables_of
from mcu_quant.ir import BoundNode, Graph, QuantParams, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import BEGINS_ANEW, TfliteForm

SCHEMA_VERSION = 3
#: Constants start at multiples of this, in bytes from the file's start (LiteRT maps them in place).
BUFFER_ALIGN = 16
SIGNATURE = "serving_default"
#: Codes from this on are in the newer of OperatorCode's two fields (schema.fbs).
_PLACEHOLDER_FOR_GREATER_CODES = 127


def write_tflite(graph: Graph) -> bytes:
    """The file's bytes. Raises UnsupportedModelError with every node that has no standard form."""
    return _Writer(graph).file()


def tflite_forms(graph: Graph) -> list[TfliteForm]:
    """One per node; raises as write_tflite does."""
    forms, problems = [], []
    for node in graph.bound_nodes():
        form = OPERATORS[node.node.op].to_tflite(node)
        if form is None:
            hint = "an operator that TFLite has"
            problems.append(Problem("the operator must have a TFLite form", node.name, node.node.op, hint))
        else:
            forms.append(form)
    if problems:
        raise UnsupportedModelError(problems)
    return forms


class _Writer:
    """Flatbuffers are built children first; each method returns the position of what it wrote."""

    def __init__(self, graph: Graph) -> None:
        import tflite

        self.schema = tflite
        self.graph = graph = with_dequantized_constants(with_biases(graph))
        self.forms = tflite_forms(graph)
        self.builder = flatbuffers.Builder(1 << 16)
        self.buffers: list[bytes] = [b""]  # by schema.fbs, buffer 0 is empty and means "no data"
        self.buffer_of: dict[bytes, int] = {}
        #: Values of variable tensors, to the name of the tensor: the file has one for all of them.
        self.variables = variable_tensors(graph)
        self.tensors = [t for t in graph.tensors.values() if self.variables.get(t.name, t.name) == t.name]
        self.index_of = {tensor.name: index for index, tensor in enumerate(self.tensors)}
        self.index_of |= {name: self.index_of[first] for name, first in self.variables.items()}
        self.kept = variables_of(graph, self.variables)
        if self.kept is not None:
            self.index_of |= {h.name: len(self.tensors) + i for i, h in enumerate(self.kept.handles)}
            self.tensors += self.kept.handles
        #: Builtin, version, and the name of a custom operator.
        self.codes: list[tuple[int, int, str]] = []

    def file(self) -> bytes:
        first, last = ((), ()) if self.kept is None else (self.kept.first, self.kept.last)
        operators = self.vector(
            [
                *(self.plain_operator(operator, self.index_of) for operator in first),
                *map(self.operator, self.graph.bound_nodes(), self.forms),
                *(self.plain_operator(operator, self.index_of) for operator in last),
            ]
        )
        tensors = self.vector([self.tensor(tensor) for tensor in self.tensors])
        subgraph = self.table(
            "SubGraph",
            Tensors=tensors,
            Inputs=self.indices(self.graph.inputs),
            Outputs=self.indices(self.graph.outputs),
            Operators=operators,
            Name=self.builder.CreateString("main"),
        )
        subgraphs = [subgraph, *([] if self.kept is None else [self.initial(self.kept)])]
        model = self.table(
            "Model",
            Version=SCHEMA_VERSION,
            OperatorCodes=self.vector([self.operator_code(*code) for code in self.codes]),
            Subgraphs=self.vector(subgraphs),
            Description=self.builder.CreateString("mcu_quant"),
            SignatureDefs=self.vector([self.signature()]),
            Metadata=self.metadata(),
            Buffers=self.vector([self.buffer(data) for data in self.buffers]),
        )
        self.builder.Finish(model, b"TFL3")
        return bytes(self.builder.Output())

    def table(self, type_name: str, **fields: Any) -> int:
        """A table with those fields (None: absent), by the generated functions of its type."""
        getattr(self.schema, f"{type_name}Start")(self.builder)
        for field, value in fields.items():
            if value is not None:
                getattr(self.schema, f"{type_name}Add{field}")(self.builder, value)
        end: int = getattr(self.schema, f"{type_name}End")(self.builder)
        return end

    def vector(self, positions: Sequence[int]) -> int:
        return self._vector(positions, 4, self.builder.PrependUOffsetTRelative)

    def integers(self, values: Iterable[int]) -> int:
        return self._vector([int(value) for value in values], 4, self.builder.PrependInt32)

    def indices(self, names: Iterable[str | None]) -> int:
        return self.integers(-1 if name is None else self.index_of[name] for name in names)

    def _vector(self, values: Sequence[Any], item_bytes: int, prepend: Callable[[Any], None]) -> int:
        self.builder.StartVector(item_bytes, len(values), item_bytes)
        for value in reversed(values):
            prepend(value)
        position: int = self.builder.EndVector()
        return position

    def buffer(self, data: bytes) -> int:
        if not data:
            return self.table("Buffer")
        self.builder.StartVector(1, len(data), BUFFER_ALIGN)
        head = self.builder.head - len(data)
        self.builder.head = head
        self.builder.Bytes[head : head + len(data)] = data
        return self.table("Buffer", Data=self.builder.EndVector())

    def buffer_index(self, data: bytes) -> int:
        """The buffer with those bytes: equal constants share one."""
        if data not in self.buffer_of:
            self.buffer_of[data] = len(self.buffers)
            self.buffers.append(data)
        return self.buffer_of[data]

    def tensor(self, tensor: Tensor) -> int:
        data = (
            b"" if tensor.data is None else tensor.data.astype(tensor.data.dtype.newbyteorder("<")).tobytes()
        )
        return self.table(
            "Tensor",
            Shape=self.integers(tensor.shape),
            Type=getattr(self.schema.TensorType, tensor.dtype.upper()),
            Buffer=self.buffer_index(data) if data else 0,
            Name=self.builder.CreateString(tensor.name),
            Quantization=None if tensor.quant is None else self.quantization(tensor.quant),
            HasRank=True,
            IsVariable=tensor.name in self.variables,
        )

    def quantization(self, quant: QuantParams) -> int:
        return self.table(
            "QuantizationParameters",
            Scale=self._vector(quant.scale, 4, self.builder.PrependFloat32),
            ZeroPoint=self._vector(quant.zero_point, 8, self.builder.PrependInt64),
            QuantizedDimension=quant.channel_axis or 0,
        )

    def operator(self, node: BoundNode, form: TfliteForm) -> int:
        code_index = self.code_index(form.builtin, form.version, form.custom)
        constants = [self.add_constant(node, i, value) for i, value in enumerate(form.constants)]
        inputs, before = with_own_states(node.node), form.inputs_before
        if form.order is not None:
            inputs = tuple(inputs[position] for position in form.order if position < len(inputs))
        first, rest = inputs[:before], () if before is None else inputs[before:]
        intermediates = [self.add_intermediate(node, form, i) for i in range(len(form.intermediates))]
        options = None if form.options_type is None else self.options(form)
        type_name = form.options_type or "NONE"
        return self.table(
            "Operator",
            OpcodeIndex=code_index,
            Inputs=self.indices([*first, *constants, *rest]),
            Outputs=self.indices(name for name in node.node.outputs if name not in self.variables),
            BuiltinOptionsType=getattr(self.schema.BuiltinOptions, type_name),
            BuiltinOptions=options,
            Intermediates=self.integers(intermediates) if intermediates else None,
            CustomOptions=self.builder.CreateByteVector(form.custom_options) if form.custom else None,
        )

    def initial(self, variables: Variables) -> int:
        """The subgraph that assigns first values."""
        tensors = (*variables.handles, *variables.values)
        index_of = {tensor.name: index for index, tensor in enumerate(tensors)}
        operators = [self.plain_operator(operator, index_of) for operator in variables.initial]
        return self.table(
            "SubGraph",
            Tensors=self.vector([self.tensor(tensor) for tensor in tensors]),
            Inputs=self.integers(()),
            Outputs=self.integers(()),
            Operators=self.vector(operators),
            Name=self.builder.CreateString("initial"),
        )

    def plain_operator(self, operator: PlainOperator, index_of: Mapping[str, int]) -> int:
        text = {name: self.builder.CreateString(value) for name, value in operator.text.items()}
        options = self.table(operator.options_type, **text, **operator.numbers)
        return self.table(
            "Operator",
            OpcodeIndex=self.code_index(operator.builtin, 1),
            Inputs=self.integers(index_of[name] for name in operator.inputs),
            Outputs=self.integers(index_of[name] for name in operator.outputs),
            BuiltinOptionsType=getattr(self.schema.BuiltinOptions, operator.options_type),
            BuiltinOptions=options,
        )

    def code_index(self, builtin: str, version: int, custom: str = "") -> int:
        code = (getattr(self.schema.BuiltinOperator, builtin), version, custom)
        if code not in self.codes:
            self.codes.append(code)
        return self.codes.index(code)

    def options(self, form: TfliteForm) -> int:
        """Fields in the order given; sequences become int32 vectors."""
        fields = {
            name: self.integers(value) if isinstance(value, (tuple, list, np.ndarray)) else value
            for name, value in form.options.items()
        }
        return self.table(str(form.options_type), **fields)

    def add_constant(self, node: BoundNode, index: int, value: np.ndarray) -> str:
        """An int32 tensor that only the file has; returns its name."""
        name = f"{node.name}/constant_{index}"
        while name in self.index_of:
            name += "_"
        self.index_of[name] = len(self.tensors)
        self.tensors.append(Tensor.constant(name, np.asarray(value, np.int32)))
        return name

    def add_intermediate(self, node: BoundNode, form: TfliteForm, index: int) -> int:
        """A tensor that says type and scale of what is computed within an operator; returns its index."""
        dtype, quant = form.intermediates[index]
        # TFLM wants it to hold nothing.
        self.tensors.append(Tensor(f"{node.name}/intermediate_{index}", (0,), dtype, quant))
        return len(self.tensors) - 1

    def operator_code(self, code: int, version: int, custom: str) -> int:
        return self.table(
            "OperatorCode",
            DeprecatedBuiltinCode=min(code, _PLACEHOLDER_FOR_GREATER_CODES),
            CustomCode=self.builder.CreateString(custom) if custom else None,
            Version=version,
            BuiltinCode=code,
        )

    def metadata(self) -> int | None:
        """Which variable tensors are reset before every run."""
        names = [self.variables[name] for name in begins_anew(self.graph)]
        if not names:
            return None
        data = "\n".join(names).encode()
        key = self.builder.CreateString(BEGINS_ANEW)
        return self.vector([self.table("Metadata", Name=key, Buffer=self.buffer_index(data))])

    def signature(self) -> int:
        return self.table(
            "SignatureDef",
            Inputs=self.vector([self.tensor_map(name) for name in self.graph.inputs]),
            Outputs=self.vector([self.tensor_map(name) for name in self.graph.outputs]),
            SignatureKey=self.builder.CreateString(SIGNATURE),
            SubgraphIndex=0,
        )

    def tensor_map(self, name: str) -> int:
        return self.table("TensorMap", Name=self.builder.CreateString(name), TensorIndex=self.index_of[name])
