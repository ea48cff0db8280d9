"""Plain C padding of up to four axes."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.pad import border_value
from mcu_quant.ops.storage import real_values

_AXES = 4


class PadS8(Kernel):
    name = "pad_s8"
    ops = ("pad",)
    forms = ("int8", "int16", "float", "plain")

    def refusal(self, node: BoundNode) -> str | None:
        if node.output.dtype == "int64" and border_value(node) not in (0, -1):
            return "a border of int64 must be 0 or -1"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        input_size, before, output_size = zip(*_axes(node), strict=True)
        params: Params = {
            "input_size": input_size,
            "before": before,
            "output_size": output_size,
        }
        params |= _border(node)
        return KernelCall(params, (Activation(x.name), Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """Every row of the output ends, at the latest, where the input's row for it begins.

        The last row decides: rows of the output are longer than the input's, and there are more of them.
        """
        *outer, (row, _, output_row) = _axes(node)
        last, rows = 0, 1
        for size, before, output_size in outer:
            last = last * output_size + before + size - 1
            rows *= size
        return ((last + 1) * output_row - (rows - 1) * row, *(None for _ in node.inputs[1:]))


def _border(node: BoundNode) -> Params:
    """value_bytes and value: one byte where all bytes of the border's element are the same."""
    element = _border_element(node)
    value, raw = element.view(f"i{element.itemsize}").item(), element.tobytes()
    if len(set(raw)) == 1:
        return {"value_bytes": 1, "value": value if len(raw) == 1 else raw[0]}
    return {"value_bytes": len(raw), "value": value}


def _border_element(node: BoundNode) -> np.ndarray:
    """The border's one element, of the output's type."""
    if form_of(node) != "float":
        return np.array(border_value(node), node.output.dtype)
    value = node.optional_input(1)
    if value is None or value.data is None:
        return np.zeros((), np.float32)
    return real_values(value, value.data).reshape(())


def _axes(node: BoundNode) -> list[tuple[int, int, int]]:
    """(input's size, padding before it, output's size) of four axes, outermost first; the last in bytes.

    Axes without padding are one with the axis before them, so that rows are long.
    """
    axes = [(1, 0, 1)]
    sizes = zip(node.input(0).shape, node.attrs.paddings, node.output.shape, strict=True)
    for size, (before, after), output_size in sizes:
        if before == after == 0:
            inner, inner_before, inner_output = axes[-1]
            axes[-1] = (inner * size, inner_before * size, inner_output * size)
        else:
            axes.append((size, before, output_size))
    width = node.output.bytes // node.output.elements
    size, before, output_size = axes[-1]
    axes[-1] = (size * width, before * width, output_size * width)
    return [(1, 0, 1)] * (_AXES - len(axes)) + axes[-_AXES:]


KERNEL = PadS8()
