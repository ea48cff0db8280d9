"""Plain C float LSTM: the sums of a unit's four gates at once."""

from __future__ import annotations

import math

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.float_params import STORAGES, float_product_cycles
from mcu_quant.kernels.portable.lstm import biases, lstm_overlap, outputs, size_params, weight_tables
from mcu_quant.ops.unidirectional_sequence_lstm import GATES, RECURRENT_WEIGHTS, WEIGHTS


class LstmF32(Kernel):
    name = "lstm_f32"
    ops = ("unidirectional_sequence_lstm",)
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        clip = node.attrs.cell_clip
        params = size_params(node) | {
            "storage": STORAGES.index(node.input(WEIGHTS).dtype),
            "cell_clip": clip if clip > 0 else math.inf,
        }
        arguments = (
            Activation(node.input(0).name),
            *weight_tables(node),
            Constant("scale", _scales(node)),
            Constant("bias", biases(node).astype(np.float32)),
            *outputs(node),
        )
        return KernelCall(params, arguments)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return lstm_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        functions = (700.0 if "-mfloat-abi=hard" in core.gcc_flags else 6000.0) * node.output.elements
        return float_product_cycles(node, core, node.input(WEIGHTS).dtype) + functions


def _scales(node: BoundNode) -> np.ndarray:
    """float32 [8]: of int8 weights and recurrent weights, gate by gate; 1 where they have none."""
    tensors = [node.input(first + gate) for first in (WEIGHTS, RECURRENT_WEIGHTS) for gate in range(GATES)]
    return np.array([1.0 if t.quant is None else t.scale for t in tensors], np.float32)


KERNEL = LstmF32()
