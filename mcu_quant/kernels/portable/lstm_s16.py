"""Plain C LSTM of int16: sums in 32 bits where they fit, else in 64."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import INT32_MAX
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.linear_s16 import as_words
from mcu_quant.kernels.portable.loop_costs import is_thumb1
from mcu_quant.kernels.portable.lstm import (
    SIGMOID,
    biases,
    interleaved,
    lstm_overlap,
    outputs,
    scale_params,
    size_params,
    weight_tables,
)
from mcu_quant.kernels.portable.lstm_s8 import lstm_cycles
from mcu_quant.ops.unidirectional_sequence_lstm import RECURRENT_WEIGHTS, WEIGHTS

#: The largest |int16|.
_LARGEST = 2**15


class LstmS16(Kernel):
    name = "lstm_s16"
    ops = ("unidirectional_sequence_lstm",)
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        bias = biases(node)
        words = as_words(bias)
        params = size_params(node) | {"narrow": int(is_narrow(node)), "bias_words": words.size // bias.size}
        arguments = (
            Activation(node.input(0).name),
            *weight_tables(node),
            Constant("bias", words),
            SIGMOID,
            *outputs(node),
        )
        return KernelCall(params | scale_params(node), arguments)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return lstm_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return lstm_cycles(node, *((2000, 40) if is_thumb1(core) else (900, 19)))


def is_narrow(node: BoundNode) -> bool:
    """Whether no sum, the bias apart, leaves int32."""
    sums = (
        np.abs(interleaved(node, first).astype(np.int64)).sum(axis=2).max()
        for first in (WEIGHTS, RECURRENT_WEIGHTS)
    )
    return bool(max(sums) * _LARGEST <= INT32_MAX)


KERNEL = LstmS16()
