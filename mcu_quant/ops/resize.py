"""What resizing operators share: images of another height and width. ARITHMETIC section 18."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import SAME_SCALE, Constraint, Operator, QuantRule, Shape, TfliteForm, TfliteNode
from mcu_quant.ops.forms import FORMS

#: The kernels' tables of rows and columns have two bytes for each.
_MAX_SIZE = 2**16 - 1


@dataclass(frozen=True)
class ResizeAttrs:
    """height, width: of the output.

    half_pixel_centers: pixels are squares whose centres are compared, as in Keras and TensorFlow 2.
    align_corners: the centres of the corner pixels stay where they are. At most one of the two.
    """

    height: int
    width: int
    align_corners: bool = False
    half_pixel_centers: bool = False


class ResizeOperator(Operator):
    """Input: x [N, H, W, C]."""

    attrs_type = ResizeAttrs
    quant_rule = QuantRule(output="same")
    constraints: ClassVar[tuple[Constraint, ...]] = (
        SAME_SCALE,
        Constraint(
            "align_corners and half_pixel_centers exclude each other",
            lambda node: not (node.attrs.align_corners and node.attrs.half_pixel_centers),
            lambda node: "both",
            "half_pixel_centers alone",
            forms=FORMS,
        ),
        Constraint(
            f"height and width must be at most {_MAX_SIZE}",
            lambda node: max(*node.input(0).shape[1:3], *node.output.shape[1:3]) <= _MAX_SIZE,
            lambda node: f"{node.input(0).shape} to {node.output.shape}",
            "smaller images",
            forms=FORMS,
        ),
    )

    @abstractmethod
    def resized(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        """[M, H, W, C] to [M, height, width, C]: float32 by its meaning, integers by their bits."""

    def output_shapes(self, attrs: ResizeAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        batch, _, _, channels = input_shapes[0]
        return ((batch, attrs.height, attrs.width, channels),)

    def from_tflite(self, node: TfliteNode) -> tuple[ResizeAttrs, tuple[Tensor | None, ...]]:
        size = node.constant(1)
        if size is None:
            problem = Problem("the new size must be constant", node.name, hint="a fixed shape in the model")
            raise UnsupportedModelError([problem])
        if size.shape != (2,) or (size < 1).any():
            raise InvalidModelError(
                "the new size must be two positive numbers", layer=node.name, value=size.tolist()
            )
        corners, centers = (bool(node.option(name)) for name in ("AlignCorners", "HalfPixelCenters"))
        return ResizeAttrs(int(size[0]), int(size[1]), corners, centers), node.inputs[:1]

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        attrs: ResizeAttrs = node.attrs
        (builtin,) = self.tflite_builtins
        options = {"AlignCorners": attrs.align_corners, "HalfPixelCenters": attrs.half_pixel_centers}
        type_name = "".join(part.capitalize() for part in builtin.split("_")) + "Options"
        size = np.array([attrs.height, attrs.width], np.int32)
        return TfliteForm(builtin, 3, type_name, options, (size,))

    def is_monotone(self, node: BoundNode) -> bool:
        return True

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        return np.arange(node.output.shape[-1])

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        y = self.resized(node, x.reshape(-1, *x.shape[2:]))
        return (y.reshape(len(x), *node.output.shape),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return self.run_float(node, inputs)


def spatial_sizes(node: BoundNode) -> tuple[tuple[int, int], tuple[int, int]]:
    """(input's size, output's size) of height and of width."""
    (_, height, width, _), (_, out_height, out_width, _) = node.input(0).shape, node.output.shape
    return (height, out_height), (width, out_width)


def float_scale(attrs: ResizeAttrs, size: int, out_size: int) -> np.float32:
    """Input pixels for each output pixel: one float32 division."""
    if attrs.align_corners and out_size > 1:
        return np.float32(size - 1) / np.float32(out_size - 1)
    return np.float32(size) / np.float32(out_size)
