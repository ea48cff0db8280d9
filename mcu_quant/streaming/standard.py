"""A streaming graph in the operators that a .tflite file has."""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Graph, Node, Tensor, check, unique_name
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.concatenation import ConcatenationAttrs
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.strided_slice import attrs_of
from mcu_quant.ops.windows import BandPadding
from mcu_quant.streaming.kept import with_size
from mcu_quant.streaming.rows import DILATED, window_axes_of


def in_standard_operators(graph: Graph) -> Graph:
    """The same outputs. A slide joins what is kept and what is new, and cuts off the first rows.

    Raises UnsupportedModelError with what no file can say: pools that pad along one axis alone, and layers
    that begin anew in every run beside states that do not.
    """
    return _Standard(graph).graph()


class _Standard:
    def __init__(self, graph: Graph) -> None:
        self.source = graph
        self.tensors = dict(graph.tensors)
        self.nodes: list[Node] = []
        self.names = {node.name for node in graph.nodes}
        self.problems: list[Problem] = []

    def graph(self) -> Graph:
        for node in self.source.bound_nodes():
            self._require_states(node.node)
            if node.node.op == "slide":
                self._slide(node)
            elif isinstance(getattr(node.attrs, "padding", None), BandPadding):
                self._padded(node)
            else:
                self.nodes.append(node.node)
        if self.problems:
            raise UnsupportedModelError(self.problems)
        return check(self.source.with_(nodes=tuple(self.nodes), tensors=self.tensors))

    def _require_states(self, node: Node) -> None:
        """Other interpreters keep what an operator has of its own, or reset everything."""
        positions = OPERATORS[node.op].state_inputs
        anew = any(i >= len(node.inputs) or node.inputs[i] is None for i in positions)
        if anew and self.source.states:
            rule = "a layer that begins anew in every run must be alone in a .tflite file with what it keeps"
            self.problems.append(Problem(rule, node.name, node.op, "generate --stream has no such limit"))

    def _slide(self, node: BoundNode) -> None:
        kept, new, axis = node.input(0), node.input(1), node.attrs.axis
        rows = kept.shape[axis] + new.shape[axis]
        inputs = (kept.name, new.name)
        joined = self._add(node, "joined", "concatenation", ConcatenationAttrs(axis), inputs, (axis, rows))
        cut = attrs_of([*[slice(None)] * axis, slice(new.shape[axis], None)], self.tensors[joined].shape)
        self.nodes.append(replace(node.node, op="strided_slice", attrs=cut, inputs=(joined,)))

    def _padded(self, node: BoundNode) -> None:
        """Padding along width as a border of its own."""
        axes, x = window_axes_of(node), node.input(0)
        assert axes is not None
        if node.node.op not in DILATED:
            rule = "a pool that streams must have no padding along the other axis, in a .tflite file"
            hint = 'padding="valid" there; generate has no such limit'
            self.problems.append(Problem(rule, node.name, f"{axes[1].before} and {axes[1].after}", hint))
            return
        border = ((0, 0), (0, 0), (axes[1].before, axes[1].after), (0, 0))
        width = x.shape[2] + sum(border[2])
        padded = self._add(node, "padded", "pad", PadAttrs(border), (x.name,), (2, width))
        attrs = replace(node.attrs, padding="valid")
        self.nodes.append(replace(node.node, attrs=attrs, inputs=(padded, *node.node.inputs[1:])))

    def _add(
        self,
        node: BoundNode,
        kind: str,
        op: str,
        attrs: object,
        inputs: tuple[str, ...],
        change: tuple[int, int],
    ) -> str:
        """The output of a new node: like the first input of that one, but for the size of an axis."""
        x = node.input(0)
        tensor = unique_name(f"{node.name}/{kind}", self.tensors)
        self.tensors[tensor] = Tensor(tensor, with_size(x.shape, *change), x.dtype, x.quant)
        name = unique_name(f"{node.name}/{kind}", self.names)
        self.names.add(name)
        self.nodes.append(Node(name, op, attrs, inputs, (tensor,)))
        return tensor
