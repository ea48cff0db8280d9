"""What the kernels of layer normalization share: its steps' parameters, from the nodes that they are."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import requantize
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.portable.loop_costs import is_thumb1
from mcu_quant.ops.add import left_shift, sum_multipliers
from mcu_quant.ops.mean import mean_multiplier
from mcu_quant.ops.mul import product_multiplier
from mcu_quant.ops.normalization_chain import Chain
from mcu_quant.ops.normalize_rows import NORMALIZE_ROWS, NormalizeRowsAttrs, row_size, widening_shift
from mcu_quant.ops.rsqrt import root_multiplier
from mcu_quant.ops.unary import rescale_multiplier

#: Cycles of an element and of a row, with fast long multiplication and without.
_COSTS = {False: (75.0, 450.0), True: (260.0, 1500.0)}
#: 15 bits up in twice the common scale: what sums and differences come in.
_SUM_LEFT = 14
#: What leaves every int16 as it is: a factor, and how far a product with it is shifted to the right.
_ONE = 1 << 8


class NormalizeRows(Kernel):
    """gamma, beta: tables that change nothing where there are no such."""

    ops = (NORMALIZE_ROWS.name,)

    def call(self, node: BoundNode) -> KernelCall:
        attrs: NormalizeRowsAttrs = node.attrs
        chain, size = attrs.chain, row_size(attrs.chain)
        params = {"rows": node.output.elements // size, "size": size}
        params |= _centre_params(attrs) | _root_params(chain) | _output_params(chain) | self.more(attrs)
        tables = Constant("gamma", _gamma(chain, size)), Constant("beta", _beta(chain, size))
        x, y = Activation(node.input(0).name), Activation(node.output.name)
        return KernelCall(params, (x, *tables, Scratch(), y))

    def more(self, attrs: NormalizeRowsAttrs) -> dict[str, int]:
        """The parameters that the common ones are followed by."""
        return {}

    def scratch_bytes(self, node: BoundNode) -> int:
        return 2 * row_size(node.attrs.chain)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place: a row is read whole before it is written."""
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        element, row = _COSTS[is_thumb1(core)]
        return element * node.output.elements + row * (node.output.elements // row_size(node.attrs.chain))


def _gamma(chain: Chain, size: int) -> np.ndarray:
    data = np.full(size, _ONE, np.int16) if chain.scaled is None else chain.scaled.input(1).data
    assert data is not None
    return data.reshape(-1)


def _beta(chain: Chain, size: int) -> np.ndarray:
    data = np.zeros(size, np.int16) if chain.shifted is None else chain.shifted.input(1).data
    assert data is not None
    return data.reshape(-1)


def _centre_params(attrs: NormalizeRowsAttrs) -> dict[str, int]:
    """From an element, its zero_point and its row's mean taken off, to the centre."""
    chain, converters = attrs.chain, attrs.converters
    mean, left = (0, 0), _SUM_LEFT
    multiplier, shift = 1 << 30, 1 - _SUM_LEFT  # as it is
    if chain.mean is not None and chain.centered is not None:
        mean = mean_multiplier(chain.mean)
        multiplier, shift = sum_multipliers(chain.centered).output
    elif converters is not None:
        multiplier, shift = rescale_multiplier(converters[0])
        left, shift = max(shift, 0), min(shift, 0)
    return {
        "mean_multiplier": mean[0],
        "mean_shift": mean[1],
        "centre_left": left,
        "centre_multiplier": multiplier,
        "centre_right": -shift,
        "square_right": 1 - product_multiplier(chain.squares)[1],
    }


def _root_params(chain: Chain) -> dict[str, int]:
    """From the sum of squares to the inverse of the deviation."""
    sums, variance, root = sum_multipliers(chain.bounded), mean_multiplier(chain.variance), chain.inverse
    epsilon = chain.bounded.input(1).data
    assert epsilon is not None
    scaled = requantize(epsilon.reshape(1).astype(np.int64) << left_shift(chain.bounded), *sums.second)
    return {
        "variance_multiplier": variance[0],
        "variance_shift": variance[1],
        "operand_multiplier": sums.first[0],
        "operand_shift": sums.first[1],
        "epsilon": int(scaled[0]),
        "bounded_multiplier": sums.output[0],
        "bounded_shift": sums.output[1],
        "root_multiplier": root_multiplier(root)[0],
        "root_shift": root_multiplier(root)[1],
    }


def _output_params(chain: Chain) -> dict[str, int]:
    """From the centre to int16."""
    scaled, shifted = chain.scaled, chain.shifted
    multiplier, shift = (1 << 30, 1 - _SUM_LEFT) if shifted is None else sum_multipliers(shifted).output
    return {
        "normalized_right": 1 - product_multiplier(chain.normalized)[1],
        "scaled_right": _ONE.bit_length() - 1 if scaled is None else 1 - product_multiplier(scaled)[1],
        "shifted_multiplier": multiplier,
        "shifted_right": -shift,
    }


def narrow_params(attrs: NormalizeRowsAttrs) -> dict[str, int]:
    """Of what is int8 on both sides."""
    assert attrs.converters is not None
    first, last = attrs.converters
    multiplier, shift = rescale_multiplier(last)
    centered = attrs.chain.mean is not None
    return {
        "zero_point": first.input(0).zero_point,
        "left": (widening_shift(first) or 0) if centered else 0,
        "output_multiplier": multiplier,
        "output_right": -shift,
        "output_zero_point": last.output.zero_point,
    }
