"""Plain C float svdf."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.float_params import STORAGES, float_bounds, float_product_cycles
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.storage import real_values
from mcu_quant.ops.svdf import BIAS, FEATURE, TIME, X


class SvdfF32(Kernel):
    name = "svdf_f32"
    ops = ("svdf",)
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        x, feature, time = (node.input(index) for index in (X, FEATURE, TIME))
        params: Params = {
            "rows": x.shape[0],
            "input_size": feature.shape[1],
            "units": node.output.shape[1],
            "rank": node.attrs.rank,
            "memory": time.shape[1],
            "feature_storage": STORAGES.index(feature.dtype),
            "time_storage": STORAGES.index(time.dtype),
            "feature_scale": 1.0 if feature.quant is None else feature.scale,
            "time_scale": 1.0 if time.quant is None else time.scale,
            **float_bounds(node.attrs.activation),
        }
        arguments = (
            Activation(x.name),
            _stored("feature", feature),
            _stored("time", time),
            Constant("bias", _bias(node)),
            Activation(node.output.name),
            Activation(node.outputs[1].name),
        )
        return KernelCall(params, arguments)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return float_product_cycles(node, core, node.input(FEATURE).dtype)


def _stored(label: str, weights: Tensor) -> Constant:
    """Halves as their bits."""
    assert weights.data is not None
    return Constant(label, weights.data.view(np.uint16) if weights.dtype == "float16" else weights.data)


def _bias(node: BoundNode) -> np.ndarray:
    """float32 [units], 0 where there is none."""
    bias = node.optional_input(BIAS)
    if bias is None or bias.data is None:
        return np.zeros(node.output.shape[1], np.float32)
    return real_values(bias, bias.data)


KERNEL = SvdfF32()
