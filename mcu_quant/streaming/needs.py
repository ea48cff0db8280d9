"""How many rows of each tensor a hop needs: no more are made, and none that are made are kept in vain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcu_quant.ir import BoundNode, Graph
from mcu_quant.streaming.frames import Frames, Selection
from mcu_quant.streaming.steps import Step, parts_of


class Needs:
    """depths: for each tensor that varies in time, how many of its newest rows its readers need, at most."""

    def __init__(self, graph: Graph, frames: Mapping[str, Frames], steps: Mapping[str, Step]) -> None:
        self.frames = frames
        self.depths = dict.fromkeys(frames, 1)
        #: The steps as given, but of those rows alone that something needs.
        self.steps: dict[str, Step] = {}
        self._source = graph.inputs[0]
        for name in graph.outputs:
            if name in frames:
                self._need(name, frames[name].newest())
        for node in reversed(list(graph.bound_nodes())):
            self._go_through(node, steps.get(node.name))

    def new_rows(self, name: str) -> int:
        """Rows that a run makes of a tensor: all that are new, or fewer if no more are needed."""
        rows = self.frames[name].rows
        return rows if name == self._source else min(rows, self.depths[name])

    def _go_through(self, node: BoundNode, step: Step | None) -> None:
        if step is not None:
            made = self.new_rows(node.output.name) if node.output.name in self.frames else 1
            step = replace(step, taps={i: replace(taps, made=made) for i, taps in step.taps.items()})
            self.steps[node.name] = step
        for index, tensor in enumerate(node.inputs):
            if tensor is None or tensor.name not in self.frames:
                continue
            if step is None:
                self._need(tensor.name, self.frames[tensor.name].whole())
            else:
                for rows, _ in parts_of(node, step.taps[index]):
                    self._need(tensor.name, rows)

    def _need(self, name: str, rows: Selection) -> None:
        self.depths[name] = max(self.depths[name], rows.depth)
