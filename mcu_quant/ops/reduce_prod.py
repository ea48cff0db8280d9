"""reduce_prod: the product of all elements along some of the axes."""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import INT32_MAX, quantize_multiplier, requantize_int64
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint, QuantRule, to_output, type_limits
from mcu_quant.ops.reduction import FEW_RUNS, Reduction, element_count


class ReduceProd(Reduction):
    """The bits are LiteRT's (reference/reduce.h, QuantizedReduceProd): TFLM has no such operator."""

    name = "reduce_prod"
    tflite_builtins = ("REDUCE_PROD",)
    oracles = MappingProxyType({"int8": "LiteRT", "int16": "LiteRT"})
    quantized_in_float = True
    quant_rule = QuantRule()
    constraints = (
        FEW_RUNS,
        Constraint(
            "scale(input) / scale(output)**(1 / count) must be above 2**-31 and below 2**7",
            lambda node: 2.0**-31 < factor_scale(node) < 2.0**7,
            lambda node: factor_scale(node),
            "calibrate with representative data",
        ),
        Constraint(
            "products must fit int32 whatever the factors are",
            lambda node: largest_product(node) <= INT32_MAX,
            lambda node: f"{element_count(node)} factors",
            "fewer factors, or float32",
        ),
    )

    def meaning(self, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        return np.asarray(x.prod(axis=axes, dtype=np.float32))

    def integer(self, node: BoundNode, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        """Rescaled behind each factor, in the order of the elements. ARITHMETIC section 20."""
        count, (multiplier, shift) = element_count(node), prod_multiplier(node)
        factors = x.astype(np.int64) - node.input(0).zero_point
        kept = tuple(size for axis, size in enumerate(x.shape) if axis not in axes)
        factors = np.moveaxis(factors, axes, range(len(axes))).reshape(count, *kept)
        product = factors[0]
        for factor in factors[1:]:
            product = requantize_int64(product * factor, multiplier, shift)
        return to_output(requantize_int64(product, multiplier, shift) + node.output.zero_point, node.output)


def factor_scale(node: BoundNode) -> float:
    """What each factor is scaled by: the count-th root of what all are."""
    return float(node.input(0).scale / node.output.scale ** (1.0 / element_count(node)))


def largest_product(node: BoundNode) -> float:
    """The largest magnitude between two factors; infinite where no double holds it."""
    (low, high), zero_point = type_limits(node.input(0)), node.input(0).zero_point
    factor = float(max(high - zero_point, zero_point - low))
    log_growth = max(math.log(factor * factor_scale(node)), 0.0)
    exponent = math.log(factor) + (element_count(node) - 1) * log_growth
    return math.exp(exponent) if exponent < 700.0 else math.inf


def prod_multiplier(node: BoundNode) -> tuple[int, int]:
    return quantize_multiplier(factor_scale(node))


OPERATOR = ReduceProd()
