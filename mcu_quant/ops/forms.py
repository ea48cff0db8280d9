"""In which arithmetic a node is computed: its tensors' types say."""

from __future__ import annotations

from mcu_quant.ir import BoundNode, Tensor

#: float: float32 activations, whatever the weights are stored as. hybrid: float32 activations that are
#: quantized on the fly for sums with int8 weights. int8 and int16: quantized activations of that type (uint8,
#: which only occurs at a model's edges, counts as int8), also where one side of the node is float32. plain:
#: nothing but conditions and indices (bool, int32, int64), computed as they are, by run_integer.
FORMS = ("float", "hybrid", "int8", "int16", "plain")
#: The types of the last.
PLAIN_TYPES = ("bool", "int32", "int64")
#: Those whose activations are float32.
FLOAT_FORMS = ("float", "hybrid")


def form_of(node: BoundNode) -> str:
    """One of FORMS. A node with int16 on one side and int8 on the other is "int16"."""
    types = {tensor.dtype for tensor in _activations(node)}
    if "int16" in types:
        return "int16"
    if types & {"int8", "uint8"}:
        return "int8"
    if types <= set(PLAIN_TYPES):
        return "plain"
    return "hybrid" if getattr(node.attrs, "hybrid", False) else "float"


def _activations(node: BoundNode) -> list[Tensor]:
    """What is computed; the constants too, where an operator has nothing else.

    Outputs behind the first are states, which may have types of their own: the first input decides.
    """
    if len(node.outputs) > 1:
        return [tensor for tensor in (*node.inputs[:1], node.output) if tensor is not None]
    tensors = [tensor for tensor in node.inputs if tensor is not None]
    computed = [tensor for tensor in tensors if not tensor.is_constant]
    return [*(computed or tensors), *node.outputs]
