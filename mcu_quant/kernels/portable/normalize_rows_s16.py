"""Layer normalization of int16 rows."""

from __future__ import annotations

from mcu_quant.kernels.portable.normalize_rows import NormalizeRows


class NormalizeRowsS16(NormalizeRows):
    name = "normalize_rows_s16"
    forms = ("int16",)


KERNEL = NormalizeRowsS16()
