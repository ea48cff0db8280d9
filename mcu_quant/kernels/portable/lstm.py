"""What the kernels of LSTM layers share: tables with a unit's four gates side by side, scales, overlap."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import INT16_MAX, INT16_MIN, reduced_multiplier
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Argument, Constant
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.sigmoid_table import sigmoid_table
from mcu_quant.ops.unidirectional_sequence_lstm import (
    BIAS,
    GATES,
    HIDDEN,
    RECURRENT_WEIGHTS,
    WEIGHTS,
    IntegerScaling,
    Scale,
    steps_of,
)


def interleaved(node: BoundNode, first: int) -> np.ndarray:
    """Four constants [units, ...], of each gate one, as [units, 4, ...]."""
    gates = [node.input(first + gate).data for gate in range(GATES)]
    return np.stack([np.asarray(data) for data in gates], axis=1)


def size_params(node: BoundNode) -> Params:
    units, size = node.input(WEIGHTS).shape
    return {
        "steps": steps_of(node),
        "input_size": size,
        "units": units,
        "starts_anew": int(node.optional_input(HIDDEN) is None),
        "sequences": int(node.attrs.sequences),
    }


def scale_params(node: BoundNode) -> Params:
    """From input_multiplier to cell_max, in the order of the C structs."""
    scaling = IntegerScaling.of(node)
    clip = scaling.clip
    params: Params = {}
    for name, scales in (("input", scaling.input), ("recurrent", scaling.recurrent)):
        params[f"{name}_multiplier"] = tuple(_multiplier(scale, scaling.is_int64) for scale in scales)
        params[f"{name}_shift"] = tuple(shift for _, shift in scales)
    for name, (multiplier, shift) in (
        ("added", scaling.added),
        ("hidden", scaling.hidden),
        ("tanh", scaling.cell_tanh),
    ):
        params |= {f"{name}_multiplier": multiplier, f"{name}_shift": shift}
    limits = (INT16_MIN, INT16_MAX) if clip is None else (-clip, clip)
    return params | dict(zip(("cell_min", "cell_max"), limits, strict=True))


def _multiplier(scale: Scale, is_int64: bool) -> int:
    """As the sums' requantization takes it."""
    return int(reduced_multiplier(np.array(scale[0]))) if is_int64 else scale[0]


def weight_tables(node: BoundNode) -> tuple[Constant, Constant]:
    """weights [units, 4, size] and recurrent weights [units, 4, units]; halves as their bits."""
    tables = [interleaved(node, first) for first in (WEIGHTS, RECURRENT_WEIGHTS)]
    stored = [table.view(np.uint16) if table.dtype == np.float16 else table for table in tables]
    return Constant("weights", stored[0]), Constant("recurrent_weights", stored[1])


def biases(node: BoundNode) -> np.ndarray:
    """[units, 4], as they are stored."""
    return interleaved(node, BIAS)


SIGMOID = Constant("sigmoid", sigmoid_table().astype(np.uint16))


def outputs(node: BoundNode) -> tuple[Argument, ...]:
    """The output and both states, which are where they were before the run."""
    return tuple(Activation(tensor.name) for tensor in node.outputs)


def lstm_overlap(node: BoundNode) -> tuple[int | None, ...]:
    """While a step's row of the output is written, that row of the input is still read."""
    steps = steps_of(node)
    if not node.attrs.sequences:  # it is written at every step
        return (node.output.bytes, *(None for _ in node.inputs[1:]))
    row_in, row_out = node.input(0).bytes // steps, node.output.bytes // steps
    least = max((row + 1) * row_out - row * row_in for row in (0, steps - 1))
    return (least, *(None for _ in node.inputs[1:]))
