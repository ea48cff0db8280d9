"""Small .tflite files with any operators and subgraphs, by LiteRT's schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import pytest

schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="builds files by LiteRT's schema")


class Subgraph:
    """Tensors and operators are added one after the other; tensors are given by index."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.table = schema.SubGraphT()
        self.table.tensors, self.table.operators = [], []
        self.table.inputs, self.table.outputs = [], []
        model.table.subgraphs.append(self.table)
        self.index = len(model.table.subgraphs) - 1

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "float32",
        *,
        scale: float | None = None,
        zero_point: int = 0,
        signature: Sequence[int] | None = None,
    ) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape = name, list(shape)
        tensor.type = getattr(schema.TensorType, dtype.upper())
        tensor.shapeSignature = None if signature is None else list(signature)
        tensor.hasRank, tensor.buffer = True, 0
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
        self.table.tensors.append(tensor)
        return len(self.table.tensors) - 1

    def constant(self, name: str, value: Any, dtype: str = "int32", **quantization: Any) -> int:
        array = np.asarray(value, dtype)
        index = self.tensor(name, array.shape, dtype, **quantization)
        if array.size:
            self.table.tensors[index].buffer = self.model.buffer(array.tobytes())
        return index

    def input(self, name: str, shape: Sequence[int], dtype: str = "float32", **more: Any) -> int:
        self.table.inputs.append(self.tensor(name, shape, dtype, **more))
        return int(self.table.inputs[-1])

    def outputs(self, *tensors: int) -> None:
        self.table.outputs = list(tensors)

    def op(self, builtin: str, inputs: Sequence[int], outputs: Sequence[int], **options: Any) -> Any:
        """options: fields, and `type`, the options' table; `custom`, a custom operator's name; `version`."""
        operator = schema.OperatorT()
        custom, version = options.pop("custom", None), options.pop("version", 1)
        operator.opcodeIndex = self.model.code(builtin, custom, version)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        type_name = options.pop("type", None)
        if type_name is not None:
            union = 2 if hasattr(schema.BuiltinOptions2, type_name) else ""
            setattr(
                operator,
                f"builtinOptions{union}Type",
                getattr(getattr(schema, f"BuiltinOptions{union}"), type_name),
            )
            table = getattr(schema, f"{type_name}T")()
            for field, value in options.items():
                assert hasattr(table, field), f"{type_name} has no {field}"
                setattr(table, field, value)
            setattr(operator, f"builtinOptions{union}", table)
        self.table.operators.append(operator)
        return operator


class Model:
    def __init__(self) -> None:
        self.table = schema.ModelT()
        self.table.version, self.table.subgraphs = 3, []
        self.table.buffers, self.table.operatorCodes = [schema.BufferT()], []
        self.codes: dict[tuple[str, str | None, int], int] = {}

    def buffer(self, data: bytes) -> int:
        self.table.buffers.append(schema.BufferT())
        self.table.buffers[-1].data = np.frombuffer(data, np.uint8)
        return len(self.table.buffers) - 1

    def code(self, builtin: str, custom: str | None, version: int = 1) -> int:
        if (builtin, custom, version) not in self.codes:
            code = schema.OperatorCodeT()
            code.builtinCode = getattr(schema.BuiltinOperator, builtin)
            code.deprecatedBuiltinCode, code.version, code.customCode = (
                min(code.builtinCode, 127),
                version,
                custom,
            )
            self.codes[builtin, custom, version] = len(self.table.operatorCodes)
            self.table.operatorCodes.append(code)
        return self.codes[builtin, custom, version]

    def file(self) -> bytes:
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.table.Pack(builder), b"TFL3")
        return bytes(builder.Output())
