"""An average over the whole image, however it was written, is a mean."""

from __future__ import annotations

from mcu_quant.ir import BoundNode, Graph, Node
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.passes.rewrite import View, apply_everywhere


def pools_to_means(graph: Graph) -> Graph:
    """average_pool_2d whose one window is the whole input becomes mean.

    An average pool must keep its input's scale, and the average of many values needs a much finer
    one: mean may have it (LiteRT 8-bit specification), and rounds once, from the full sum.
    """
    return apply_everywhere(graph, _rewrite)


def _rewrite(view: View, node: BoundNode) -> Graph | None:
    if node.node.op != "average_pool_2d" or node.attrs.activation != "none":
        return None
    height, width = node.input(0).shape[1:3]
    filter_h, filter_w = node.attrs.filter_size
    # Windows are cut at the border, so a larger one (SAME) averages the whole input, too.
    if node.output.shape[1:3] != (1, 1) or filter_h < height or filter_w < width:
        return None
    mean = Node(node.name, "mean", ReductionAttrs((1, 2), keepdims=True), node.node.inputs, node.node.outputs)
    return view.replaced({node.name: [mean]})
