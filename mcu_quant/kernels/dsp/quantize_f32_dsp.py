"""Quantization of float32 with an FPU: VCVT saturates, which spares comparisons (Cortex-M4, M7, M33).

trunc(2 * x) is exact, and tells how x is rounded, halves away from zero.
"""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.portable.quantize_f32 import QuantizeF32


class QuantizeF32Dsp(QuantizeF32):
    name = "quantize_f32_dsp"
    family = "dsp"

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 34.0 * node.output.elements


KERNEL = QuantizeF32Dsp()
