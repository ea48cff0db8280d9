"""The streaming graph: what a hop of new frames changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcu_quant.ir import BoundNode, Graph, Node, Streaming, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.concatenation import ConcatenationAttrs, in_steps
from mcu_quant.streaming.analysis import Analysis, analyze
from mcu_quant.streaming.frames import Frames, Selection, Taps
from mcu_quant.streaming.kept import Draft, Rows, with_size
from mcu_quant.streaming.rows import attrs_for_rows, only_picks_rows
from mcu_quant.streaming.steps import Step, parts_of


def stream_graph(graph: Graph, axis: int, hop: int) -> Graph:
    """A graph with states whose input is the next `hop` frames along that axis of the input.

    Its outputs are, in every byte where all is integer, those of the window that ends with these frames: what
    is before the first frame counts as 0. Of outputs that still vary in time they are the rows that are new.
    Raises as analyze does.
    """
    return _Streaming(graph, analyze(graph, axis, hop)).build()


class _Streaming:
    def __init__(self, graph: Graph, analysis: Analysis) -> None:
        self.graph, self.frames, self.steps = graph, analysis.frames, analysis.steps
        self.draft = Draft(graph)
        self.rows = Rows(self.draft, analysis)
        self.facts = _facts(graph, analysis)

    def build(self) -> Graph:
        (source,) = self.graph.inputs
        frames, shape = self.frames[source], self.graph.tensors[source].shape
        self.draft.made[source] = self.draft.tensor(source, with_size(shape, frames.axis, frames.rows))
        for node in self.graph.bound_nodes():
            if node.name in self.steps:
                self.draft.made[node.output.name] = self._new_rows(node, self.steps[node.name])
            else:
                self._whole(node)
        outputs = tuple(self._output(name) for name in self.graph.outputs)
        facts = {"states": tuple(self.rows.states), "streaming": self.facts}
        nodes, tensors = tuple(self.draft.nodes), self.draft.tensors
        return check(self.graph.with_(nodes=nodes, tensors=tensors, outputs=outputs, **facts))

    def _whole(self, node: BoundNode) -> None:
        """As it is, on the whole window of what varies in time."""
        whole = {
            index: self.frames[tensor.name].whole()
            for index, tensor in enumerate(node.inputs)
            if tensor is not None and tensor.name in self.frames
        }
        for output in node.outputs:
            self.draft.made[output.name] = self.draft.tensor(output.name, output.shape)
        self.draft.nodes.append(replace(node.node, inputs=self._inputs(node, whole)))

    def _inputs(self, node: BoundNode, rows: Mapping[int, Selection]) -> tuple[str | None, ...]:
        """Those rows of the inputs that have some, by position, and the others as they are."""
        return tuple(
            self.rows.select(str(name), rows[index])
            if index in rows
            else None if name is None else self.draft.made.get(name, name)
            for index, name in enumerate(node.node.inputs)
        )  # fmt: skip

    def _new_rows(self, node: BoundNode, step: Step) -> str:
        """What the new rows are made of, one selection of rows for each input or several."""
        parts = {index: parts_of(node, taps) for index, taps in step.taps.items()}
        count = len(next(iter(parts.values())))
        made = []
        for part in range(count):
            rows = {index: selections[part][0] for index, selections in parts.items()}
            taps = next(iter(parts.values()))[part][1]
            made.append(self._made(node, step, rows, taps, "" if count == 1 else f"part_{part}"))
        return made[0] if count == 1 else self._joined(node, step, made)

    def _made(self, node: BoundNode, step: Step, rows: Mapping[int, Selection], taps: Taps, kind: str) -> str:
        """The node for some rows; no node where these are the output."""
        first = next(iter(rows))
        axis, inputs = self.frames[node.input(first).name].axis, self._inputs(node, rows)
        if only_picks_rows(node, axis):
            return str(inputs[first])
        attrs = attrs_for_rows(node, axis, step.reach, taps, rows[first].count)
        shapes = [self.draft.tensors[name].shape for name in inputs if name is not None]
        (shape,) = OPERATORS[node.node.op].output_shapes(attrs, shapes)
        output = self.draft.tensor(node.output.name, shape, kind)
        made = replace(node.node, attrs=attrs, inputs=inputs, outputs=(output,))
        if not kind:
            self.draft.nodes.append(made)
            return output
        return self.draft.add(replace(made, name=f"{node.name}/{kind}"))

    def _joined(self, node: BoundNode, step: Step, parts: list[str]) -> str:
        """Parts of rows as one."""
        axis, name = step.reach.axis, node.output.name
        assert axis is not None

        def concatenate(_: str, some: list[str]) -> str:
            shapes = [self.draft.tensors[part].shape for part in some]
            shape = with_size(shapes[0], axis, sum(shape[axis] for shape in shapes))
            output = self.draft.tensor(name, shape, "joined")
            attrs = ConcatenationAttrs(axis)
            return self.draft.add(Node(f"{name}/joined", "concatenation", attrs, tuple(some), (output,)))

        return in_steps(parts, name, concatenate)

    def _output(self, name: str) -> str:
        if name in self.frames:
            return self.rows.select(name, self.frames[name].newest())
        return self.draft.made.get(name, name)


def _facts(graph: Graph, analysis: Analysis) -> Streaming:
    frames = analysis.frames
    rows = tuple(_rows_of(frames[name]) if name in frames else None for name in graph.outputs)
    whole = [
        node.name
        for node in graph.nodes
        if node.name not in analysis.steps and not frames.keys().isdisjoint(node.inputs)
    ]
    source = frames[graph.inputs[0]]
    return Streaming(source.axis, source.hop, source.size, rows, tuple(whole))


def _rows_of(frames: Frames) -> tuple[int, int, int]:
    """Which rows of the window an output is: (axis, first, end)."""
    end = frames.clean[1]
    return frames.axis, end - frames.newest().count, end
