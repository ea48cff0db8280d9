"""What the kernels of gru and simple_rnn share: parameters, tables of both products, scratch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from mcu_quant.fixed_point import INT32_MAX, IntArray, reduced_multiplier
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.kernels.base import Activation, Argument, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.portable.linear_s16 import as_words
from mcu_quant.kernels.portable.loop_costs import is_thumb1
from mcu_quant.kernels.portable.lstm import SIGMOID
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.linear import widest
from mcu_quant.ops.recurrent import (
    HIDDEN,
    RECURRENT_WEIGHTS,
    X,
    gate_multipliers,
    output_multiplier,
    products,
    units_of,
)

#: (cycles of a product, of a row) by --optimize mode.
Costs = Mapping[str, tuple[float, float]]
#: Of both products, what their tables' labels begin with.
LABELS = ("", "recurrent_")

#: Of kernels for the DSP extension.
DSP_COSTS: Costs = {"time": (1.9, 176.0), "balanced": (2.5, 197.0), "size": (2.7, 229.0)}


class RecurrentKernel(Kernel):
    """Goes through the steps one after the other; the hidden state is changed in place.

    scratch_per_unit: bytes, by operator.
    """

    scratch_per_unit: ClassVar[int]

    def call(self, node: BoundNode) -> KernelCall:
        units = units_of(node)
        steps, input_size = node.input(X).shape[1:]
        params: Params = {
            "steps": steps,
            "input_size": input_size,
            "units": units,
            "output_step": units if node.attrs.sequences else 0,
            "starts_anew": int(node.optional_input(HIDDEN) is None),
            **self.form_params(node),
        }
        if node.node.op == "gru":
            params["reset_after"] = int(node.attrs.reset_after)
        arguments = (
            Activation(node.input(X).name),
            *self.tables(node),
            Scratch(),
            Activation(node.outputs[1].name),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    @abstractmethod
    def form_params(self, node: BoundNode) -> Params:
        """The parameters that the form adds."""

    @abstractmethod
    def tables(self, node: BoundNode) -> tuple[Argument, ...]:
        """What the form reads of flash."""

    def scratch_bytes(self, node: BoundNode) -> int:
        return self.scratch_per_unit * units_of(node)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """When a step's row of the output is written, that row of the input has been read, and no more."""
        if not node.attrs.sequences:
            return (None,) * len(node.inputs)
        steps = node.input(X).shape[1]
        growth = (node.output.bytes - node.input(X).bytes) // steps
        return (max(growth, steps * growth), *(None for _ in node.inputs[1:]))


class RecurrentS8(RecurrentKernel):
    """The zero_points are folded into the biases."""

    #: Modelled cycles of a product, and of a row of both sums and what becomes of it, by mode. Fitted to
    #: layers of 8 to 40 inputs and 8 to 32 units, profiled.
    costs: ClassVar[Costs] = {"time": (4.5, 176.0), "balanced": (5.0, 197.0), "size": (6.0, 229.0)}
    thumb1_costs: ClassVar[Costs] = {"time": (7.8, 344.0), "balanced": (6.6, 397.0), "size": (10.3, 473.0)}

    def form_params(self, node: BoundNode) -> Params:
        multiplier, shift = output_multiplier(node)
        zero_point = node.output.zero_point
        return {"output_multiplier": multiplier, "output_shift": shift, "output_zero_point": zero_point}

    def tables(self, node: BoundNode) -> tuple[Argument, ...]:
        parts = [
            _product_tables(label, x, weights, _folded_bias(x, weights, bias))
            for label, (x, weights, bias) in zip(LABELS, products(node), strict=True)
        ]
        return (*parts[0], *parts[1], SIGMOID)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self.cycles_in(node, core, "balanced")

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        product, row = (self.thumb1_costs if is_thumb1(core) else self.costs)[optimize]
        rows = node.input(X).shape[1] * node.input(RECURRENT_WEIGHTS).shape[0]
        return product * OPERATORS[node.node.op].macs(node) + row * rows


class RecurrentS16(RecurrentKernel):
    forms = ("int16",)

    def form_params(self, node: BoundNode) -> Params:
        multiplier, shift = output_multiplier(node)
        params: Params = {"output_multiplier": multiplier, "output_shift": shift}
        for label, (x, weights, bias) in zip(LABELS, products(node), strict=True):
            words = as_words(_bias(weights, bias))
            params[f"{label}bias_words"] = len(words) // len(_rows(weights))
            params[f"{label}narrow"] = int(_is_narrow(x, weights))
        return params

    def tables(self, node: BoundNode) -> tuple[Argument, ...]:
        parts = [
            _product_tables(label, x, weights, as_words(_bias(weights, bias)))
            for label, (x, weights, bias) in zip(LABELS, products(node), strict=True)
        ]
        return (*parts[0], *parts[1], SIGMOID)

    def cycles(self, node: BoundNode, core: Core) -> float:
        """Not fitted: there is one kernel for each such node."""
        sums = node.input(X).shape[1] * node.input(RECURRENT_WEIGHTS).shape[0]
        return 10.0 * OPERATORS[node.node.op].macs(node) + 80.0 * sums


def _rows(weights: Tensor) -> IntArray:
    assert weights.data is not None
    return weights.data.astype(np.int64)


def _bias(weights: Tensor, bias: Tensor | None) -> IntArray:
    """int64 [rows]."""
    if bias is None or bias.data is None:
        return np.zeros(weights.shape[0], np.int64)
    return bias.data.astype(np.int64)


def _folded_bias(x: Tensor, weights: Tensor, bias: Tensor | None) -> np.ndarray:
    """int32 [rows]: with what the zero_point of x adds to each sum, modulo 2**32."""
    return (_bias(weights, bias) - x.zero_point * _rows(weights).sum(axis=1)).astype(np.int32)


def _is_narrow(x: Tensor, weights: Tensor) -> bool:
    """Whether no sum of products leaves int32."""
    return bool(np.abs(_rows(weights)).sum(axis=1).max() * widest(x.zero_point, x.dtype) <= INT32_MAX)


def _product_tables(label: str, x: Tensor, weights: Tensor, bias: np.ndarray) -> tuple[Constant, ...]:
    """weights, bias, and for each row: multiplier int32, shift int8."""
    assert weights.data is not None
    multiplier, shift = gate_multipliers(x, weights)
    if x.dtype == "int16":
        multiplier = reduced_multiplier(multiplier)
    return (
        Constant(f"{label}weights", weights.data),
        Constant(f"{label}bias", bias),
        Constant(f"{label}multiplier", multiplier.astype(np.int32)),
        Constant(f"{label}shift", shift.astype(np.int8)),
    )
