"""What exact rewrites of quantized graphs share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import Graph, QuantParams, Tensor, unique_name


class ConstantWriter:
    """Changed constants for a graph; `written` holds them by name."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._readers = graph.consumers()
        self.written: dict[str, Tensor] = {}

    def write(self, name: str, data: np.ndarray, quant: QuantParams | None) -> str:
        """A constant for one reader; takes the place of the one of that name if nobody else reads it."""
        readers = len(self._readers.get(name, ())) + (name in self._graph.kept)
        if readers != 1 or name in self.written:
            name = unique_name(name, self._graph.tensors, self.written)
        self.written[name] = Tensor.constant(name, data, quant)
        return name


def chosen_quant(quant: QuantParams | None, kept: np.ndarray) -> QuantParams | None:
    """The parameters of the channels that stay. kept: bool [channels]."""
    if quant is None or len(quant.scale) != len(kept):
        return quant
    indices = np.flatnonzero(kept)
    return replace(
        quant,
        scale=tuple(quant.scale[i] for i in indices),
        zero_point=tuple(quant.zero_point[i] for i in indices),
    )
