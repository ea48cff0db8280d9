""".tflite to Graph: float, integer or mixed. The file is verified by tflite_file.py first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mcu_quant.errors import InvalidModelError, McuQuantError, Problem, UnsupportedModelError
from mcu_quant.importers.tflite_dilation import fuse_dilations
from mcu_quant.importers.tflite_draft import Draft, check_shape
from mcu_quant.importers.tflite_file import (
    CORRUPTION,
    FileOperator,
    FileQuantization,
    FileTensor,
    TfliteFile,
    parse_tflite,
)
from mcu_quant.importers.tflite_lowering import LOWERINGS, lowering_of
from mcu_quant.importers.tflite_shapes import shape_value
from mcu_quant.ir import Graph, QuantParams, Tensor, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.storage import real_values

_TYPES = {
    "FLOAT32": "float32",
    "FLOAT16": "float16",
    "INT8": "int8",
    "UINT8": "uint8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
}
_TYPE_HINTS = {
    "INT4": "quantize the weights to 8 bits",
    "UINT4": "quantize the weights to 8 bits",
    "INT2": "quantize the weights to 8 bits",
}
_ZERO_POINTS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-(2**15), 2**15 - 1)}

_FIXED_BATCH = "convert with a fixed batch: keras.Input(shape, batch_size=1), then TFLiteConverter"
_OPERATOR_HINTS: Mapping[str, str] = {
    "SHAPE": _FIXED_BATCH,
    "FILL": _FIXED_BATCH,
    "WHILE": "unroll recurrent layers (unroll=True)",
    "IF": "remove the control flow from the model",
    "CALL_ONCE": "remove variables from the model",
    "VAR_HANDLE": "remove variables from the model",
    "HARD_SWISH": "relu6 in place of hard_swish",
    "GELU": "relu in place of gelu",
    "ELU": "relu in place of elu",
    "PRELU": "LeakyReLU in place of PReLU",
}

_BY_BUILTIN = {builtin: operator for operator in OPERATORS.values() for builtin in operator.tflite_builtins}
_SUPPORTED = _BY_BUILTIN.keys() | LOWERINGS.keys()


def read_tflite(data: bytes, name: str) -> Graph:
    """The graph of a .tflite file. name: the model's, for the generated code.

    Raises InvalidModelError for a damaged file, and UnsupportedModelError with everything in it that
    has no form here: operators, types, and rules that its integer operators break.
    """
    return _Reader(fuse_dilations(parse_tflite(data)), name).graph()


@dataclass
class _Reader:
    file: TfliteFile
    name: str
    draft: Draft = field(default_factory=Draft)
    #: Tensors of the file that are constants behind a DEQUANTIZE.
    dequantized: set[int] = field(default_factory=set)
    #: Those of them that stay as they are stored.
    stored: dict[int, Tensor] = field(default_factory=dict)

    @property
    def problems(self) -> list[Problem]:
        return self.draft.problems

    def graph(self) -> Graph:
        if self.file.subgraphs != 1:
            self.problems.append(
                Problem(
                    "a model must be one subgraph",
                    self.name,
                    f"{self.file.subgraphs} subgraphs",
                    "convert one signature, without control flow",
                )
            )
        by_index = [self.tensor(index, tensor) for index, tensor in enumerate(self.file.tensors)]
        self.check_order()
        self.check_inputs(by_index)
        for index, operator in enumerate(self.file.operators):
            self.node(index, operator, by_index)
        if self.problems:
            raise UnsupportedModelError(self.problems)
        inputs = tuple(_name(by_index[index]) for index in self.file.inputs)
        outputs = tuple(_name(by_index[index]) for index in self.file.outputs)
        nodes = self.draft.needed_nodes(outputs)
        return check(Graph(self.name, nodes, self.draft.tensors, inputs, outputs).with_())

    def tensor(self, index: int, file_tensor: FileTensor) -> Tensor | None:
        """The tensor, filed under a name of its own; None (and a problem) if it has no form here."""
        name = self.draft.unique(file_tensor.name or f"tensor_{index}", self.draft.tensors)
        problem = _tensor_problem(name, file_tensor)
        if problem is not None:
            self.problems.append(problem)
            return None
        check_shape(name, file_tensor.shape)
        dtype = _TYPES[file_tensor.type_name]
        quant = _quant(name, file_tensor.shape, dtype, file_tensor.quantization)
        data = None if file_tensor.data is None else _constant(name, file_tensor, dtype)
        tensor = Tensor(name, file_tensor.shape, dtype, quant, data)
        self.draft.tensors[name] = tensor
        return tensor

    def check_order(self) -> None:
        """Every tensor is written once, and before it is read: no cycles."""
        inputs = self.file.inputs
        known = {index for index, tensor in enumerate(self.file.tensors) if tensor.data is not None}
        known.update(inputs)
        written = set(known)
        known.update(i for i, tensor in enumerate(self.file.tensors) if tensor.is_variable)
        self.require(len(inputs) == len(set(inputs)) > 0, "the inputs must be different tensors", inputs)
        self.require(len(self.file.outputs) > 0, "a model must have an output", "none")
        for position, operator in enumerate(self.file.operators):
            label = f"operator {position} ({operator.builtin})"
            for index in operator.inputs:
                self.require(
                    index < 0 or index in known, "every tensor must be written before it is read", label
                )
            for index in operator.outputs:
                self.require(index not in written, "every tensor must be written once", label)
                written.add(index)
            known.update(operator.outputs)
        for index in self.file.outputs:
            self.require(index in known, "every output must be written", f"tensor {index}")

    def check_inputs(self, by_index: list[Tensor | None]) -> None:
        for index in self.file.inputs:
            tensor, signature = by_index[index], self.file.tensors[index].shape_signature
            if tensor is None:
                continue
            self.require(not tensor.is_constant, "an input must not be a constant", tensor.name)
            if tensor.shape and tensor.shape[0] != 1:
                self.problems.append(
                    Problem(
                        "the batch (first size of an input) must be 1",
                        tensor.name,
                        f"shape {tensor.shape}",
                        _FIXED_BATCH,
                    )
                )
            if any(size < 0 for size in signature[1:]):
                self.problems.append(
                    Problem(
                        "every size but the batch must be fixed",
                        tensor.name,
                        f"shape {signature}",
                        "give keras.Input a shape without None",
                    )
                )

    def require(self, holds: bool, rule: str, value: object) -> None:
        if not holds:
            raise InvalidModelError(rule, layer=self.name, value=value, hint="export the model again")

    def node(self, index: int, file_op: FileOperator, by_index: list[Tensor | None]) -> None:
        """Add what the operator becomes to the draft. by_index: changed where an output is a constant."""
        first = by_index[file_op.outputs[0]] if file_op.outputs else None
        name = self.draft.node_name(first.name if first is not None else f"{file_op.builtin.lower()}_{index}")
        inputs = tuple(None if i < 0 else by_index[i] for i in file_op.inputs)
        outputs = tuple(tensor for i in file_op.outputs if (tensor := by_index[i]) is not None)
        missing = any(i >= 0 and by_index[i] is None for i in file_op.inputs)
        if missing or not outputs or len(outputs) < len(file_op.outputs):
            # A tensor of it is among the problems already; the operator itself may be another.
            if file_op.builtin not in _SUPPORTED:
                self.problems.append(_unsupported_operator(name, file_op))
            return
        tflite_node = TfliteNode(name, file_op.builtin, file_op.options, inputs, outputs)
        try:
            self.convert(tflite_node, file_op)
            for at, tensor in zip(file_op.outputs, outputs, strict=True):
                by_index[at] = self.stored.get(at, self.draft.tensors[tensor.name])
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

    def convert(self, node: TfliteNode, file_op: FileOperator) -> None:
        """The nodes of an operator whose tensors are all known; constants where its value is known here."""
        value, lowering = shape_value(node), lowering_of(node)
        first = node.inputs[0] if node.inputs else None
        if value is not None:
            self.draft.constant(node.outputs[0], value)
        elif lowering is not None:
            self.draft.node_names.discard(node.name)  # one of its parts takes it
            lowering.add_nodes(node, self.draft)
        elif node.builtin not in _BY_BUILTIN:
            self.problems.append(_unsupported_operator(node.name, file_op))
        elif node.builtin == "DEQUANTIZE" and first is not None and first.is_constant:
            self.dequantize(file_op.outputs[0], node.outputs[0], first)
        else:
            operator = _BY_BUILTIN[node.builtin]
            attrs, kept = operator.from_tflite(node)
            if self.has_real_weights(file_op):
                attrs = replace(attrs, hybrid=False)
            self.draft.node(node.name, operator.name, attrs, kept, node.outputs)

    def dequantize(self, index: int, output: Tensor, stored: Tensor) -> None:
        """Its value is the constant itself, where that can stay as it is stored; else its float32 values."""
        reads = ((op, i, at) for op in self.file.operators for i, at in enumerate(op.inputs))
        uses = [_is_weights(op, i) for op, i, at in reads if at == index]
        symmetric = stored.quant is not None and not any(stored.quant.zero_point)
        can_stay = stored.dtype == "float16" or (stored.dtype == "int8" and symmetric and all(uses))
        self.dequantized.add(index)
        if can_stay and index not in self.file.outputs:
            self.stored[index] = stored
            return
        assert stored.data is not None
        self.draft.constant(output, real_values(stored, stored.data))

    def has_real_weights(self, file_op: FileOperator) -> bool:
        """Whether its weights are int8 behind a DEQUANTIZE, so that there is nothing hybrid about it."""
        return any(_is_weights(file_op, i) and at in self.dequantized for i, at in enumerate(file_op.inputs))


def _is_weights(file_op: FileOperator, index: int) -> bool:
    """Whether the input at that position is the weights of a linear operator."""
    operator = _BY_BUILTIN.get(file_op.builtin)
    rule = None if operator is None else operator.quant_rule.weights
    return rule is not None and rule.index == index


def _name(tensor: Tensor | None) -> str:
    assert tensor is not None
    return tensor.name


def _unsupported_operator(name: str, file_op: FileOperator) -> Problem:
    supported = ", ".join(sorted(_SUPPORTED))
    if file_op.builtin == "CUSTOM":
        flex = file_op.custom_name.startswith("Flex")
        hint = "convert without SELECT_TF_OPS" if flex else "an operator of TFLite itself"
        return Problem("custom operators are not supported", name, file_op.custom_name, hint)
    hint = _OPERATOR_HINTS.get(file_op.builtin, f"one of {supported}")
    return Problem("the operator must be a supported one", name, file_op.builtin, hint)


def _tensor_problem(name: str, tensor: FileTensor) -> Problem | None:
    if tensor.type_name not in _TYPES:
        hint = _TYPE_HINTS.get(tensor.type_name, f"one of {', '.join(_TYPES)}")
        return Problem("the type must be a supported one", name, tensor.type_name, hint)
    if tensor.is_sparse:
        return Problem("tensors must be dense", name, "sparsity", "convert without EXPERIMENTAL_SPARSITY")
    if tensor.type_name == "FLOAT16" and tensor.data is None:
        return Problem("what is computed must not be float16", name, "FLOAT16", "float32 activations")
    if tensor.is_variable:
        return Problem("tensors that keep state are not supported", name, "variable", "a model without state")
    return None


def _constant(name: str, tensor: FileTensor, dtype: str) -> np.ndarray:
    """The buffer as an array (a view of the file)."""
    assert tensor.data is not None
    wanted = math.prod(tensor.shape) * np.dtype(dtype).itemsize
    if len(tensor.data) != wanted:
        raise InvalidModelError(
            "a constant's buffer must have the size of its shape",
            layer=name,
            value=f"{len(tensor.data)} bytes for shape {tensor.shape} of {dtype}",
            hint="export the model again",
        )
    array = np.frombuffer(tensor.data, np.dtype(dtype).newbyteorder("<")).reshape(tensor.shape)
    if dtype in ("float32", "float16") and not np.isfinite(array).all():
        raise InvalidModelError(
            "weights must be finite",
            layer=name,
            value="NaN or infinity",
            hint="train with a lower learning rate",
        )
    return array


def _quant(
    name: str, shape: tuple[int, ...], dtype: str, quantization: FileQuantization | None
) -> QuantParams | None:
    if quantization is None or dtype not in ("int8", "uint8", "int16", "int32", "int64"):
        return None
    scale, zero_point, axis = quantization.scale, quantization.zero_point, quantization.axis
    if zero_point.size <= 1:
        zero_point = np.broadcast_to(zero_point if zero_point.size else np.int64(0), scale.shape)
    if len(shape) == 1:
        axis = 0  # published models carry the weights' axis on their biases; TFLM runs them
    low, high = _ZERO_POINTS.get(dtype, (0, 0))
    holds = {
        "a scale must be positive and finite": np.isfinite(scale).all() and (scale > 0).all(),
        f"a zero_point must be in [{low}, {high}]": (zero_point >= low).all() and (zero_point <= high).all(),
        "there must be one scale, or one per index of an axis": scale.size == 1
        or (0 <= axis < len(shape) and scale.size == shape[axis]),
        "there must be a zero_point for every scale": scale.size == zero_point.size,
    }
    for rule, held in holds.items():
        if not held:
            value = f"scale {scale[:4]}, zero_point {zero_point[:4]}, axis {axis}, shape {shape}"
            raise InvalidModelError(rule, layer=name, value=value, hint="quantize the model again")
    scales, zero_points = (tuple(values.tolist()) for values in (scale.astype(np.float64), zero_point))
    return QuantParams(scales, zero_points, None if scale.size == 1 else axis)
