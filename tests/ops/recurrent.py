"""Cases of gru and simple_rnn: random weights, hard scales, sequences of random and of extreme values."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.recurrent import HIDDEN_QUANT, RecurrentOperator
from tests.ops.driver import Case, activation

ORACLE = "CUSTOM_OPERATORS.md"


def recurrent_case(
    name: str,
    op: str,
    attrs: Any,
    sizes: tuple[int, int, int] = (6, 5, 7),
    *,
    x: tuple[float, int] = (0.02, 3),
    y: tuple[float, int] = (1 / 120, -5),
    weights: tuple[float, float] = (0.5, 0.4),
    per_channel: bool = True,
    biases: str = "both",
    keeps_state: bool = False,
    fill: int | None = None,
    float_steps: float = 1.0,
    samples: int = 4,
) -> Case:
    """sizes: steps, values of a step, units. weights: the largest real ones, of the input and recurrent.

    biases: "both", "input" or "none". keeps_state: the hidden state lives from run to run.
    fill: the one value of all weights, else random ones.
    """
    steps, columns, units = sizes
    operator = OPERATORS[op]
    assert isinstance(operator, RecurrentOperator)
    rows = operator.gates * units
    rng = np.random.default_rng(zlib.crc32(f"{op} {name}".encode()) + 1)
    inputs: list[Tensor | None] = [activation("x", (1, steps, columns), *x)]
    for label, size, largest in zip(("weights", "recurrent"), (columns, units), weights, strict=True):
        values = np.full((rows, size), fill) if fill is not None else rng.integers(-127, 128, (rows, size))
        scales = rng.uniform(0.3, 1.0, rows) * largest / 127
        quant = QuantParams.per_channel(scales, 0) if per_channel else QuantParams.per_tensor(largest / 127)
        inputs.append(Tensor.constant(label, values.astype(np.int8), quant))
    for index, scale in ((1, x[0]), (2, y[0])):
        weight = inputs[index]
        assert weight is not None and weight.quant is not None
        units_of_bias = [scale * s for s in weight.quant.scale]
        quant = (
            QuantParams.per_channel(units_of_bias, 0)
            if per_channel
            else QuantParams.per_tensor(units_of_bias[0])
        )
        values = np.clip(np.round(rng.normal(0, 0.3, rows) / np.array(units_of_bias)), -(2**24), 2**24)
        there = biases == "both" or (biases == "input" and index == 1)
        inputs.append(Tensor.constant(f"bias_{index}", values.astype(np.int32), quant) if there else None)
    before = Tensor("before", (1, units), "int16", HIDDEN_QUANT)
    inputs.append(before if keeps_state else None)
    after = Tensor("h", (1, units), "int16", HIDDEN_QUANT)
    output = QuantParams.per_tensor(*y)
    return Case(
        name,
        op,
        attrs,
        tuple(inputs),
        output,
        samples=samples,
        float_steps=float_steps,
        oracle=ORACLE,
        states=(after,),
    )
