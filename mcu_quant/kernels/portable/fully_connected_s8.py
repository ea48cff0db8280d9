"""Plain C fully connected: one dot product per output, zero_point folded into the bias."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Kernel, KernelCall
from mcu_quant.kernels.portable.linear import folded_bias, requantization_tables
from mcu_quant.ops.base import activation_range


class FullyConnectedS8(Kernel):
    name = "fully_connected_s8"
    ops = ("fully_connected",)

    def call(self, node: BoundNode) -> KernelCall:
        x, weights = node.input(0), node.input(1)
        assert weights.data is not None
        units, in_size = weights.shape
        activation_min, activation_max = activation_range(node.attrs.activation, node.output)
        params = {
            "rows": x.elements // in_size,
            "input_size": in_size,
            "output_size": units,
            "output_zero_point": node.output.zero_point,
            "activation_min": activation_min,
            "activation_max": activation_max,
        }
        bias = folded_bias(node, weights.data.reshape(units, in_size))
        arguments = (
            Activation(x.name),
            Constant("weights", weights.data),
            bias,
            *requantization_tables(node),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)


KERNEL = FullyConnectedS8()
