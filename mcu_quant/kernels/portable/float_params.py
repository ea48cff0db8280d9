"""What kernels of float layers share: bounds of activations, weights and biases as tables."""

from __future__ import annotations

import math

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Constant, Core
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import CLAMPS
from mcu_quant.ops.storage import real_values

#: MQ_WEIGHTS_… of mq_float_weights.h.
STORAGES = ("float32", "float16", "int8")


def float_bounds(activation: str) -> Params:
    """activation_min and activation_max of a fused activation, infinite where there is none."""
    low, high = CLAMPS[activation]
    return {
        "activation_min": -math.inf if low is None else low,
        "activation_max": math.inf if high is None else high,
    }


def storage_of_weights(node: BoundNode) -> int:
    return STORAGES.index(node.input(1).dtype)


def float_tables(node: BoundNode) -> tuple[Constant, Constant, Constant]:
    """weights as they are stored; for each output channel, as float32: scale (any where unused) and bias."""
    weights, channels = node.input(1), node.output.shape[-1]
    assert weights.data is not None
    bias = np.zeros(channels, np.float32)
    if (tensor := node.optional_input(2)) is not None and tensor.data is not None:
        bias = real_values(tensor, tensor.data)
    stored = weights.data.view(np.uint16) if weights.dtype == "float16" else weights.data
    if weights.quant is None:
        return Constant("weights", stored), Constant("bias", bias), Constant("bias", bias)
    return Constant("weights", stored), Constant("scale", channel_scales(node)), Constant("bias", bias)


def channel_scales(node: BoundNode) -> np.ndarray:
    """float32 [output channels]: the scales of int8 weights."""
    weights = node.input(1)
    assert weights.quant is not None
    scales = np.asarray(weights.quant.scale, np.float32)
    return np.ascontiguousarray(np.broadcast_to(scales, node.output.shape[-1:]))


#: Modelled cycles of a product and of an output, by storage: with an FPU; and where the compiler's library
#: adds and multiplies. Fitted to counts of instructions on Cortex-M4 and M0+.
_WITH_FPU = {"float32": 4.0, "float16": 6.0, "int8": 6.0}
_WITHOUT = {"float32": 150.0, "float16": 160.0, "int8": 190.0}


def float_linear_cycles(node: BoundNode, core: Core) -> float:
    return float_product_cycles(node, core, node.input(1).dtype)


def float_product_cycles(node: BoundNode, core: Core, storage: str) -> float:
    """Of sums of products with weights that are stored so."""
    products = _WITH_FPU if "-mfloat-abi=hard" in core.gcc_flags else _WITHOUT
    product = products[storage]
    return product * OPERATORS[node.node.op].macs(node) + 5 * product * node.output.elements
