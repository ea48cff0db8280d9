"""Bias correction: the mean of each output channel is that of the float model again.

Rounded weights and clipped inputs shift the mean of a channel's sums; the bias takes the shift back. Measured
on the calibration samples, layer after layer, each with the corrected layers before it.
Source: M. Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction (2019),
section 4.2 and appendix D (the empirical form).
"""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.linear import LinearOperator
from mcu_quant.ops.windows import sample_chunks


def bias_shift(
    node: BoundNode, x: np.ndarray, x_quantized: np.ndarray, weights_quantized: np.ndarray
) -> np.ndarray:
    """float64 [output channels]: what the bias of a float linear node must gain.

    x, x_quantized: float32 [N, *input shape], as in the float and, dequantized, in the quantized model.
    weights_quantized: the quantized weights' real values, in the node's layout.
    """
    operator, weights = OPERATORS[node.node.op], node.input(1).data
    assert isinstance(operator, LinearOperator) and weights is not None
    total = np.zeros(node.output.shape[-1])
    for part in sample_chunks(len(x), operator.temporary_elements(node)):
        shift = operator.sums(node, x[part], weights)
        shift = shift - operator.sums(node, x_quantized[part], weights_quantized.astype(np.float32))
        total += shift.reshape(-1, len(total)).sum(axis=0, dtype=np.float64)
    return total / (len(x) * node.output.elements // len(total))
