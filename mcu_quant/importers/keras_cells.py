"""What a recurrent Keras layer is made of, by its config alone: cells, in one or two directions.

LSTM is RNN(LSTMCell); so are GRU and SimpleRNN. Bidirectional is two of any of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcu_quant.ops.keras import LayerRefused

_Weights = list[tuple[str, tuple[int, ...]]]
#: Layers of one kind of cell, by that kind.
LAYERS = ("LSTM", "GRU", "SimpleRNN")
#: Every class that this module reads.
CLASSES = (*LAYERS, "RNN", "Bidirectional")


@dataclass(frozen=True)
class Cell:
    """kind: of LAYERS. config: of the layer or cell, with units, activation and so on."""

    kind: str
    config: Mapping[str, Any]

    @property
    def units(self) -> int:
        return int(self.config["units"])


@dataclass(frozen=True)
class Direction:
    """One way through the sequence. config: of the layer, with return_sequences and so on.

    cells: the first reads the sequence, each other one what the one before gives.
    """

    config: Mapping[str, Any]
    cells: tuple[Cell, ...]


def directions(class_name: str, config: Mapping[str, Any]) -> tuple[Direction, ...]:
    """One, or of Bidirectional two: forward, backward. Raises LayerRefused for cells not Keras's own."""
    if class_name != "Bidirectional":
        return (Direction(config, _cells(class_name, config)),)
    forward = config["layer"]
    backward = config.get("backward_layer") or _turned(forward)
    return tuple(
        direction
        for document in (forward, backward)
        for direction in directions(_class_name(document), document["config"])
    )


def _turned(document: Mapping[str, Any]) -> Mapping[str, Any]:
    config = document["config"]
    return {**document, "config": {**config, "go_backwards": not config.get("go_backwards")}}


def _class_name(document: Mapping[str, Any]) -> str:
    """Of a layer or cell in a config. Bidirectional is of one layer, and not of another such."""
    name, registered = str(document["class_name"]), str(document.get("registered_name") or "")
    if (">" in registered and not registered.startswith("Keras>")) or name not in (*LAYERS, "RNN"):
        raise LayerRefused(
            "a layer in Bidirectional must be recurrent, and Keras's own",
            value=registered or name,
            hint="LSTM, GRU or SimpleRNN",
        )
    return name


def _cells(class_name: str, config: Mapping[str, Any]) -> tuple[Cell, ...]:
    if class_name in LAYERS:
        return (Cell(class_name, config),)
    cell = config["cell"]
    documents = cell["config"]["cells"] if cell["class_name"] == "StackedRNNCells" else [cell]
    return tuple(_cell(document) for document in documents)


def _cell(document: Mapping[str, Any]) -> Cell:
    name, registered = str(document["class_name"]), str(document.get("registered_name") or "")
    kind = name.removesuffix("Cell")
    is_custom = ">" in registered and not registered.startswith("Keras>")
    if is_custom or kind == name or kind not in LAYERS:
        raise LayerRefused(
            "a cell of an RNN must be one of Keras's own: the code of a class is never run",
            value=registered or name,
            hint="LSTMCell, GRUCell, SimpleRNNCell, or StackedRNNCells of these",
        )
    return Cell(kind, document["config"])


#: Gates of each kind.
_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


def weights_of_cell(cell: Cell, size: int) -> _Weights:
    """Names and shapes of a cell's weights, in Keras's order. size: of a step of its input."""
    width = _GATES[cell.kind] * cell.units
    weights: _Weights = [("kernel", (size, width)), ("recurrent_kernel", (cell.units, width))]
    # A GRU that resets after the product has a bias on either side of it; Keras 2 has this default, too.
    is_pair = cell.kind == "GRU" and cell.config.get("reset_after", True)
    if cell.config.get("use_bias", True):
        weights.append(("bias", (2, width) if is_pair else (width,)))
    return weights


def recurrent_weights(class_name: str, config: Mapping[str, Any], size: int) -> _Weights:
    """Likewise of a whole layer."""
    found: _Weights = []
    for direction in directions(class_name, config):
        below = size
        for cell in direction.cells:
            found += weights_of_cell(cell, below)
            below = cell.units
    return found


def split_weights(
    class_name: str, config: Mapping[str, Any], size: int, weights: Sequence[Any]
) -> tuple[tuple[tuple[Any, ...], ...], ...]:
    """The weights of a layer by direction and cell."""
    rest = iter(weights)
    return tuple(
        tuple(tuple(next(rest) for _ in weights_of_cell(cell, size)) for cell in direction.cells)
        for direction in directions(class_name, config)
    )


def groups_of_cells(class_name: str, config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Where the weights of a .keras file lie below a layer's group: (group, the classes of cells in it).

    No classes: the group is a cell's own; else there is one group in it for each, named after its class.
    """
    parts = [("", config)]
    if class_name == "Bidirectional":
        backward = config.get("backward_layer") or config["layer"]
        parts = [("forward_layer/", config["layer"]["config"]), ("backward_layer/", backward["config"])]
    for prefix, layer in parts:
        cell = layer.get("cell") or {}
        is_stack = cell.get("class_name") == "StackedRNNCells"
        names = tuple(str(c["class_name"]) for c in cell["config"]["cells"]) if is_stack else ()
        yield f"{prefix}cell" + ("/cells" if is_stack else ""), names
