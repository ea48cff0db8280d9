"""simple_rnn: h' = tanh(W x + b + V h + c), Keras's SimpleRNN. A custom operator: TFLM has none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.custom_options import read_options
from mcu_quant.ops.gates import gate_tanh
from mcu_quant.ops.recurrent import VERSION, Recurrent, RecurrentOperator, all_inputs

_ALL = slice(None)


@dataclass(frozen=True)
class SimpleRnnAttrs:
    """sequences: see RecurrentOperator."""

    sequences: bool = True


class SimpleRnn(RecurrentOperator):
    """RecurrentOperator with one sum for each unit."""

    name = "simple_rnn"
    gates = 1
    tflite_custom = "MCU_QUANT_SIMPLE_RNN"
    attrs_type = SimpleRnnAttrs

    def from_tflite(self, node: TfliteNode) -> tuple[SimpleRnnAttrs, tuple[Tensor | None, ...]]:
        read_options(node, VERSION, ())
        return SimpleRnnAttrs(), all_inputs(node)

    def float_step(
        self, node: BoundNode, sums: np.ndarray, h: np.ndarray, recurrent: Recurrent
    ) -> np.ndarray:
        return np.tanh(sums + recurrent(h, _ALL))

    def integer_step(self, node: BoundNode, sums: IntArray, h: IntArray, recurrent: Recurrent) -> IntArray:
        return gate_tanh(sums + recurrent(h, _ALL))


OPERATOR = SimpleRnn()
