"""Zero padding before a convolution that is just what the convolution's SAME padding does."""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.ir import BoundNode, Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import same_padding
from mcu_quant.passes.reshapes import drop_identity
from mcu_quant.passes.rewrite import View, apply_everywhere


def fold_padding(graph: Graph) -> Graph:
    """pad, then a VALID convolution, becomes a SAME one where every border is the same; empty pads go.

    A stride often makes it another one: for a 3x3 window and stride 2, SAME pads an even size by
    (0, 1) and an odd size by (1, 1), whatever Keras' ZeroPadding2D was told.
    """
    return apply_everywhere(graph, _fold)


def _fold(view: View, node: BoundNode) -> Graph | None:
    if node.node.op != "pad" or node.optional_input(1) is not None:
        return None
    if not any(sum(border) for border in node.attrs.paddings):
        return drop_identity(view, node)
    reader = view.only_reader(node.output.name)
    if (
        reader is None
        or reader.node.op not in ("conv_2d", "depthwise_conv_2d")
        or reader.attrs.padding != "valid"
    ):
        return None
    if not _is_same_padding(node, reader):
        return None
    merged = replace(
        reader.node,
        inputs=(node.input(0).name, *reader.node.inputs[1:]),
        attrs=replace(reader.attrs, padding="same"),
    )
    return view.replaced({node.name: [], reader.name: [merged]})


def _is_same_padding(pad: BoundNode, conv: BoundNode) -> bool:
    shape, weights, attrs = pad.input(0).shape, conv.input(1).shape, conv.attrs
    height, width = (
        same_padding(shape[1 + i], weights[1 + i], attrs.strides[i], attrs.dilation[i]) for i in range(2)
    )
    same = replace(attrs, padding="same")
    (output,) = OPERATORS[conv.node.op].output_shapes(same, [shape, weights])
    return pad.attrs.paddings == ((0, 0), height, width, (0, 0)) and output == conv.output.shape
