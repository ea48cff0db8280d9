"""Recurrent Keras layers: what LSTM, GRU and SimpleRNN share, as layers, in RNN, in Bidirectional.

Each cell is one node along all of time, whatever the layer's `unroll` says; dropout is of training alone.
A layer that is not stateful begins every run anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcu_quant.importers.keras_cells import CLASSES, LAYERS, Cell, Direction, directions, split_weights
from mcu_quant.importers.keras_config import Call, LayerConfig
from mcu_quant.importers.keras_functions.shapes import reverse, sliced
from mcu_quant.importers.keras_layers import HANDLERS, ImportBuilder
from mcu_quant.ops.gru import GruAttrs
from mcu_quant.ops.keras import KerasLayer, LayerRefused
from mcu_quant.ops.recurrent import HIDDEN as HIDDEN_STATE
from mcu_quant.ops.recurrent import INPUTS
from mcu_quant.ops.simple_rnn import SimpleRnnAttrs
from mcu_quant.ops.unidirectional_sequence_lstm import CELL, GATES, HIDDEN, LstmAttrs

_TIME = 1


@dataclass(frozen=True)
class CellCall:
    """A cell along a sequence. x: [1, steps, size]. stateful: its states live from run to run."""

    name: str
    cell: Cell
    weights: tuple[np.ndarray, ...]
    x: str
    stateful: bool


#: Adds a cell's nodes; returns its output at every step, [1, steps, units], and its states after the last, of
#: [1, units] each, in Keras's order. The hidden state is None where the last step's output is it.
CellHandler = Callable[[CellCall, ImportBuilder], tuple[str, Sequence[str | None]]]


def lstm(call: CellCall, builder: ImportBuilder) -> tuple[str, Sequence[str | None]]:
    """Keras has the gates in TFLite's order, side by side in each weight."""
    require_activation(call.cell.config, "activation", "tanh")
    require_activation(call.cell.config, "recurrent_activation", "sigmoid")
    units = call.cell.units
    kernel, recurrent, *rest = call.weights
    bias = rest[0] if rest else np.zeros(GATES * units, np.float32)
    parts = {"kernel": kernel.T, "recurrent_kernel": recurrent.T, "bias": bias}
    weights, recurrent_weights, biases = (
        [
            builder.constant(f"{call.name}/{part}_{gate}", rows)
            for gate, rows in enumerate(np.split(data, GATES))
        ]
        for part, data in parts.items()
    )
    states: list[str | None] = [None, None]
    if call.stateful:
        states = [builder.state(f"{call.name}/{part}", (1, units)) for part in ("hidden", "cell")]
    inputs = [call.x, *weights, *recurrent_weights, *[None] * 3, *biases, *[None] * 2, *states, *[None] * 4]
    y, hidden, cell = builder.add_all("unidirectional_sequence_lstm", call.name, LstmAttrs(), inputs)
    if call.stateful:
        for before, after in ((inputs[HIDDEN], hidden), (inputs[CELL], cell)):
            builder.keep(str(before), after)
    return y, (None, cell)


def gru(call: CellCall, builder: ImportBuilder) -> tuple[str, Sequence[str | None]]:
    """One that resets after the product has two biases, one above the other."""
    require_activation(call.cell.config, "recurrent_activation", "sigmoid")
    attrs = GruAttrs(reset_after=bool(call.cell.config.get("reset_after", True)))
    return _one_state("gru", attrs, call, builder)


def simple_rnn(call: CellCall, builder: ImportBuilder) -> tuple[str, Sequence[str | None]]:
    return _one_state("simple_rnn", SimpleRnnAttrs(), call, builder)


def _one_state(op: str, attrs: Any, call: CellCall, builder: ImportBuilder) -> tuple[str, Sequence[None]]:
    """An operator of ops/recurrent.py; Keras has its gates in the same order, side by side."""
    require_activation(call.cell.config, "activation", "tanh")
    kernel, recurrent, *bias = call.weights
    biases = np.atleast_2d(bias[0]) if bias else ()
    parts = [("kernel", kernel.T), ("recurrent_kernel", recurrent.T)]
    parts += zip(("bias", "recurrent_bias"), biases, strict=False)
    inputs: list[str | None] = [call.x, *(builder.constant(f"{call.name}/{part}", w) for part, w in parts)]
    inputs += [None] * (INPUTS - len(inputs))
    if call.stateful:
        inputs[HIDDEN_STATE] = builder.state(f"{call.name}/hidden", (1, call.cell.units))
    y, hidden = builder.add_all(op, call.name, attrs, inputs)
    if call.stateful:
        builder.keep(str(inputs[HIDDEN_STATE]), hidden)
    return y, (None,)


#: Every kind of cell that can be read. A new one is its function and a line here.
CELLS: dict[str, CellHandler] = {"LSTM": lstm, "GRU": gru, "SimpleRNN": simple_rnn}


