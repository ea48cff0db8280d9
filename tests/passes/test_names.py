"""Layers keep their Keras names all the way into the .tflite file."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops import OPERATORS
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.keras import GraphBuilder
from mcu_quant.ops.relu import ReluAttrs
from mcu_quant.ops.softmax import SoftmaxAttrs
from mcu_quant.passes import prepare


def test_a_fused_layer_has_the_name_of_the_convolution() -> None:
    builder = GraphBuilder("named", OPERATORS)
    x = builder.input("image", (1, 4, 4, 2))
    kernel = builder.constant("block/kernel", np.ones((3, 1, 1, 2), np.float32))
    y = builder.add("conv_2d", "block", Conv2DAttrs(), [x, kernel, None])
    y = builder.add("relu", "block_relu", ReluAttrs(), [y])
    y = builder.add("softmax", "scores", SoftmaxAttrs(), [y])
    graph = prepare(builder.graph([y]))
    assert [(node.name, node.outputs) for node in graph.nodes] == [
        ("block", ("block",)),
        ("scores", ("scores",)),
    ]
    assert graph.inputs == ("image",)


def test_names_that_are_taken_get_a_number() -> None:
    builder = GraphBuilder("clash", OPERATORS)
    x = builder.input("block", (1, 4))
    y = builder.add("softmax", "block", SoftmaxAttrs(), [x])
    y = builder.add("relu", "head", ReluAttrs(), [y])
    graph = prepare(builder.graph([y]))
    assert len({name for node in graph.nodes for name in node.outputs} | {"block"}) == 3
