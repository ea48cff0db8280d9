"""Keras's activation functions that are several operators, as their float meaning (keras/src/activations).

Each is a function of one tensor, so in an int8 model it ends as one table. Functions that have an operator
of their own, or a fused form, use it; the others are made of operators without an integer form where that is
possible, so that nothing is rounded before the table is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.gelu import GeluAttrs
from mcu_quant.ops.keras import LayerRefused
from mcu_quant.ops.leaky_relu import LeakyReluAttrs
from mcu_quant.ops.logistic import LogisticAttrs
from mcu_quant.ops.relu import ReluAttrs
from mcu_quant.ops.relu6 import Relu6Attrs
from mcu_quant.ops.tanh import TanhAttrs

if TYPE_CHECKING:
    from mcu_quant.ops.keras import GraphBuilder

#: Of selu.
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805
_ARITHMETIC = ("add", "sub", "mul")
_ATTRIBUTES: Mapping[str, Any] = {
    **dict.fromkeys(_ARITHMETIC, ArithmeticAttrs()),
    "logistic": LogisticAttrs(),
    "tanh": TanhAttrs(),
    "relu": ReluAttrs(),
    "relu6": Relu6Attrs(),
}


@dataclass
class Composition:
    """Nodes for one activation. name: of the last node; parts are NAME/op, numbered where that repeats."""

    builder: GraphBuilder
    name: str
    parameters: Mapping[str, Any]

    def number(self, key: str, default: float, *, positive: bool = False) -> float:
        """A parameter. Raises LayerRefused unless it is a finite number."""
        value = self.parameters.get(key, default)
        if isinstance(value, Mapping):  # a NumPy number, as Keras 3 stores it
            value = value.get("config", value).get("value")
        array = np.asarray(value, np.float64)
        if array.size != 1 or not np.isfinite(array).all() or (positive and array.reshape(()) <= 0):
            rule = f"{key} must be one {'positive' if positive else 'finite'} number"
            raise LayerRefused(rule, value=value)
        return float(array.reshape(()))

    def part(self, op: str, *operands: str | float, attrs: Any = None) -> str:
        """A node; numbers among the operands are constants."""
        return self._node(f"{self.name}/{op}", op, operands, attrs)

    def last(self, op: str, *operands: str | float, attrs: Any = None) -> str:
        """The node that has the activation's name."""
        return self._node(self.name, op, operands, attrs)

    def _node(self, name: str, op: str, operands: tuple[str | float, ...], attrs: Any) -> str:
        inputs = [self._constant(name, x) if isinstance(x, float) else x for x in operands]
        return self.builder.add(op, name, _ATTRIBUTES.get(op) if attrs is None else attrs, inputs)

    def _constant(self, name: str, value: float) -> str:
        return self.builder.constant(f"{name}/constant", np.full(1, value, np.float32))


Lowering = Callable[[Composition, str], str]


def _single(op: str, attrs: Any = None) -> Lowering:
    return lambda c, x: c.last(op, x, attrs=attrs)


def _exponential_unit(c: Composition, x: str, alpha: float, width: float, scale: float) -> str:
    """scale * (max(x, 0) + alpha * (exp(min(x, 0) / width) - 1))"""
    below = c.part("minimum", x, 0.0)
    below = below if width == 1.0 else c.part("mul", below, 1.0 / width)
    below = c.part("sub", c.part("exp", below), 1.0)
    below = below if alpha * scale == 1.0 else c.part("mul", below, alpha * scale)
    above = c.part("relu", x)
    above = above if scale == 1.0 else c.part("mul", above, scale)
    return c.last("add", above, below)


def _elu(c: Composition, x: str) -> str:
    alpha = c.number("alpha", 1.0)
    return c.last("elu", x) if alpha == 1.0 else _exponential_unit(c, x, alpha, 1.0, 1.0)


def _celu(c: Composition, x: str) -> str:
    alpha = c.number("alpha", 1.0, positive=True)
    return _exponential_unit(c, x, alpha, alpha, 1.0)


def _selu(c: Composition, x: str) -> str:
    return _exponential_unit(c, x, _SELU_ALPHA, 1.0, _SELU_SCALE)


def _gelu(c: Composition, x: str) -> str:
    return c.last("gelu", x, attrs=GeluAttrs(bool(c.parameters.get("approximate", False))))


