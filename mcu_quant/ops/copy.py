"""copy: the same bytes in another place. Made for a deployment; no file has it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Shape
from mcu_quant.ops.mover import Mover, Path


class Copy(Mover):
    """Input: x, of any shape and type, or a constant. Output: its bytes."""

    name = "copy"
    is_internal = True

    def output_shapes(self, attrs: None, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        return (input_shapes[0],)

    def path(self, attrs: None, shape: Shape) -> Path:
        return Path(0, (math.prod(shape),), (1,))

    def moved(self, attrs: None, x: np.ndarray) -> np.ndarray:
        return x

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        """A constant has no sample axis: it is the one sample of a run."""
        (x,) = inputs
        assert x is not None
        return (x.reshape(-1, *node.output.shape),)


COPY = OPERATOR = Copy()
