"""The affine primitives: quantize, dequantize and fake quantization, equal to TensorFlow's bit for bit.

The formulas are those of TensorFlow's documentation of tf.quantization.quantize, .dequantize and
.fake_quant_with_min_max_*, computed in float32 in the order in which TensorFlow's CPU kernels compute
them; quantize_affine and dequantize_affine are those of the LiteRT 8-bit quantization specification.
All take arrays of any shape, keep that shape, and need numpy alone.

TensorFlow flushes subnormal numbers to 0, numpy does not: ranges and steps below 1.2e-38 may differ.
"""

from mcu_quant.affine.fake_quantization import (
    fake_quant_with_min_max_args,
    fake_quant_with_min_max_vars,
    fake_quant_with_min_max_vars_per_channel,
)
from mcu_quant.affine.litert import dequantize_affine, quantize_affine
from mcu_quant.affine.operands import QTYPES
from mcu_quant.affine.quantization import MODES, ROUND_MODES, Quantized, dequantize, quantize

__all__ = [
    "MODES",
    "QTYPES",
    "ROUND_MODES",
    "Quantized",
    "dequantize",
    "dequantize_affine",
    "fake_quant_with_min_max_args",
    "fake_quant_with_min_max_vars",
    "fake_quant_with_min_max_vars_per_channel",
    "quantize",
    "quantize_affine",
]
