"""Layer normalization of int8 rows with SMMLAR and SSAT (Cortex-M4, M7, M33)."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.portable.normalize_rows import NormalizeRows, narrow_params
from mcu_quant.ops.normalize_rows import NormalizeRowsAttrs, row_size
from mcu_quant.ops.unary import rescale_multiplier

#: Cycles of an element and of a row.
_ELEMENT, _ROW = 61.0, 450.0


class NormalizeRowsS8Dsp(NormalizeRows):
    name = "normalize_rows_s8_dsp"
    family = "dsp"

    def refusal(self, node: BoundNode) -> str | None:
        attrs: NormalizeRowsAttrs = node.attrs
        assert attrs.converters is not None
        multiplier, shift = rescale_multiplier(attrs.converters[1])
        if attrs.chain.mean is None:
            return "the mean must be taken off"
        if multiplier != 1 << 30 or not -21 <= shift < 0:
            return "what leaves must be shifted to the right alone"
        return None

    def more(self, attrs: NormalizeRowsAttrs) -> dict[str, int]:
        params = narrow_params(attrs)
        del params["output_multiplier"]
        return params | {"output_right": params["output_right"] + 1}

    def cycles(self, node: BoundNode, core: Core) -> float:
        rows = node.output.elements // row_size(node.attrs.chain)
        return _ELEMENT * node.output.elements + _ROW * rows


KERNEL = NormalizeRowsS8Dsp()
