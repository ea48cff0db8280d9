"""One table of 256 bytes for every operator that, here, is a function of one int8 or uint8 value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.unary import BYTES


class LookupS8(Kernel):
    name = "lookup_s8"
    ops = tuple(
        name
        for name, operator in OPERATORS.items()
        if operator.is_elementwise and "int8" not in operator.absent_forms
    )

    def refusal(self, node: BoundNode) -> str | None:
        variable = [tensor for tensor in node.inputs if tensor is not None and not tensor.is_constant]
        constants = [tensor for tensor in node.inputs if tensor is not None and tensor.is_constant]
        if len(variable) != 1 or any(tensor.elements != 1 for tensor in constants):
            return "one input must vary, and all others be constants of one element"
        if variable[0].dtype not in ("int8", "uint8") or node.output.dtype not in ("int8", "uint8", "bool"):
            return "input and output must be one byte each"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        x = node.input(_variable(node))
        table = Constant("table", lookup_table(node).view(np.uint8))
        return KernelCall({"size": x.elements}, (Activation(x.name), table, Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return tuple(0 if index == _variable(node) else None for index in range(len(node.inputs)))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 5.0 * node.output.elements


def lookup_table(node: BoundNode) -> np.ndarray:
    """The reference's output for each of the 256 bytes, of the output's dtype."""
    index = _variable(node)
    x = node.input(index)
    inputs = tuple(_as_scalar(tensor) for tensor in node.inputs)
    scalar = replace(node, inputs=inputs, outputs=(replace(node.output, shape=(1,)),))
    arrays = [None if tensor is None else tensor.data for tensor in inputs]
    arrays[index] = BYTES.view(x.dtype).reshape(256, 1)
    (table,) = OPERATORS[node.node.op].run_integer(scalar, arrays)
    return np.ascontiguousarray(table.reshape(256))


def _variable(node: BoundNode) -> int:
    return next(i for i, tensor in enumerate(node.inputs) if tensor is not None and not tensor.is_constant)


def _as_scalar(tensor: Tensor | None) -> Tensor | None:
    if tensor is None:
        return None
    return replace(tensor, shape=(1,), data=None if tensor.data is None else tensor.data.reshape(1))


KERNEL = LookupS8()