def recurrent(layer: KerasLayer, inputs: Sequence[str], builder: ImportBuilder) -> list[str]:
    """The layer's output, then, if it returns them, its states."""
    if len(inputs) > 1:
        raise initial_state(f"{len(inputs) - 1} tensors")
    (x,) = inputs
    shape = builder.shape(x)
    if len(shape) != 3:
        raise LayerRefused("the input must be [steps, size]", value=list(shape[1:]), hint="layers.Reshape")
    ways = directions(layer.class_name, layer.config)
    weights = split_weights(layer.class_name, layer.config, shape[2], layer.weights)
    for way in ways:
        _require_plain(way)
    if layer.class_name != "Bidirectional":
        sequence, states = _run(layer.name, ways[0], weights[0], x, builder)
        return [_returned(layer.name, ways[0], sequence, builder), *states]
    return _both(layer, ways, weights, x, builder)


def _both(
    layer: KerasLayer,
    ways: Sequence[Direction],
    weights: Sequence[tuple[tuple[np.ndarray, ...], ...]],
    x: str,
    builder: ImportBuilder,
) -> list[str]:
    """Bidirectional: what the backward layer gives is turned round again, and both are merged."""
    outputs, states = [], []
    for part, way, own in zip(("forward", "backward"), ways, weights, strict=True):
        name = f"{layer.name}/{part}"
        sequence, after = _run(name, way, own, x, builder)
        y = _returned(name, way, sequence, builder)
        if part == "backward" and way.config.get("return_sequences"):
            y = reverse(builder, f"{name}/in_order", y, [_TIME])
        outputs.append(y)
        states += after
    return [*_merged(layer, outputs, builder), *states]


def _merged(layer: KerasLayer, outputs: Sequence[str], builder: ImportBuilder) -> list[str]:
    mode = layer.config.get("merge_mode", "concat")
    if mode is None:
        return list(outputs)
    classes = {"concat": "Concatenate", "sum": "Add", "ave": "Average", "mul": "Multiply"}
    return [builder.layer(classes[mode], layer.name, outputs, {"axis": -1} if mode == "concat" else {})]


def _run(
    name: str,
    way: Direction,
    weights: tuple[tuple[np.ndarray, ...], ...],
    x: str,
    builder: ImportBuilder,
) -> tuple[str, list[str]]:
    """All cells of one direction along all steps: the last one's sequence, and the states if wanted."""
    if way.config.get("go_backwards"):
        x = reverse(builder, f"{name}/reversed", x, [_TIME])
    states: list[str] = []
    for index, (cell, own) in enumerate(zip(way.cells, weights, strict=True)):
        label = name if len(way.cells) == 1 else f"{name}/{index}"
        call = CellCall(label, cell, own, x, bool(way.config.get("stateful")))
        x, after = CELLS[cell.kind](call, builder)
        if way.config.get("return_state"):
            states += [_last(label, x, builder) if state is None else state for state in after]
    return x, states


def _returned(name: str, way: Direction, sequence: str, builder: ImportBuilder) -> str:
    return sequence if way.config.get("return_sequences") else _last(name, sequence, builder)


def _last(name: str, sequence: str, builder: ImportBuilder) -> str:
    return sliced(builder, f"{name}/last", sequence, _TIME, builder.shape(sequence)[_TIME] - 1)


def _require_plain(way: Direction) -> None:
    """Raises LayerRefused for what has no form."""
    for cell in way.cells:
        if cell.kind not in CELLS:
            raise LayerRefused(
                "the cell must be a supported one", value=cell.kind, hint=" or ".join(sorted(CELLS))
            )
    if len(way.cells) > 1 and way.config.get("return_state"):
        raise LayerRefused(
            "a stack of cells may not return its states",
            value="return_state=True",
            hint="a layer for each cell, one after the other",
        )
    if way.config.get("time_major"):
        raise LayerRefused("time must be the axis behind the batch", value="time_major=True", hint="Permute")


def require_activation(config: Mapping[str, Any], key: str, wanted: str) -> None:
    """Raises LayerRefused for another function inside a cell."""
    value = config.get(key, wanted)
    if isinstance(value, Mapping):
        inner = value.get("config")
        value = inner if isinstance(inner, str) else value.get("class_name")
    if value != wanted:
        raise LayerRefused(f"the {key} of the cell must be {wanted}", value=value, hint=f"{key}='{wanted}'")


def require_plain_call(layer: LayerConfig, call: Call) -> None:
    """Raises LayerRefused for a call of a recurrent layer with more than its input."""
    if layer.class_name in CLASSES:
        for key, refused in (
            ("initial_state", initial_state),
            ("mask", masked),
            ("constants", initial_state),
        ):
            if call.kwargs.get(key) is not None:
                raise refused(key)


def initial_state(value: object) -> LayerRefused:
    return LayerRefused(
        "states must begin at 0: an initial_state that is computed has no form",
        value=value,
        hint="stateful=True, or RepeatVector and Concatenate to give it with every step",
    )


def masked(value: object) -> LayerRefused:
    return LayerRefused(
        "a mask of steps has no form: all of them count",
        value=value,
        hint="sequences of one length, or padding before them",
    )


for _name in CLASSES:
    if _name not in LAYERS or _name in CELLS:
        HANDLERS[_name] = recurrent
