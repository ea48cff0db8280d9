"""Rows that move on in a state: files have several operators for that, here it is one."""

from __future__ import annotations

from mcu_quant.ir import Graph, Node
from mcu_quant.ops.slide import SlideAttrs


def find_slides(graph: Graph) -> Graph:
    """The graph with a slide for each state that becomes its own last rows and new ones; itself without any.

    Either a state is joined with new rows and the last of all are kept, or its first rows are cut off and new
    ones joined. What is in between must have no other use.
    """
    before_of = {state.after: state.before for state in graph.states}
    found: dict[str, Node] = {}
    for node in graph.nodes:
        parts = _cut_of_joined(graph, node) or _joined_with_cut(graph, node)
        if parts is None or before_of.get(node.outputs[0]) != parts[0]:
            continue
        before, new, axis, inner = parts
        found[node.name] = Node(node.name, "slide", SlideAttrs(axis), (before, new), node.outputs)
        found[inner.name] = inner
    if not found:
        return graph
    replaced = (found.get(node.name, node) for node in graph.nodes)
    slides = {node.name for node in found.values() if node.op == "slide"}
    return graph.with_(nodes=tuple(n for n in replaced if n.name not in found or n.name in slides))


#: (the state, the new rows, their axis, the node in between).
_Parts = tuple[str, str, int, Node]


def _cut_of_joined(graph: Graph, node: Node) -> _Parts | None:
    """The last rows of a state and new rows together."""
    joined = _only_use(graph, node.inputs[0]) if node.op == "strided_slice" else None
    if joined is None or joined.op != "concatenation" or len(joined.inputs) != 2:
        return None
    before, new = (str(name) for name in joined.inputs)
    axis, sizes = joined.attrs.axis, graph.tensors[before].shape
    begin = graph.tensors[new].shape[axis]
    return (before, new, axis, joined) if _is_cut(node, axis, begin, sizes) else None


def _joined_with_cut(graph: Graph, node: Node) -> _Parts | None:
    """The last rows of a state, and new ones behind them."""
    if node.op != "concatenation" or len(node.inputs) != 2:
        return None
    cut, axis = _only_use(graph, node.inputs[0]), node.attrs.axis
    if cut is None or cut.op != "strided_slice":
        return None
    new, before = str(node.inputs[1]), str(cut.inputs[0])
    sizes, begin = graph.tensors[str(node.inputs[0])].shape, graph.tensors[new].shape[axis]
    return (before, new, axis, cut) if _is_cut(cut, axis, begin, sizes) else None


def _is_cut(node: Node, axis: int, begin: int, sizes: tuple[int, ...]) -> bool:
    """Whether it cuts off the first `begin` along the axis and nothing else."""
    attrs = node.attrs
    first = tuple(begin if other == axis else 0 for other in range(len(sizes)))
    return attrs.begin == first and attrs.sizes == sizes and set(attrs.strides) == {1} and not attrs.dropped


def _only_use(graph: Graph, name: str | None) -> Node | None:
    """The node that makes it, if it is read once and not kept."""
    reads = sum(node.inputs.count(name) for node in graph.nodes)
    if name is None or name in graph.kept or reads != 1:
        return None
    return graph.producers().get(name)
