"""Rewrite a float graph as the integer graph that schemes describe."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node, QuantParams, Tensor, check, unique_name
from mcu_quant.quantize.assign import LinearConstants, Schemes, is_linear
from mcu_quant.quantize.operands import key, role, rule_of
from mcu_quant.quantize.schemes import Constant, quantize_activation_constant
from mcu_quant.quantize.states import storage_of_states, stored_states


@dataclass
class _Tensors:
    """The new graph's tensors. Equal uses of one float constant share one integer constant."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    uses: dict[tuple[str, str, QuantParams], list[str]] = field(default_factory=dict)

    def keep(self, tensor: Tensor) -> str:
        self.tensors[tensor.name] = tensor
        return tensor.name

    def constant(self, name: str, value: Constant) -> str:
        data, quant = value
        known = self.uses.setdefault((name, data.dtype.name, quant), [])
        for other in known:
            if (same := self.tensors[other].data) is not None and np.array_equal(same, data):
                return other
        known.append(self.keep(Tensor.constant(unique_name(name, self.tensors), data, quant)))
        return known[-1]


def integer_graph(graph: Graph, schemes: Schemes, constants: LinearConstants) -> Graph:
    """The same nodes over activations of constants.kinds, inputs and outputs included, and int8 weights.

    Nodes that stay in float32 keep their constants.
    """
    table, kinds = _Tensors(), constants.kinds
    states = storage_of_states(graph, schemes, kinds)
    kept = {*graph.kept}
    for node in graph.nodes:
        kept.update(name for name in node.inputs if name is not None and kinds.of_node(node.name) is None)
    for tensor in graph.tensors.values():
        kind = kinds.of_tensor(tensor.name)
        if tensor.is_constant:
            if tensor.dtype != "float32" or tensor.name in kept:
                table.keep(tensor)
        elif tensor.name in states:
            dtype, quant = states[tensor.name]
            table.keep(replace(tensor, dtype=dtype, quant=quant))
        elif kind is not None and tensor.name in schemes:
            table.keep(replace(tensor, dtype=kind.dtype, quant=schemes[tensor.name]))
        else:
            table.keep(tensor)
    nodes = tuple(_integer_node(node, schemes, constants, table) for node in graph.bound_nodes())
    kept_states = stored_states(graph, table.tensors)
    return check(graph.with_(nodes=nodes, tensors=table.tensors, states=kept_states))


def _integer_node(node: BoundNode, schemes: Schemes, constants: LinearConstants, table: _Tensors) -> Node:
    kind = constants.kinds.of_node(node.name)
    if kind is None:
        return node.node
    inputs: list[str | None] = list(node.node.inputs)
    if is_linear(node):
        rule = rule_of(node)
        assert rule.weights is not None
        weights, bias = constants.get(node, schemes[key(node, 0)])
        inputs[rule.weights.index] = table.constant(node.input(rule.weights.index).name, weights)
        if bias is not None and rule.bias is not None:
            given = node.optional_input(rule.bias)
            name = f"{node.name}/bias" if given is None else given.name
            inputs[rule.bias :] = [table.constant(name, bias)]
    for product in rule_of(node).products:
        factor = node.output.name if product.factor is None else key(node, product.factor)
        weights, bias = constants.of_product(node, product, schemes[factor])
        inputs[product.weights] = table.constant(node.input(product.weights).name, weights)
        if bias is not None and product.bias is not None:
            inputs[product.bias] = table.constant(node.input(product.bias).name, bias)
    for index, tensor in enumerate(node.inputs):
        if tensor is not None and tensor.data is not None and role(node, index) == "activation":
            place = key(node, index)
            narrow, quant = constants.kinds.of_constant(node, place), schemes[place]
            assert narrow is not None
            data = quantize_activation_constant(tensor.data, quant, narrow)
            inputs[index] = table.constant(tensor.name, (data, quant))
    assert all(name in schemes for name in constants.kinds.outputs(node))
    return replace(node.node, inputs=tuple(inputs))
