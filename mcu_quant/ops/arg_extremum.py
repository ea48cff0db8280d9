"""What arg_max and arg_min share: where along an axis the extreme is, as int32 or int64."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import Operator, QuantRule, Shape, TfliteForm, TfliteNode

#: TensorType of schema.fbs.
_TYPE_CODES = {"int32": 2, "int64": 4}


@dataclass(frozen=True)
class ArgAttrs:
    """axis: not negative. dtype: of the output, int32 or int64."""

    axis: int
    dtype: str = "int32"


class ArgExtremum(Operator):
    """Input: x. The axis is not in the output. Of equal values the first counts; NaN only if it is first."""

    attrs_type = ArgAttrs
    float_is_exact = True
    plain_types = MappingProxyType({None: ("int32", "int64")})
    plain_form = ("bool", "int32")
    absent_forms = MappingProxyType({"int16": "TFLM and LiteRT have none"})
    oracles = MappingProxyType({"plain": "LiteRT"})
    quant_rule = QuantRule(output="raw")
    #: The options' type in schema.fbs.
    options_type: ClassVar[str]

    @abstractmethod
    def index(self, x: np.ndarray, axis: int) -> np.ndarray:
        """x: without NaN."""

    #: What NaN counts as.
    lowest: ClassVar[float]

    def output_shapes(self, attrs: ArgAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (shape,) = input_shapes
        return ((*shape[: attrs.axis], *shape[attrs.axis + 1 :]),)

    def output_type(self, attrs: ArgAttrs, input_types: Sequence[str | None]) -> str:
        return attrs.dtype

    def from_tflite(self, node: TfliteNode) -> tuple[ArgAttrs, tuple[Tensor | None, ...]]:
        x, axis = node.inputs[0], node.constant(1)
        if x is None or axis is None:
            problem = Problem("the axis must be constant", node.name, hint="a fixed axis in the model")
            raise UnsupportedModelError([problem])
        rank = len(x.shape)
        if axis.size != 1 or not -rank <= int(axis.item()) < rank:
            raise InvalidModelError(
                "the axis must be one of the input's", layer=node.name, value=axis.tolist()
            )
        return ArgAttrs(int(axis.item()) % rank, node.outputs[0].dtype), (x,)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        options = {"OutputType": _TYPE_CODES[node.output.dtype]}
        axis = np.array(node.attrs.axis, np.int32)
        return TfliteForm(self.tflite_builtins[0], 2, self.options_type, options, (axis,))

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        axis = node.attrs.axis + 1
        found = self.index(np.where(np.isnan(x), np.float32(self.lowest), x), axis)
        return (np.where(np.isnan(x.take(0, axis)), 0, found).astype(node.output.dtype),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (self.index(x, node.attrs.axis + 1).astype(node.output.dtype),)
