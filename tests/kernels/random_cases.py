"""Random cases for any kernel: what all families' makers draw for its operators, made harder, if it takes it.

The makers are gathered by operator, so that a kernel of any family, a new one too, gets the shapes that
were thought of for the others.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import Kernel
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.forms import form_of
from tests.kernels.armv7m import cases as armv7m
from tests.kernels.dsp import (
    channel_cases,
    linear_cases,
    lstm_cases,
    normalization_cases,
    product_cases,
    recurrent_cases,
    weightless_cases,
)
from tests.kernels.mve import cases as mve
from tests.kernels.thumb1 import cases as thumb1
from tests.ops.driver import Case
from tests.ops.int16 import as_int16

Maker = Callable[[np.random.Generator, str], Case]

#: The kernels of the cores' own families: each has assembly, inline or in functions of its own.
#: Not the hybrid ones: makers draw quantized activations; their functions are those of the int16 kernels.
#: And not those that change a state in place: tests/ops and the hunter run them step after step. Layers that
#: begin every run anew have none.
_ANEW = ("gru", "simple_rnn", "unidirectional_sequence_lstm")
FAST_KERNELS = tuple(
    kernel
    for kernel in KERNELS
    if kernel.family != "portable"
    and not {"float", "hybrid"} & {*kernel.forms}
    and not any(OPERATORS[op].state_inputs for op in kernel.ops if op not in _ANEW)
)
#: Bytes of constants and of activations that most cases have at most; one in eight may have more.
_CONSTANT_BYTES, _ACTIVATION_BYTES = 5_000, 4_000
_DRAWS_PER_CASE = 60
#: Of int16 activations, one of three an int32.
BIASES = ("int64", "int64", "int32")


def _indexed(maker: Callable[[int], Case]) -> Maker:
    """A maker that takes a number."""

    def make(rng: np.random.Generator, name: str) -> Case:
        return replace(maker(int(rng.integers(1 << 31))), name=name)

    return make


_BINARY = _indexed(weightless_cases.random_binary)
_SUMS = (armv7m.random_sum, thumb1.random_sum, mve.addition, _indexed(channel_cases.random_sum), _BINARY)
MAKERS: dict[str, tuple[Maker, ...]] = {
    "conv_2d": (
        armv7m.convolution,
        armv7m.pointwise,
        thumb1.convolution,
        thumb1.pointwise,
        mve.pointwise,
        mve.spatial,
        mve.narrow,
        mve.whole_window,
        _indexed(linear_cases.random_convolution),
        _indexed(linear_cases.random_winograd),
    ),
    "depthwise_conv_2d": (
        armv7m.depthwise,
        armv7m.line,
        thumb1.depthwise,
        thumb1.one_channel,
        mve.depthwise,
        mve.one_axis,
        mve.one_channel,
        _indexed(channel_cases.random_depthwise),
        _indexed(channel_cases.random_dilated),
        _indexed(channel_cases.random_large_filter),
    ),
    "fully_connected": (
        armv7m.fully_connected,
        thumb1.fully_connected,
        mve.fully_connected,
        _indexed(linear_cases.random_fully_connected),
    ),
    "add": _SUMS,
    "sub": _SUMS,
    "mul": (_BINARY, mve.product),
    "quantize": (_indexed(weightless_cases.random_quantize),),
    "max_pool_2d": (mve.max_pool, _indexed(weightless_cases.random_max_pool)),
    "average_pool_2d": (mve.average_pool, _indexed(channel_cases.random_pool)),
    "mean": (_indexed(channel_cases.random_mean),),
    "transpose_conv": (_indexed(product_cases.random_transposed),),
    "batch_matmul": (_indexed(product_cases.random_product),),
    "unidirectional_sequence_lstm": (lstm_cases.random_lstm,),
    "gru": (recurrent_cases.random_gru,),
    "simple_rnn": (recurrent_cases.random_simple_rnn,),
    "normalize_rows": (_indexed(normalization_cases.random_normalization),),
}


def kernel_named(name: str) -> Kernel:
    return next(kernel for kernel in KERNELS if kernel.name == name)


def random_cases(
    kernel: Kernel,
    seed: int,
    count: int,
    *,
    most_bytes: int = 1 << 20,
    change: Callable[[np.random.Generator, Case], Case] | None = None,
) -> Iterator[Case]:
    """`count` cases that the kernel takes, each with one random input beside the extremes.

    most_bytes: of inputs, outputs and scratch together. change: what is done to each; makes it harder
    if not given. Fails if hardly any case is taken.
    """
    change = harder if change is None else change
    makers = tuple(dict.fromkeys(maker for op in kernel.ops for maker in MAKERS[op]))
    taken = 0
    for index in range(_DRAWS_PER_CASE * (count + 10)):
        if taken == count:
            return
        rng = np.random.default_rng([seed, zlib.crc32(kernel.name.encode()), index])
        name = f"{kernel.name}_{seed}_{index}"
        case = replace(makers[index % len(makers)](rng, name), samples=1)
        if case.op not in kernel.ops:
            continue
        case = change(rng, case)
        if "int16" in kernel.forms:
            case = as_int16(case, bias=str(rng.choice(BIASES)))
        if form_of(case.node()) not in kernel.forms:
            continue
        if not (_is_small(case) or rng.random() < 0.125):
            continue
        node = case.node()
        if kernel.refusal(node) is None and bytes_needed(kernel, case) <= most_bytes:
            taken += 1
            yield case
    assert taken == count, f"{kernel.name} refuses nearly everything that is drawn for {kernel.ops}"


def bytes_needed(kernel: Kernel, case: Case) -> int:
    node = case.node()
    return _activation_bytes(case) + kernel.scratch_bytes(node)


def _activation_bytes(case: Case) -> int:
    return sum(t.bytes for t in case.graph().tensors.values() if not t.is_constant)


def _is_small(case: Case) -> bool:
    constants = sum(t.bytes for t in case.inputs if t is not None and t.is_constant)
    return constants <= _CONSTANT_BYTES and _activation_bytes(case) <= _ACTIVATION_BYTES


def harder(rng: np.random.Generator, case: Case) -> Case:
    """Now and then: zero_points at the ends, outputs that saturate, all weights alike, sums that wrap."""
    if OPERATORS[case.op].quant_rule.products:  # their makers draw what is hard
        return case
    if rng.random() < 0.15:
        case = _with_zero_points(case, rng)
    x, *constants = case.inputs
    if not constants or constants[0] is None or not constants[0].is_constant:
        return case
    if rng.random() < 0.1:
        quant = case.output_quant
        case = replace(case, output_quant=QuantParams.per_tensor(quant.scale[0] / 40, quant.zero_point[0]))
    weights = _harder_weights(rng, constants[0])
    bias = [_harder_bias(rng, b) for b in constants[1:]]
    return replace(case, inputs=(x, weights, *bias))


def _with_zero_points(case: Case, rng: np.random.Generator) -> Case:
    """Of int8 activations -128 or 127. Pools keep the output's quantization equal to the input's."""
    if any(tensor is not None and tensor.dtype == "float32" for tensor in case.inputs):
        return case

    def end() -> int:
        return int(rng.choice([-128, 127]))

    inputs = []
    for tensor in case.inputs:
        if tensor is not None and not tensor.is_constant:
            tensor = replace(tensor, quant=QuantParams.per_tensor(tensor.scale, end()))
        inputs.append(tensor)
    first = inputs[0]
    assert first is not None and first.quant is not None
    is_pool = case.op in ("average_pool_2d", "max_pool_2d")
    output = first.quant if is_pool else QuantParams.per_tensor(case.output_quant.scale[0], end())
    return replace(case, inputs=tuple(inputs), output_quant=output)


def _harder_weights(rng: np.random.Generator, weights: Tensor) -> Tensor:
    assert weights.data is not None
    kind = rng.random()
    if kind < 0.06:
        data = np.full(weights.shape, -128)
    elif kind < 0.12:
        data = rng.choice([-128, 127], weights.shape)
    elif kind < 0.16:
        data = np.where(rng.random(weights.shape) < 0.9, 0, weights.data)
    else:
        return weights
    return replace(weights, data=data.astype(np.int8))


def _harder_bias(rng: np.random.Generator, bias: Tensor | None) -> Tensor | None:
    """Sometimes near the ends of int32, where sums wrap, or where they only just do not."""
    if bias is None or rng.random() > 0.08:
        return bias
    most = int(rng.choice([1 << 20, 1 << 24, (1 << 31) - 1]))
    data = rng.integers(-most, most, bias.shape, endpoint=True).astype(np.int32)
    return replace(bias, data=data)
