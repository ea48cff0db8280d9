"""Plain C square of a difference."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import in_place, walk_params
from mcu_quant.ops.base import type_limits
from mcu_quant.ops.squared_difference import difference_multipliers


class SquaredDifferenceS8(Kernel):
    name = "squared_difference_s8"
    ops = ("squared_difference",)

    def call(self, node: BoundNode) -> KernelCall:
        tensors = (node.input(0), node.input(1), node.output)
        params = walk_params(node, ("first", "second"))
        for tensor, (label, scaled) in zip(
            tensors, difference_multipliers(node)._asdict().items(), strict=True
        ):
            if tensor.dtype == "int8":
                params[f"{label}_zero_point"] = tensor.zero_point
            params[f"{label}_multiplier"], params[f"{label}_shift"] = scaled
        low, high = type_limits(node.output)
        params |= {"activation_min": low, "activation_max": high}
        return KernelCall(params, tuple(Activation(tensor.name) for tensor in tensors))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 60.0 * node.output.elements


KERNEL = SquaredDifferenceS8()
