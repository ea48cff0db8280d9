""".tflite files of few operators, made by LiteRT's schema: also of those that the exporter never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from tests.tflite_builder import Model, Subgraph, schema


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
    model = Model()
    graph = Subgraph(model)
    mentioned = (t for op in operators for t in (*op.inputs, *op.outputs) if t is not None)
    tensors = list({id(tensor): tensor for tensor in mentioned}.values())
    index = {id(tensor): _add(graph, tensor) for tensor in tensors}
    written = {id(tensor) for op in operators for tensor in op.outputs}
    for tensor in (t for t in tensors if not t.is_constant and id(t) not in written):
        at = index[id(tensor)]
        if outer_shape(tensor.shape) != tensor.shape:
            outer = _add(graph, replace(tensor, name=f"{tensor.name}/outer", shape=outer_shape(tensor.shape)))
            shape = _add(graph, integers(f"{tensor.name}/shape", list(tensor.shape)))
            graph.op("RESHAPE", [outer, shape], [at])
            at = outer
        graph.table.inputs.append(at)
    for op in operators:
        read = [-1 if tensor is None else index[id(tensor)] for tensor in op.inputs]
        made = [index[id(tensor)] for tensor in op.outputs]
        options = {} if op.options is None else {"type": options_of(op.builtin), **op.options}
        graph.op(op.builtin, read, made, version=op.version, **options)
    graph.outputs(*(index[id(tensor)] for tensor in outputs))
    return model.file()


def outer_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of a model's input for a tensor of that shape: a model's batch is 1."""
    return shape if shape[:1] in ((), (1,)) else (1, *shape)


def options_of(builtin: str) -> str:
    """The options' table as the schema mostly calls it."""
    camel = "".join(word.upper() if word[0].isdigit() else word.capitalize() for word in builtin.split("_"))
    return f"{camel}Options"


def _add(graph: Subgraph, tensor: Tensor) -> int:
    """The index of the tensor, which the graph has from now on."""
    index = graph.tensor(tensor.name, tensor.shape, tensor.dtype)
    if tensor.quant is not None:
        graph.table.tensors[index].quantization = _quantization(tensor.quant)
    if tensor.data is not None:
        graph.table.tensors[index].buffer = graph.model.buffer(tensor.data.tobytes())
    return index


def _quantization(quant: QuantParams) -> Any:
    made = schema.QuantizationParametersT()
    made.scale, made.zeroPoint = list(quant.scale), list(quant.zero_point)
    made.quantizedDimension = quant.channel_axis or 0
    return made


def integers(name: str, values: Any, dtype: str = "int32") -> Tensor:
    """A constant of plain numbers: an axis, sizes, paddings."""
    return Tensor.constant(name, np.asarray(values, dtype))
