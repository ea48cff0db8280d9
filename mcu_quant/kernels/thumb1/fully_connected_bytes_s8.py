"""Fully connected on thumb-1 with weights of a byte each: two outputs share each product."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.thumb1.byte_rows import OUTPUTS, byte_row_function, byte_weights, unrolled_taps
from mcu_quant.kernels.thumb1.requantize import Form, form_of


class FullyConnectedBytesS8(Kernel):
    name = "fully_connected_bytes_s8"
    family = "thumb1"
    ops = ("fully_connected",)
    modes = ("balanced", "size")

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(1).shape[0] % OUTPUTS:
            return f"units must be a multiple of {OUTPUTS}"
        form = form_of(node)
        if form is None or len(form.exact):
            return "every unit must have a proven short requantization"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        form = _form(node)
        units, in_size = node.input(1).shape
        params = {
            "rows": node.input(0).elements // in_size,
            "input_size": in_size,
            "output_size": units,
            **form.params(),
        }
        arguments = (
            Activation(node.input(0).name),
            Constant("weights", byte_weights(_weights(node), form.constants)),
            byte_row_function(form, in_size),
            Scratch(),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        return 4 * node.input(1).shape[1]

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """A row is read before its outputs are written."""
        units, in_size = node.input(1).shape
        rows = node.input(0).elements // in_size
        least = max([0, *(row * (units - in_size) for row in range(1, rows))])
        return (least, *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        form = _form(node)
        units, in_size = node.input(1).shape
        quad = 15 * in_size + 5 * in_size / unrolled_taps(in_size) + 80 + 12 * (form.digits - 2)
        rows = node.input(0).elements // in_size
        return rows * (units / OUTPUTS * quad + 10 * in_size + 60)


def _form(node: BoundNode) -> Form:
    form = form_of(node)
    assert form is not None, node.name
    return form


def _weights(node: BoundNode) -> IntArray:
    weights = node.input(1).data
    assert weights is not None
    return weights.astype(np.int64)


KERNEL = FullyConnectedBytesS8()
