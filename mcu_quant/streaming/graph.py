"""The streaming graph: what a hop of new frames changes, and the rows that are kept for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node, State, Streaming, Tensor, check, unique_name
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.concatenation import ConcatenationAttrs, in_steps
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.slide import SlideAttrs
from mcu_quant.ops.strided_slice import attrs_of
from mcu_quant.streaming.analysis import Analysis, Step, analyze, parts_of
from mcu_quant.streaming.frames import Frames, Selection
from mcu_quant.streaming.rows import with_rows


def stream_graph(graph: Graph, axis: int, hop: int) -> Graph:
    """A graph with states whose input is the next `hop` frames along that axis of the input.

    Its outputs are, in every byte, those of the window that ends with these frames: what is before the first
    frame counts as 0. Outputs that still vary in time are the rows that are new. Raises as analyze does.
    """
    return _Streaming(graph, analyze(graph, axis, hop)).build()


def resting_rows(graph: Graph, analysis: Analysis) -> dict[str, np.ndarray]:
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


class _Streaming:
    def __init__(self, graph: Graph, analysis: Analysis) -> None:
        self.graph, self.analysis = graph, analysis
        self.resting = resting_rows(graph, analysis)
        self.depths = _depths(graph, analysis)
        self.nodes: list[Node] = []
        self.states: list[State] = []
        self.tensors: dict[str, Tensor] = {t.name: t for t in graph.tensors.values() if t.is_constant}
        #: The new rows of what varies in time, and all other tensors, by their names in the window model.
        self.made: dict[str, str] = {}
        self.slid: dict[str, str] = {}
        self.selected: dict[tuple[str, Selection], str] = {}
        self.names = {*graph.tensors}

    def build(self) -> Graph:
        (source,) = self.graph.inputs
        self.made[source] = self._tensor(source, self._rows_shape(source))
        for node in self.graph.bound_nodes():
            step = self.analysis.steps.get(node.name)
            if step is None:
                self._whole(node)
            else:
                self._rows(node, step)
        outputs = tuple(self._output(name) for name in self.graph.outputs)
        return check(
            self.graph.with_(
                nodes=tuple(self.nodes),
                tensors=self.tensors,
                inputs=(self.made[source],),
                outputs=outputs,
                states=tuple(self.states),
                streaming=self._facts(),
            )
        )

    def _facts(self) -> Streaming:
        analysis = self.analysis
        rows = [_rows_of(analysis.frames[n]) if n in analysis.frames else None for n in self.graph.outputs]
        whole = [
            node.name
            for node in self.graph.nodes
            if node.name not in analysis.steps and not analysis.frames.keys().isdisjoint(node.inputs)
        ]
        (source,) = self.graph.inputs
        size = analysis.frames[source].size
        return Streaming(analysis.axis, analysis.hop, size, tuple(rows), tuple(whole))

    def _whole(self, node: BoundNode) -> None:
        """As it is, on the whole window of what varies in time."""
        inputs = []
        for name in node.node.inputs:
            if name in self.analysis.frames:
                inputs.append(self._select(str(name), self.analysis.frames[str(name)].whole()))
            else:
                inputs.append(name if name is None else self.made.get(name, name))
        for output in node.outputs:
            self.made[output.name] = self._tensor(output.name, output.shape)
        outputs = tuple(self.made[output.name] for output in node.outputs)
        self.nodes.append(replace(node.node, inputs=tuple(inputs), outputs=outputs))

    def _rows(self, node: BoundNode, step: Step) -> None:
        """The rows that are new, of one selection of rows or of several."""
        first = next(iter(step.taps))
        parts = parts_of(node, step.taps[first])
        if len(parts) == 1:
            selections = {index: parts_of(node, taps)[0][0] for index, taps in step.taps.items()}
            self.made[node.output.name] = self._made(node, step, selections, parts[0][1], node.name)
            return
        pieces = [
            self._made(node, step, {first: rows}, taps, f"{node.name}/{number}")
            for number, (rows, taps) in enumerate(parts)
        ]
        self.made[node.output.name] = self._joined(node, step, pieces)

    def _made(
        self, node: BoundNode, step: Step, selections: Mapping[int, Selection], taps: Any, name: str
    ) -> str:
        inputs = [
            self._select(read, selections[index])
            if index in selections and read is not None
            else read if read is None else self.made.get(read, read)
            for index, read in enumerate(node.node.inputs)
        ]  # fmt: skip
        first = next(iter(selections))
        axis = self.analysis.frames[node.input(first).name].axis
        attrs = with_rows(node, axis, step.reach, taps, selections[first].count)
        if attrs is None and node.attrs is not None:
            return str(inputs[first])
        shapes = [self.tensors[read].shape for read in inputs if read is not None]
        (shape,) = OPERATORS[node.node.op].output_shapes(attrs, shapes)
        output = self._tensor(node.output.name, shape)
        self.nodes.append(replace(node.node, name=name, attrs=attrs, inputs=tuple(inputs), outputs=(output,)))
        return output

    def _joined(self, node: BoundNode, step: Step, pieces: list[str]) -> str:
        axis = step.reach.axis
        assert axis is not None

        def concatenate(name: str, parts: list[str]) -> str:
            rows = sum(self.tensors[part].shape[axis] for part in parts)
            output = self._tensor(node.output.name, _with_size(self.tensors[parts[0]].shape, axis, rows))
            self.nodes.append(Node(name, "concatenation", ConcatenationAttrs(axis), tuple(parts), (output,)))
            return output

        return in_steps(pieces, f"{node.name}/rows", concatenate)

    def _select(self, name: str, rows: Selection) -> str:
        """Those rows of a tensor: its new ones, those that are kept, or some of either."""
        key = (name, rows)
        if key not in self.selected:
            frames = self.analysis.frames[name]
            source, held = self.made[name], frames.rows
            if rows.depth > held:
                source, held = self._slide(name), self.depths[name]
            whole = rows == Selection(held)
            self.selected[key] = source if whole else self._sliced(name, source, rows, held)
        return self.selected[key]

    def _sliced(self, name: str, source: str, rows: Selection, held: int) -> str:
        axis, shape = self.analysis.frames[name].axis, self.tensors[source].shape
        first = held - rows.depth
        part = slice(first, first + (rows.count - 1) * rows.step + 1, rows.step)
        attrs = attrs_of([*[slice(None)] * axis, part], shape)
        output = self._tensor(name, _with_size(shape, axis, rows.count), "rows")
        self.nodes.append(Node(self._name(f"{name}/rows"), "strided_slice", attrs, (source,), (output,)))
        return output

    def _slide(self, name: str) -> str:
        """The rows that are kept, with the new ones at their end."""
        if name not in self.slid:
            frames, depth = self.analysis.frames[name], self.depths[name]
            shape = _with_size(self.graph.tensors[name].shape, frames.axis, depth)
            before, after = self._tensor(name, shape, "kept"), self._tensor(name, shape, "slid")
            attrs = SlideAttrs(frames.axis)
            node = Node(self._name(f"{name}/slide"), "slide", attrs, (before, self.made[name]), (after,))
            self.nodes.append(node)
            self.states.append(State(before, after, np.repeat(self.resting[name], depth, frames.axis)))
            self.slid[name] = after
        return self.slid[name]

    def _output(self, name: str) -> str:
        frames = self.analysis.frames.get(name)
        return self.made.get(name, name) if frames is None else self._select(name, frames.newest())

    def _rows_shape(self, name: str) -> tuple[int, ...]:
        frames = self.analysis.frames[name]
        return _with_size(self.graph.tensors[name].shape, frames.axis, frames.rows)

    def _tensor(self, name: str, shape: tuple[int, ...], kind: str = "") -> str:
        """A new tensor like that one of the window model, of another shape."""
        wanted = f"{name}/{kind}" if kind else name
        chosen = unique_name(wanted, self.tensors, () if not kind else self.names)
        self.tensors[chosen] = replace(
            self.graph.tensors[name], name=chosen, shape=tuple(shape), value_range=None
        )
        return chosen

    def _name(self, wanted: str) -> str:
        return unique_name(wanted, {node.name for node in (*self.nodes, *self.graph.nodes)})


def _rows_of(frames: Frames) -> tuple[int, int, int]:
    """Which rows of the window an output is: (axis, first, end)."""
    end = frames.clean[1]
    return frames.axis, end - frames.newest().count, end


def _depths(graph: Graph, analysis: Analysis) -> dict[str, int]:
    """How many rows of each tensor its readers need, at most."""
    depths: dict[str, int] = {}
    for name, rows in _needs(graph, analysis):
        depths[name] = max(depths.get(name, 0), rows.depth)
    return depths


def _needs(graph: Graph, analysis: Analysis) -> Iterator[tuple[str, Selection]]:
    for node in graph.bound_nodes():
        step = analysis.steps.get(node.name)
        for index, tensor in enumerate(node.inputs):
            if tensor is None or tensor.name not in analysis.frames:
                continue
            if step is None:
                yield tensor.name, analysis.frames[tensor.name].whole()
            else:
                yield from ((tensor.name, rows) for rows, _ in parts_of(node, step.taps[index]))
    for name in graph.outputs:
        if name in analysis.frames:
            yield name, analysis.frames[name].newest()


def _with_size(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])
