"""Products of int8 matrices that are widened to int16 once, zero_points taken off: all columns of the second
operand, in scratch, and each row of the first. Then every word is two factors of SMLAD (Cortex-M4, M7, M33).
"""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, KernelCall, Scratch
from mcu_quant.kernels.portable.batch_matmul_s8 import BatchMatmulS8
from mcu_quant.ops.batch_matmul import sizes

#: Columns at once; those that are missing in the last block are computed, too, and not stored.
_COLUMNS = 4
#: The zero_point is added so many bits up, beside the upper word of a product.
_LARGEST_SHIFT = 22
#: Cycles of an output, of a word for a block of columns, of a block, of a row, and of a factor of either
#: operand that is widened; where the compiler optimizes for size, it takes longer.
_OUTPUT, _WORD, _BLOCK, _ROW, _WIDENED_A, _WIDENED_B = 11.0, 15.5, 28.0, 60.0, 4.0, 8.0
_FOR_SIZE = 1.35


class BatchMatmulPairsS8Dsp(BatchMatmulS8):
    name = "batch_matmul_pairs_s8_dsp"
    family = "dsp"

    def refusal(self, node: BoundNode) -> str | None:
        _, depth, _ = sizes(node)
        if depth < 4:
            return "sums must be of four products or more"
        if 2 * depth * 255**2 >= 2**31 or not -_LARGEST_SHIFT <= _shift(super().call(node)) < 0:
            return "sums must be shifted to the right, and not too far"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        call = super().call(node)
        params = dict(call.params)
        params["right"] = -_shift(call)
        del params["shift"]
        return replace(call, params=params, arguments=(*call.arguments[:2], Scratch(), call.arguments[2]))

    def scratch_bytes(self, node: BoundNode) -> int:
        _, depth, columns = sizes(node)
        return 4 * _words(depth) * (1 + _padded(columns))

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        rows, depth, columns = sizes(node)
        count = node.output.elements // columns
        blocks, words = _padded(columns) // _COLUMNS, _words(depth)
        before = _WIDENED_B * depth * columns * (count // rows)
        loops = count * (_ROW + _WIDENED_A * depth + blocks * (_BLOCK + _WORD * words) + _OUTPUT * columns)
        return (before + loops) * (_FOR_SIZE if optimize == "size" else 1.0)


def _shift(call: KernelCall) -> int:
    shift = call.params["shift"]
    assert isinstance(shift, int)
    return shift


def _words(depth: int) -> int:
    """Of two factors each, whole pairs of words."""
    return -(-depth // 4) * 2


def _padded(columns: int) -> int:
    return -(-columns // _COLUMNS) * _COLUMNS


KERNEL = BatchMatmulPairsS8Dsp()
