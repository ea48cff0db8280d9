"""Whether a quantized graph keeps every rule: the rules all operators share, and each one's own."""

from __future__ import annotations

from collections.abc import Iterator

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Graph, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import INTEGER_FORMS
from mcu_quant.ops.forms import FLOAT_FORMS, form_of

_CONVERTERS = ("quantize", "dequantize", "cast")
_CONVERTED = ("int8", "uint8", "int16", "float32")
_QUANTIZED = ("int8", "uint8", "int16")
_FULL_INT8 = "quantize the model to full int8, as mcu-quant quantize does"
_FULL_INT16 = "quantize the model to int16x8, as mcu-quant quantize does"


def find_problems(graph: Graph) -> list[Problem]:
    """Every broken rule of every node, in order."""
    return [problem for node in graph.bound_nodes() for problem in node_problems(node)]


def require_supported(graph: Graph) -> Graph:
    """The graph, if it keeps every rule. Raises UnsupportedModelError with all that find_problems finds."""
    if problems := find_problems(graph):
        raise UnsupportedModelError(problems)
    return graph


def node_problems(node: BoundNode) -> list[Problem]:
    """The rules that one node breaks."""
    tensors = [tensor for tensor in (*node.inputs, *node.outputs) if tensor is not None]
    shared = _float_problems if form_of(node) in FLOAT_FORMS else _shared_problems
    # An operator's own rules may assume the shared ones.
    found = list(shared(node, tensors)) or OPERATORS[node.node.op].problems(node)
    return found or list(_form_problems(node))


def _form_problems(node: BoundNode) -> Iterator[Problem]:
    """A form that the operator does not have."""
    form = form_of(node)
    if (reason := OPERATORS[node.node.op].absent_forms.get(form)) is not None:
        rule = f"{node.node.op} has no {form} form: {reason}"
        yield Problem(rule, node.name, form, "the layer in float32" if form in INTEGER_FORMS else "")


def _float_problems(node: BoundNode, tensors: list[Tensor]) -> Iterator[Problem]:
    """What is computed is float32, or a condition; constants may be narrower, of int8 weights alone."""
    weights = OPERATORS[node.node.op].quant_rule.weights_at
    for tensor, index, plain in _places(node):
        stored = ("float16", "int8") if index in weights else ("float16",)
        allowed = plain or ("float32", *(stored if tensor.is_constant else ()))
        if tensor.dtype not in allowed:
            what = f"{tensor.name} must be {' or '.join(allowed)}"
            yield Problem(what, node.name, tensor.dtype, _FULL_INT8)
    yield from _constant_problems(node)
    yield from _axis_problems(node)


def _places(node: BoundNode) -> Iterator[tuple[Tensor, int | None, tuple[str, ...]]]:
    """(tensor, its index among the inputs or None, its types if it is no activation) of what a node has.

    But for states: an operator that has them has rules for them.
    """
    operator = OPERATORS[node.node.op]
    plain = operator.plain_types
    for index, tensor in enumerate(node.inputs):
        if tensor is not None and index not in operator.state_inputs:
            yield tensor, index, plain.get(index, ())
    states = set(operator.state_inputs.values())
    yield from (
        (tensor, None, plain.get(None, ())) for i, tensor in enumerate(node.outputs) if i not in states
    )


def _constant_problems(node: BoundNode) -> Iterator[Problem]:
    if all(tensor is None or tensor.is_constant for tensor in node.inputs):
        hint = "let the converter fold constants"
        yield Problem("an operator must have an input that is not constant", node.name, node.node.op, hint)


def _shared_problems(node: BoundNode, tensors: list[Tensor]) -> Iterator[Problem]:
    types = ", ".join(tensor.dtype for tensor in tensors)
    if node.node.op not in _CONVERTERS and any(tensor.dtype == "float32" for tensor in tensors):
        yield Problem("an operator must be all integer or all float", node.name, types, _FULL_INT8)
    else:
        yield from _type_problems(node)
    yield from _constant_problems(node)
    for tensor in tensors:
        if tensor.dtype in _QUANTIZED and tensor.quant is None:
            yield Problem("every integer tensor must have a scale", node.name, tensor.name, _FULL_INT8)
        elif tensor.dtype == "int16" and any(tensor.quant.zero_point if tensor.quant is not None else ()):
            yield Problem("int16 tensors must have zero_point 0", node.name, tensor.name, _FULL_INT16)
    yield from _axis_problems(node)


def _type_problems(node: BoundNode) -> Iterator[Problem]:
    """Activations are all int8 or all int16, but where a graph converts, and for conditions and indices.

    Weights have rules of their own.
    """
    op, form = node.node.op, form_of(node)
    if form == "plain":
        yield from _plain_problems(node)
        return
    rule = OPERATORS[op].quant_rule
    constants = rule.weights_at | rule.biases_at
    for tensor, index, plain in _places(node):
        allowed = plain or (_CONVERTED if op in _CONVERTERS else (form,))
        allowed = ("int8",) if index in rule.int8_constants and tensor.is_constant else allowed
        if index not in constants and tensor.dtype not in allowed:
            what = f"{tensor.name} must be {' or '.join(allowed)}"
            yield Problem(what, node.name, tensor.dtype, _FULL_INT8)


def _plain_problems(node: BoundNode) -> Iterator[Problem]:
    """Of conditions and indices: what is computed has one of the operator's types, the same everywhere."""
    usual: tuple[str, ...] = OPERATORS[node.node.op].plain_form
    for tensor, _, plain in _places(node):
        allowed = plain or usual
        if not allowed:
            what = f"{node.node.op} computes no conditions, indices or other plain numbers"
            yield Problem(what, node.name, tensor.dtype, "float32, which is quantized, in their place")
            return
        if tensor.dtype not in allowed:
            yield Problem(f"{tensor.name} must be {' or '.join(allowed)}", node.name, tensor.dtype, "a cast")
        usual = usual if plain or tensor.dtype not in usual else (tensor.dtype,)


def _axis_problems(node: BoundNode) -> Iterator[Problem]:
    """Per-channel scales are for weights along their channel axis, and for biases."""
    rule = OPERATORS[node.node.op].quant_rule
    places = [*enumerate(node.inputs), *((None, tensor) for tensor in node.outputs)]
    for index, tensor in places:
        axis = None if tensor is None or tensor.quant is None else tensor.quant.channel_axis
        if tensor is None or axis is None or index in rule.biases_at:
            continue
        allowed = None if index is None else rule.channel_axis(index)
        if axis != allowed:
            expected = "one scale" if allowed is None else f"one scale, or one per index of axis {allowed}"
            yield Problem(
                f"{tensor.name} must have {expected}", node.name, f"scales along axis {axis}", _FULL_INT8
            )
