"""Cases of int8 as cases of int16: the same shapes, attributes and real ranges, zero points 0."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import FIXED_INT16
from tests.ops.driver import Case

#: int16 has so many steps where int8 has one.
FINER = 256
EVERY_INT16 = np.arange(-(2**15), 2**15, dtype=np.int16)


def as_int16(
    case: Case, *, bias: str = "int64", float_steps: float | None = None, oracle: str | None = None
) -> Case:
    """bias: the type of the bias, for operators that have one. oracle: where it is not the case's.

    The multiplier of an int64 accumulator has 15 bits, which is half a step at the end of the range: a step
    and a half from the float meaning are allowed, unless float_steps says otherwise.
    """
    rule = OPERATORS[case.op].quant_rule
    rng = np.random.default_rng(zlib.crc32(case.name.encode()) + 2)
    inputs = []
    for index, tensor in enumerate(case.inputs):
        narrow = tensor is not None and tensor.is_constant and index in rule.int8_constants
        if tensor is None or tensor.quant is None or index in rule.weights_at or narrow:
            inputs.append(tensor)
        elif index in rule.biases_at:
            inputs.append(_finer_bias(tensor, bias))
        else:
            inputs.append(tensor if tensor.dtype == "int16" else _finer(tensor, rng))
    output = FIXED_INT16 if rule.output == "fixed" else _finer_quant(case.output_quant)
    if rule.output == "same":
        output = _finer_quant(next(t.quant for t in case.inputs if t is not None and t.quant is not None))
    steps = max(case.float_steps, 1.5) if float_steps is None else float_steps
    name = f"{case.name}_int16" + ("" if bias == "int64" else f"_{bias}_bias")
    dtype = "int16" if case.output_dtype == "int8" else case.output_dtype
    data = case.data
    if data is not None and len(case.inputs) == 1 and OPERATORS[case.op].is_elementwise:
        inputs = [replace(tensor, shape=(1, EVERY_INT16.size)) for tensor in inputs if tensor is not None]
        data = (EVERY_INT16.reshape(1, 1, -1),)
    elif data is not None:
        data = tuple(x.astype(np.int16) * 257 if x.dtype == np.int8 else x for x in data)
    return replace(
        case,
        name=name,
        inputs=tuple(inputs),
        output_quant=output,
        output_dtype=dtype,
        float_steps=steps,
        data=data,
        oracle=case.oracle if oracle is None else oracle,
        states=tuple(state if state.dtype == "int16" else _finer(state, rng) for state in case.states),
    )


def _finer_quant(quant: QuantParams | None) -> QuantParams:
    assert quant is not None
    scales = tuple(float(np.float32(scale / FINER)) for scale in quant.scale)
    return QuantParams(scales, (0,) * len(scales), quant.channel_axis)


def _finer(tensor: Tensor, rng: np.random.Generator) -> Tensor:
    data = tensor.data
    if data is not None:
        data = np.where(
            np.abs(data.astype(int)) > 120, data.astype(int) * FINER, rng.integers(-32768, 32768, data.shape)
        )
        data = np.clip(data, -32768, 32767).astype(np.int16)
    return replace(tensor, dtype="int16", quant=_finer_quant(tensor.quant), data=data)


def _finer_bias(tensor: Tensor, dtype: str) -> Tensor:
    assert tensor.data is not None
    data = (tensor.data.astype(np.int64) * (FINER if dtype == "int64" else 1)).astype(dtype)
    return replace(tensor, dtype=dtype, quant=_finer_quant(tensor.quant), data=data)
