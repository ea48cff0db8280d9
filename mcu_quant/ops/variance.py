"""variance: the mean of squared differences from the mean, over some of the axes.

Float only, and written as several operators (quantize/compositions.py), as layer_normalization is:
the squares of int8 numbers have too few bits where rows differ much.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import INTEGER_FORMS, Operator, Shape
from mcu_quant.ops.reduction import FEW_RUNS, ReductionAttrs, reduced_shape, sample_axes


class Variance(Operator):
    """Input: x, of any rank."""

    name = "variance"
    attrs_type = ReductionAttrs
    is_composition = True
    absent_forms = MappingProxyType(dict.fromkeys(INTEGER_FORMS, "float32 between converters"))
    constraints = (FEW_RUNS,)

    def output_shapes(self, attrs: ReductionAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        return (reduced_shape(attrs, input_shapes[0]),)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        y = x.var(axis=sample_axes(node), dtype=np.float32)
        return (y.reshape(len(x), *node.output.shape),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        raise AssertionError(f"{node.name}: variance has no integer form")


OPERATOR = Variance()
