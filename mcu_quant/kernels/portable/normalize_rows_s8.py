"""Layer normalization of int8 rows, with all that is int16 inside."""

from __future__ import annotations

from mcu_quant.kernels.portable.normalize_rows import NormalizeRows, narrow_params
from mcu_quant.ops.normalize_rows import NormalizeRowsAttrs


class NormalizeRowsS8(NormalizeRows):
    name = "normalize_rows_s8"

    def more(self, attrs: NormalizeRowsAttrs) -> dict[str, int]:
        return narrow_params(attrs)


KERNEL = NormalizeRowsS8()
