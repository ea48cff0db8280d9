"""A guard, and the one-operator models that guards are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from tests.ops.driver import Case, activation, linear_case


@dataclass(frozen=True)
class Guard:
    """kernels: the names of those that have the rule, with blanks between. rule: what the refusal says.

    outside: refused. inside: computed, and differs by no more than the rule is about. runs: `inside` is small
    enough to be computed, too.
    """

    kernels: str
    rule: str
    outside: Case
    inside: Case
    runs: bool = True


def conv(shape: Sequence[int], weights: Sequence[int], **options: Any) -> Case:
    """options: of Conv2DAttrs, and of linear_case."""
    return _linear("conv_2d", Conv2DAttrs, shape, weights, options)


def depthwise(shape: Sequence[int], weights: Sequence[int], **options: Any) -> Case:
    return _linear("depthwise_conv_2d", DepthwiseConv2DAttrs, shape, weights, options)


def fully_connected(shape: Sequence[int], weights: Sequence[int], **options: Any) -> Case:
    return _linear("fully_connected", FullyConnectedAttrs, shape, weights, options)


def _linear(
    op: str, attributes: Any, shape: Sequence[int], weights: Sequence[int], options: dict[str, Any]
) -> Case:
    names = attributes.__dataclass_fields__
    attrs = attributes(**{name: value for name, value in options.items() if name in names})
    rest = {name: value for name, value in options.items() if name not in names}
    return linear_case("guard", op, attrs, shape, weights, samples=2, **rest)


def one_ratio(ratio: float, make: Any, *sizes: Sequence[int], **options: Any) -> Case:
    """A linear operator whose accumulators are scaled by that ratio in all channels, and small."""
    return make(*sizes, per_channel=False, bias=False, scale_y=0.05 * 0.01 / ratio, **options)


def with_weights(case: Case, values: Sequence[int]) -> Case:
    """The same with those weights, over and over."""
    weights = case.inputs[1]
    assert weights is not None
    data = np.resize(np.array(values, np.int8), weights.shape)
    return replace(case, inputs=(case.inputs[0], replace(weights, data=data), *case.inputs[2:]))


def with_steep_channel(case: Case, factor: float) -> Case:
    """The same with weights of the first channel on a scale so many times as large.

    Where channels share a shift, the more is left to the others the less steep the first one is.
    """
    inputs = [case.inputs[0]]
    for tensor in case.inputs[1:]:
        assert tensor is not None and tensor.quant is not None
        first, *others = tensor.quant.scale
        quant = QuantParams.per_channel([first * factor, *others], tensor.quant.channel_axis or 0)
        inputs.append(replace(tensor, quant=quant))
    return replace(case, inputs=tuple(inputs))


def binary(
    op: str,
    shapes: Sequence[Sequence[int]],
    scales: Sequence[float] = (0.05, 0.03, 0.06),
    *,
    fused: str = "none",
    constant: bool = False,
    zero_points: Sequence[int] = (3, -8, -5),
) -> Case:
    """scales, zero_points: of both operands and the output. constant: the second operand is."""
    first, second = (
        activation(name, shape, scale, point)
        for name, shape, scale, point in zip("ab", shapes, scales, zero_points, strict=False)
    )
    if constant:
        data = np.resize(np.arange(-9, 9, dtype=np.int8), second.shape)
        second = Tensor.constant("b", data, second.quant)
    output = QuantParams.per_tensor(scales[2], zero_points[2])
    return Case("guard", op, ArithmeticAttrs(fused), (first, second), output, samples=2)
