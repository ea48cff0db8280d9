"""Plain C padding of up to four axes."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Kernel, KernelCall
from mcu_quant.ops.pad import border_value

_AXES = 4


class PadS8(Kernel):
    name = "pad_s8"
    ops = ("pad",)

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        missing = _AXES - len(x.shape)
        params: dict[str, int | float | tuple[int, ...]] = {
            "input_size": (1,) * missing + x.shape,
            "before": (0,) * missing + tuple(before for before, _ in node.attrs.paddings),
            "output_size": (1,) * missing + y.shape,
            "value": border_value(node),
        }
        return KernelCall(params, (Activation(x.name), Activation(y.name)))


KERNEL = PadS8()
