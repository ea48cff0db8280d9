"""A .tflite file as plain data, verified: what importers/tflite.py may rely on.

The Python flatbuffers package checks no lengths, so every vector's length is checked against the
file before it is read, and the sum of all that is read is bounded by the file's size: a hostile
file costs no more memory or time than an honest one of its size.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from flatbuffers.number_types import Uint32Flags

from mcu_quant.errors import InvalidModelError
from mcu_quant.ops.base import BEGINS_ANEW

SCHEMA_VERSION = 3
#: What reading corrupt flatbuffers and applying corrupt options may raise.
CORRUPTION = (
    struct.error,
    IndexError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    AssertionError,
    ArithmeticError,
)
#: Honest files share vectors between tables and weights between operators, though not without end:
#: all reads together may come to this many times the file's size, and as many bytes more.
_BUDGET_FACTOR, _BUDGET_BASE = 64, 65536
#: Tensors, operators, buffers: each at most this many.
_MAX_ITEMS = 16384
#: Where a tensor's vtable has the field (schema.fbs: the eleventh).
_EXTERNAL_BUFFER = 4 + 2 * 10
_HINT = "export the model again; the file is damaged or was not written by a TFLite converter"


@dataclass(frozen=True)
class FileQuantization:
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int

    @property
    def is_zero(self) -> bool:
        """Whether the one scale is 0, as converters to int16x8 write it for constants that are zero."""
        return self.scale.tolist() == [0.0] and not self.zero_point.any()


@dataclass(frozen=True)
class FileTensor:
    """type_name: as in schema.fbs, e.g. "INT8". data: the buffer's bytes, None if it has none.

    An empty tensor that nobody writes, such as the shape of a scalar, has no buffer, and b"" here.
    shape: sizes that the converter left open stand as 1. shape_signature: those as -1; () if none is open.
    external: the data is in another file.
    """

    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    has_rank: bool
    type_name: str
    quantization: FileQuantization | None
    data: memoryview | None
    is_variable: bool
    is_sparse: bool
    external: bool = False

    def allows(self, shape: tuple[int, ...]) -> bool:
        """Whether the shape is the declared one, but for sizes that are open."""
        if shape == self.shape or (not self.shape and not self.has_rank):
            return True
        open_sizes = self.shape_signature
        return len(shape) == len(open_sizes) and all(
            wanted in (-1, size) for wanted, size in zip(open_sizes, shape, strict=True)
        )


@dataclass(frozen=True)
class FileOperator:
    """builtin: as in schema.fbs, e.g. "CONV_2D"; "CUSTOM" has custom_name, and bytes as options.

    inputs: -1 where absent.
    """

    builtin: str
    custom_name: str
    options: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    version: int = 1


@dataclass(frozen=True)
class FileCode:
    """What an operator is: a builtin, or "CUSTOM" with a name; of that version."""

    builtin: str
    custom_name: str
    version: int


@dataclass(frozen=True)
class FileSubgraph:
    """Indices of tensors are in range; an operator's inputs are -1 or an index."""

    name: str
    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class TfliteFile:
    """subgraphs: at least one; the first is the model. signatures: (key, index of its subgraph).

    begins_anew: the variable tensors that ops.base.BEGINS_ANEW names.
    """

    subgraphs: tuple[FileSubgraph, ...]
    signatures: tuple[tuple[str, int], ...]
    begins_anew: frozenset[str] = frozenset()


def parse_tflite(data: bytes) -> TfliteFile:
    """Raises InvalidModelError for anything but a whole and consistent file."""
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise InvalidModelError(
            "a .tflite file must begin with the identifier TFL3",
            value=f"{len(data)} bytes, {data[4:8]!r}",
            hint="the path of a model that a TFLite converter wrote",
        )
    try:
        return _Parser(data).file()
    except CORRUPTION as error:
        raise InvalidModelError(
            "the .tflite file is damaged or truncated", value=error, hint=_HINT
        ) from error


@cache
def _enum_names(enum: str) -> dict[int, str]:
    import tflite

    values = vars(getattr(tflite, enum))
    return {value: name for name, value in values.items() if isinstance(value, int)}


