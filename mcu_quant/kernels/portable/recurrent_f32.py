"""What the kernels of float gru and simple_rnn share."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.kernels.base import Argument, Constant, Core
from mcu_quant.kernels.portable.float_params import STORAGES, float_product_cycles
from mcu_quant.kernels.portable.recurrent import LABELS, RecurrentKernel
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.recurrent import INPUT_WEIGHTS, RECURRENT_WEIGHTS, products
from mcu_quant.ops.storage import real_values


class RecurrentF32(RecurrentKernel):
    forms = ("float",)

    def form_params(self, node: BoundNode) -> Params:
        return {
            "storage": STORAGES.index(node.input(INPUT_WEIGHTS).dtype),
            "recurrent_storage": STORAGES.index(node.input(RECURRENT_WEIGHTS).dtype),
        }

    def tables(self, node: BoundNode) -> tuple[Argument, ...]:
        parts = zip(LABELS, products(node), strict=True)
        return tuple(
            table for label, (_, weights, bias) in parts for table in _product_tables(label, weights, bias)
        )

    def cycles(self, node: BoundNode, core: Core) -> float:
        return float_product_cycles(node, core, node.input(RECURRENT_WEIGHTS).dtype)


def _product_tables(label: str, weights: Tensor, bias: Tensor | None) -> tuple[Constant, ...]:
    """weights as they are stored; for each row, as float32: scale (any where unused) and bias."""
    assert weights.data is not None
    rows = weights.shape[0]
    values = np.zeros(rows, np.float32)
    if bias is not None and bias.data is not None:
        values = real_values(bias, bias.data)
    stored = weights.data.view(np.uint16) if weights.dtype == "float16" else weights.data
    constants = Constant(f"{label}weights", stored), Constant(f"{label}bias", values)
    if weights.quant is None:
        return (constants[0], constants[1], constants[1])
    scales = np.broadcast_to(np.asarray(weights.quant.scale, np.float32), (rows,))
    return (constants[0], Constant(f"{label}scale", np.ascontiguousarray(scales)), constants[1])