def _silu(c: Composition, x: str) -> str:
    return c.last("mul", x, c.part("logistic", x))


def _hard_sigmoid(c: Composition, x: str) -> str:
    """relu6(x + 3) / 6; of Keras 2 min(max(0.2 * x + 0.5, 0), 1)."""
    if c.builder.keras < 3:
        return _line(c, x, 0.2)
    return c.last("mul", c.part("relu6", c.part("add", x, 3.0)), 1.0 / 6.0)


def _line(c: Composition, x: str, slope: float) -> str:
    """min(max(slope * x + 1/2, 0), 1)"""
    line = c.part("add", c.part("mul", x, slope), 0.5)
    return c.last("maximum", c.part("minimum", line, 1.0), 0.0)


def _log_of_one_plus_exp(c: Composition, x: str) -> str:
    """log(1 + exp(-|x|)), which never overflows."""
    return c.part("log", c.part("add", c.part("exp", c.part("neg", c.part("abs", x))), 1.0))


def _softplus(c: Composition, x: str) -> str:
    return c.last("add", c.part("relu", x), _log_of_one_plus_exp(c, x))


def _log_sigmoid(c: Composition, x: str) -> str:
    return c.last("sub", c.part("minimum", x, 0.0), _log_of_one_plus_exp(c, x))


def _mish(c: Composition, x: str) -> str:
    softplus = c.part("add", c.part("relu", x), _log_of_one_plus_exp(c, x))
    return c.last("mul", x, c.part("tanh", softplus))


def _softsign(c: Composition, x: str) -> str:
    """x / (1 + |x|)"""
    divisor = c.part("add", c.part("abs", x), 1.0)
    return c.last("mul", x, c.part("rsqrt", c.part("square", divisor)))


def _tanh_shrink(c: Composition, x: str) -> str:
    return c.last("sub", x, c.part("tanh", x))


def _hard_shrink(c: Composition, x: str) -> str:
    threshold = c.number("threshold", 0.5)
    outside = c.part("greater", c.part("square", x), threshold * threshold)
    return c.last("select_v2", outside, x, 0.0)


def _soft_shrink(c: Composition, x: str) -> str:
    """max(x - t, 0) - max(-x - t, 0)"""
    threshold = c.number("threshold", 0.5)
    above = c.part("relu", c.part("sub", x, threshold))
    below = c.part("relu", c.part("sub", c.part("neg", x), threshold))
    return c.last("sub", above, below)


def _squareplus(c: Composition, x: str) -> str:
    """(x + sqrt(x^2 + b)) / 2"""
    root = c.part("sqrt", c.part("add", c.part("square", x), c.number("b", 4.0)))
    return c.last("mul", c.part("add", x, root), 0.5)


def _sparse_plus(c: Composition, x: str) -> str:
    """max(x - 1, 0) + (min(max(x + 1, 0), 2) / 2)^2"""
    middle = c.part("minimum", c.part("relu", c.part("add", x, 1.0)), 2.0)
    square = c.part("square", c.part("mul", middle, 0.5))
    return c.last("add", c.part("relu", c.part("sub", x, 1.0)), square)


def _threshold(c: Composition, x: str) -> str:
    above = c.part("greater", x, c.number("threshold", 0.0))
    return c.last("select_v2", above, x, c.number("default_value", 0.0))


def _leaky_relu(c: Composition, x: str) -> str:
    slope = float(np.float32(c.number("negative_slope", 0.2)))
    return c.last("leaky_relu", x, attrs=LeakyReluAttrs(slope))


#: By the names that Keras knows them by.
COMPOSITIONS: Mapping[str, Lowering] = {
    "celu": _celu,
    "elu": _elu,
    "exponential": _single("exp"),
    "gelu": _gelu,
    "hard_shrink": _hard_shrink,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _single("hard_swish"),
    "hard_swish": _single("hard_swish"),
    "hard_tanh": _single("relu_n1_to_1"),
    "leaky_relu": _leaky_relu,
    "log_sigmoid": _log_sigmoid,
    "mish": _mish,
    "selu": _selu,
    "silu": _silu,
    "soft_shrink": _soft_shrink,
    "softplus": _softplus,
    "softsign": _softsign,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": lambda c, x: _line(c, x, 0.5),
    "squareplus": _squareplus,
    "swish": _silu,
    "tanh_shrink": _tanh_shrink,
    "threshold": _threshold,
}
