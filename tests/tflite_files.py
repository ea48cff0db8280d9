""".tflite files of few operators, made by LiteRT's schema: also of those that the exporter never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import flatbuffers
import numpy as np
import pytest

from mcu_quant.ir import QuantParams, Tensor

#: The schema with mutable objects, which the tflite package lacks.
schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="makes files by LiteRT's schema")


@dataclass(frozen=True)
class FileOp:
    """An operator. options: fields of the builtin's options (SplitOptions for SPLIT) by their names in the
    schema's objects (numSplits), and "type" where they are called otherwise; None for no options."""

    builtin: str
    inputs: Sequence[Tensor | None]
    outputs: Sequence[Tensor]
    options: Mapping[str, Any] | None = None
    version: int = 1


def one_operator(
    builtin: str,
    inputs: Sequence[Tensor | None],
    outputs: Sequence[Tensor],
    options: Mapping[str, Any] | None = None,
    version: int = 1,
) -> bytes:
    """The file of one; its outputs are the model's."""
    return tflite_file([FileOp(builtin, inputs, outputs, options, version)], outputs)


def tflite_file(operators: Sequence[FileOp], outputs: Sequence[Tensor]) -> bytes:
    """The file. What nobody writes and is not constant is an input, maybe behind a RESHAPE (outer_shape)."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], [schema.BufferT()], []
    mentioned = (t for op in operators for t in (*op.inputs, *op.outputs) if t is not None)
    tensors = list({id(tensor): tensor for tensor in mentioned}.values())
    index = {id(tensor): position for position, tensor in enumerate(tensors)}
    written = {id(tensor) for op in operators for tensor in op.outputs}
    graph.operators, graph.inputs, outer = [], [], list[Tensor]()
    for tensor in (t for t in tensors if not t.is_constant and id(t) not in written):
        at = index[id(tensor)]
        if outer_shape(tensor.shape) != tensor.shape:
            outer.append(replace(tensor, name=f"{tensor.name}/outer", shape=outer_shape(tensor.shape)))
            outer.append(integers(f"{tensor.name}/shape", list(tensor.shape)))
            first = len(tensors) + len(outer) - 2
            graph.operators.append(_operator(model, "RESHAPE", [first, first + 1], [at]))
            at = first
        graph.inputs.append(at)
    graph.tensors = [_tensor(tensor, model) for tensor in (*tensors, *outer)]
    for op in operators:
        read = [-1 if tensor is None else index[id(tensor)] for tensor in op.inputs]
        made = _operator(model, op.builtin, read, [index[id(t)] for t in op.outputs], op.version)
        if op.options is not None:
            _set_options(made, op.builtin, dict(op.options))
        graph.operators.append(made)
    graph.outputs = [index[id(tensor)] for tensor in outputs]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def outer_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of a model's input for a tensor of that shape: a model's batch is 1."""
    return shape if shape[:1] in ((), (1,)) else (1, *shape)


def _operator(model: Any, builtin: str, inputs: list[int], outputs: list[int], version: int = 1) -> Any:
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = getattr(schema.BuiltinOperator, builtin)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
    operator.opcodeIndex, operator.inputs, operator.outputs = len(model.operatorCodes), inputs, outputs
    model.operatorCodes.append(code)
    return operator


def _set_options(operator: Any, builtin: str, options: dict[str, Any]) -> None:
    camel = "".join(word.upper() if word[0].isdigit() else word.capitalize() for word in builtin.split("_"))
    type_name = options.pop("type", f"{camel}Options")
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, type_name)
    operator.builtinOptions = getattr(schema, f"{type_name}T")()
    for name, value in options.items():
        assert hasattr(operator.builtinOptions, name), f"{type_name} has no {name}"
        setattr(operator.builtinOptions, name, value)


def _tensor(tensor: Tensor, model: Any) -> Any:
    made = schema.TensorT()
    made.name, made.shape = tensor.name, list(tensor.shape)
    made.type = getattr(schema.TensorType, tensor.dtype.upper())
    if tensor.quant is not None:
        made.quantization = _quantization(tensor.quant)
    if tensor.data is not None:
        made.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT())
        model.buffers[-1].data = list(tensor.data.tobytes())
    return made


def _quantization(quant: QuantParams) -> Any:
    made = schema.QuantizationParametersT()
    made.scale, made.zeroPoint = list(quant.scale), list(quant.zero_point)
    made.quantizedDimension = quant.channel_axis or 0
    return made


def integers(name: str, values: Any, dtype: str = "int32") -> Tensor:
    """A constant of plain numbers: an axis, sizes, paddings."""
    return Tensor.constant(name, np.asarray(values, dtype))