class _Parser:
    def __init__(self, data: bytes) -> None:
        import tflite

        self.data = data
        self.view = memoryview(data)
        self.budget = _BUDGET_FACTOR * len(data) + _BUDGET_BASE
        self.left: dict[str, int] = {}
        self.model = tflite.Model.GetRootAs(data, 0)

    def file(self) -> TfliteFile:
        model = self.model
        self.require(model.Version() == SCHEMA_VERSION, "the schema version must be 3", model.Version())
        codes = [self.code(code) for code in self.items(model, "OperatorCodes")]
        buffers = [self.buffer(buffer) for buffer in self.items(model, "Buffers")]
        subgraphs = tuple(self.subgraph(graph, codes, buffers) for graph in self.items(model, "Subgraphs"))
        self.require(bool(subgraphs), "the file must hold a model", "no subgraph")
        signatures = tuple(
            (self.text(signature.SignatureKey()), int(signature.SubgraphIndex()))
            for signature in self.items(model, "SignatureDefs")
        )
        return TfliteFile(subgraphs, signatures, self.begins_anew(buffers))

    def begins_anew(self, buffers: list[memoryview | None]) -> frozenset[str]:
        """Names in metadata, one a line."""
        names: list[str] = []
        for entry in self.items(self.model, "Metadata"):
            index = int(entry.Buffer())
            if self.text(entry.Name()) != BEGINS_ANEW:
                continue
            self.require(index < len(buffers), "metadata must be in the file", f"{index} of {len(buffers)}")
            names += [self.text(line) for line in bytes(buffers[index] or b"").split(b"\n")]
        return frozenset(names)

    def subgraph(self, graph: Any, codes: list[FileCode], buffers: list[memoryview | None]) -> FileSubgraph:
        tensors = tuple(self.tensor(tensor, buffers) for tensor in self.parts(graph, "Tensors"))
        operators = tuple(self.operator(op, codes, tensors) for op in self.parts(graph, "Operators"))
        inputs = self.indices(graph, "Inputs", len(tensors), 0)
        outputs = self.indices(graph, "Outputs", len(tensors), 0)
        written = {*inputs, *(index for operator in operators for index in operator.outputs)}
        tensors = tuple(
            replace(tensor, data=memoryview(b"")) if 0 in tensor.shape and index not in written else tensor
            for index, tensor in enumerate(tensors)
        )
        return FileSubgraph(self.text(graph.Name()), tensors, operators, inputs, outputs)

    def parts(self, graph: Any, field: str) -> Iterator[Any]:
        """items, of which all subgraphs together may have as many as one."""
        self.left[field] = self.left.get(field, _MAX_ITEMS) - int(getattr(graph, f"{field}Length")())
        self.require(self.left[field] >= 0, f"a model may have {_MAX_ITEMS} {field}", "more in its subgraphs")
        return self.items(graph, field)

    def require(self, holds: bool, rule: str, value: object) -> None:
        if not holds:
            raise InvalidModelError(rule, value=value, hint=_HINT)

    def spend(self, count: int) -> None:
        self.budget -= count
        self.require(self.budget >= 0, "the file's tables must not overlap", f"{len(self.data)} bytes")

    def length(self, table: Any, field: str, item_bytes: int) -> int:
        """The length of a vector, once it is known to lie in the file."""
        count = int(getattr(table, f"{field}Length")())
        self.require(
            count * item_bytes <= len(self.data), "every vector must lie in the file", f"{count} {field}"
        )
        self.spend(count * item_bytes)
        return count

    def items(self, table: Any, field: str) -> Iterator[Any]:
        get: Callable[[int], Any] = getattr(table, field)
        count = self.length(table, field, 4)
        self.require(count <= _MAX_ITEMS, f"a model may have {_MAX_ITEMS} {field}", count)
        return (get(index) for index in range(count))

    def array(self, table: Any, field: str, item_bytes: int) -> np.ndarray:
        """A vector of numbers; empty if it is absent."""
        if self.length(table, field, item_bytes) == 0:
            return np.zeros(0)
        return np.asarray(getattr(table, f"{field}AsNumpy")())

    def integers(self, table: Any, field: str) -> tuple[int, ...]:
        return tuple(int(value) for value in self.array(table, field, 4))

    def indices(self, table: Any, field: str, limit: int, least: int) -> tuple[int, ...]:
        values = self.integers(table, field)
        for value in values:
            self.require(
                least <= value < limit, f"{field} must be tensors of the file", f"tensor {value} of {limit}"
            )
        return values

    def text(self, value: bytes | None) -> str:
        """Printable text: names reach comments of generated code and error messages."""
        self.spend(len(value or b""))
        text = (value or b"").decode("utf-8", "replace")
        return "".join(c if c.isprintable() else "_" for c in text)

    def code(self, code: Any) -> FileCode:
        """Codes above 126 are in the newer of two fields."""
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        builtin = _enum_names("BuiltinOperator").get(number, f"BUILTIN_{number}")
        return FileCode(builtin, self.text(code.CustomCode()), int(code.Version()))

    def buffer(self, buffer: Any) -> memoryview | None:
        """The bytes, in the flatbuffer or (files above 2 GB) after it."""
        start, size = int(buffer.Offset()), int(buffer.Size())
        if start > 1:
            self.require(
                start + size <= len(self.data), "every buffer must lie in the file", f"{start} + {size}"
            )
            return self.view[start : start + size]
        count = self.length(buffer, "Data", 1)
        if count == 0:
            return None
        table = buffer._tab
        start = table.Vector(table.Offset(4))
        self.require(
            start + count <= len(self.data), "every buffer must lie in the file", f"{start} + {count}"
        )
        return self.view[start : start + count]

    def tensor(self, tensor: Any, buffers: list[memoryview | None]) -> FileTensor:
        index = int(tensor.Buffer())
        self.require(
            index < len(buffers), "a tensor's buffer must be in the file", f"{index} of {len(buffers)}"
        )
        return FileTensor(
            name=self.text(tensor.Name()),
            shape=self.integers(tensor, "Shape"),
            shape_signature=self.integers(tensor, "ShapeSignature"),
            has_rank=bool(tensor.HasRank()),
            type_name=_enum_names("TensorType").get(tensor.Type(), f"type {tensor.Type()}"),
            quantization=self.quantization(tensor.Quantization()),
            data=buffers[index],
            is_variable=bool(tensor.IsVariable()),
            is_sparse=tensor.Sparsity() is not None,
            external=self.is_external(tensor),
        )

    def is_external(self, tensor: Any) -> bool:
        """Whether `external_buffer` is set: a field that the generated accessors do not know."""
        position = tensor._tab.Offset(_EXTERNAL_BUFFER)
        return position != 0 and tensor._tab.Get(Uint32Flags, position + tensor._tab.Pos) != 0

    def quantization(self, table: Any) -> FileQuantization | None:
        if table is None:
            return None
        self.require(
            table.DetailsType() == 0, "quantization must be by scale and zero_point", "custom quantization"
        )
        scale = self.array(table, "Scale", 4).astype(np.float32)
        zero_point = self.array(table, "ZeroPoint", 8).astype(np.int64)
        return FileQuantization(scale, zero_point, int(table.QuantizedDimension())) if scale.size else None

    def operator(self, operator: Any, codes: list[FileCode], tensors: Sequence[FileTensor]) -> FileOperator:
        index = int(operator.OpcodeIndex())
        self.require(index < len(codes), "an operator's code must be in the file", f"{index} of {len(codes)}")
        code = codes[index]
        inputs = self.indices(operator, "Inputs", len(tensors), -1)
        self.spend(sum(len(tensors[i].data or b"") for i in inputs if i >= 0))
        outputs = self.indices(operator, "Outputs", len(tensors), 0)
        is_custom = code.builtin == "CUSTOM"
        options = self.custom_options(operator) if is_custom else self.options(operator)
        return FileOperator(code.builtin, code.custom_name, options, inputs, outputs, code.version)

    def custom_options(self, operator: Any) -> bytes:
        return self.array(operator, "CustomOptions", 1).astype(np.uint8).tobytes()

    def options(self, operator: Any) -> Any:
        """The generated accessor of the operator's options; None if it has none or they are unknown."""
        import tflite

        for union in ("BuiltinOptions", "BuiltinOptions2"):
            table = getattr(operator, union)()
            type_name = _enum_names(union).get(getattr(operator, f"{union}Type")(), "NONE")
            if table is not None and type_name != "NONE":
                accessor = getattr(tflite, type_name)()
                accessor.Init(table.Bytes, table.Pos)
                return accessor
        return None
