"""The rows of what varies in time: those that a run makes, and those that are kept of earlier runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import Graph, Node, State, Tensor, unique_name
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.slide import SlideAttrs
from mcu_quant.ops.strided_slice import attrs_of
from mcu_quant.streaming.analysis import Analysis
from mcu_quant.streaming.frames import Selection


class Draft:
    """The streaming graph as far as it is made. window: the graph of the window model.

    made: what each tensor of the window model has become, of those that vary in time their new rows.
    """

    def __init__(self, window: Graph) -> None:
        self.window = window
        self.nodes: list[Node] = []
        self.tensors = {tensor.name: tensor for tensor in window.tensors.values() if tensor.is_constant}
        self.made: dict[str, str] = {}
        self._names = {node.name for node in window.nodes}

    def tensor(self, name: str, shape: tuple[int, ...], kind: str = "") -> str:
        """A new tensor like that one of the window model, of that shape; without a kind, of that name."""
        chosen = unique_name(f"{name}/{kind}", self.tensors, self.window.tensors) if kind else name
        like = self.window.tensors[name]
        self.tensors[chosen] = Tensor(chosen, tuple(shape), like.dtype, like.quant)
        return chosen

    def add(self, node: Node) -> str:
        """The output of a node that the window model does not have, under a name that is free."""
        name = unique_name(node.name, self._names)
        self._names.add(name)
        self.nodes.append(replace(node, name=name))
        return node.outputs[0]


class Rows:
    """Selections of streamed rows; a state for each tensor of which earlier ones are needed."""

    def __init__(self, draft: Draft, analysis: Analysis) -> None:
        self.states: list[State] = []
        self._draft, self._analysis = draft, analysis
        self._resting = _resting_rows(draft.window, analysis)
        self._needs = analysis.needs
        self._slid: dict[str, str] = {}
        self._selected: dict[tuple[str, Selection], str] = {}

    def select(self, name: str, rows: Selection) -> str:
        """Those rows of a tensor: its new ones, those that are kept, or some of either."""
        key = (name, rows)
        if key not in self._selected:
            source, held = self._draft.made[name], self._needs.new_rows(name)
            if rows.depth > held:
                source, held = self._slide(name), self._needs.depths[name]
            self._selected[key] = source if rows == Selection(held) else self._some(name, source, rows, held)
        return self._selected[key]

    def _some(self, name: str, source: str, rows: Selection, held: int) -> str:
        axis, shape = self._analysis.frames[name].axis, self._draft.tensors[source].shape
        first = held - rows.depth
        part = slice(first, first + (rows.count - 1) * rows.step + 1, rows.step)
        attrs = attrs_of([*[slice(None)] * axis, part], shape)
        output = self._draft.tensor(name, with_size(shape, axis, rows.count), "rows")
        return self._draft.add(Node(f"{name}/rows", "strided_slice", attrs, (source,), (output,)))

    def _slide(self, name: str) -> str:
        """The rows that are kept, with the new ones at their end."""
        if name not in self._slid:
            axis, depth, draft = self._analysis.frames[name].axis, self._needs.depths[name], self._draft
            shape = with_size(draft.window.tensors[name].shape, axis, depth)
            before, after = draft.tensor(name, shape, "kept"), draft.tensor(name, shape, "slid")
            inputs = (before, draft.made[name])
            self._slid[name] = draft.add(Node(f"{name}/slide", "slide", SlideAttrs(axis), inputs, (after,)))
            self.states.append(State(before, after, np.repeat(self._resting[name], depth, axis)))
        return self._slid[name]


def _resting_rows(graph: Graph, analysis: Analysis) -> dict[str, np.ndarray]:
    """The row of each tensor that varies in time, [1, …, 1, …], while nothing but 0 has come in."""
    (source,) = graph.input_tensors()
    silence = np.full((1, *source.shape), 0 if source.quant is None else source.zero_point, source.dtype)
    rows: dict[str, np.ndarray] = {}

    def observe(name: str, value: np.ndarray) -> None:
        if name in analysis.frames:
            frames = analysis.frames[name]
            rows[name] = value[0].take([frames.clean[0]], axis=frames.axis)

    run_graph(graph, [silence], observe)
    return rows


def with_size(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])
