"""The repairs that look at one layer after the other: bias correction and adaptive rounding.

Float and quantized model run side by side over a few hundred samples, node by node, and only what is still
to be read is held. Each linear node is repaired with what really arrives at it: the outputs of the repaired
nodes before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node, Tensor, unique_name
from mcu_quant.ops.interpreter import run_node
from mcu_quant.quantize.adaround import rounded_weights
from mcu_quant.quantize.assign import LinearConstants, Schemes, is_linear
from mcu_quant.quantize.bias import bias_shift
from mcu_quant.quantize.integer import integer_graph
from mcu_quant.quantize.operands import key, rule_of
from mcu_quant.quantize.schemes import quantize_activation_constant

#: Told how far it is, in samples.
Progress = Callable[[int, "int | None"], None]


def repaired(
    graph: Graph,
    schemes: Schemes,
    constants: LinearConstants,
    inputs: Sequence[np.ndarray],
    repairs: Sequence[str],
    progress: Progress | None = None,
) -> tuple[Graph, LinearConstants]:
    """(the float graph with corrected biases, the constants with adapted rounding).

    inputs: float32 [N, *shape] for each graph input. repairs: "bias", "adaround" or both.
    """
    run = _Run(graph, schemes, replace(constants, known={}), repairs)
    total = sum(run.is_repaired(node) for node in graph.bound_nodes())
    for done, _ in enumerate(run.nodes(inputs), 1):
        if progress is not None:
            progress(len(inputs[0]) * done // total, len(inputs[0]))
    return run.graph, run.constants


@dataclass
class _Run:
    graph: Graph
    schemes: Schemes
    constants: LinearConstants
    repairs: Sequence[str]
    real: dict[str, np.ndarray] = field(default_factory=dict)
    integer: dict[str, np.ndarray] = field(default_factory=dict)

    def nodes(self, inputs: Sequence[np.ndarray]) -> Iterator[None]:
        """Run all nodes; one item for each linear one."""
        graph = self.graph
        last_use = {read: i for i, node in enumerate(graph.nodes) for read in node.inputs}
        for name, value in zip(graph.inputs, inputs, strict=True):
            self.real[name] = value
            self.integer[name] = self._quantized(name, value) if name in self.schemes else value
        for index, node in enumerate(graph.nodes):
            bound = graph.bind(node)
            if self.is_repaired(bound):
                self._repair(bound)
                yield
            self._put(self.real, run_node(bound, _operands(bound, self.real)), node)
            done = self._integer_node(node)
            self._put(self.integer, run_node(done, _operands(done, self.integer)), node)
            for read in node.inputs:
                if read in self.real and last_use[read] == index:
                    del self.real[read], self.integer[read]

    def is_repaired(self, node: BoundNode) -> bool:
        return is_linear(node) and self.constants.kinds.of_node(node.name) is not None

    def _repair(self, node: BoundNode) -> None:
        """Adapt the rounding first: it changes what the bias has to make up for."""
        x = self.real[node.input(0).name]
        quant = self.schemes[key(node, 0)]
        arrives = self.integer[node.input(0).name].astype(np.float32) - np.float32(quant.zero_point[0])
        arrives *= np.float32(quant.scale[0])
        (q, weights_quant), _ = self.constants.get(self._current(node), quant)
        if "adaround" in self.repairs:
            q = rounded_weights(node, x, arrives, weights_quant, centered="bias" in self.repairs)
            self.constants.round_as(node.name, q, weights_quant)
        if "bias" in self.repairs:
            weights = q * weights_quant.broadcast_scale(q.ndim)
            self._add_to_bias(node, bias_shift(node, x, arrives, weights))

    def _current(self, node: BoundNode) -> BoundNode:
        """The node as the graph has it by now."""
        return next(self.graph.bind(n) for n in self.graph.nodes if n.name == node.name)

    def _add_to_bias(self, node: BoundNode, shift: np.ndarray) -> None:
        index = rule_of(node).bias
        assert index is not None
        old = node.optional_input(index)
        values = shift if old is None or old.data is None else old.data + shift
        name = unique_name(f"{node.name}/bias" if old is None else old.name, self.graph.tensors)
        tensor = Tensor.constant(name, values.astype(np.float32))
        changed = replace(node.node, inputs=(*node.node.inputs[:index], name))
        nodes = tuple(changed if n.name == node.name else n for n in self.graph.nodes)
        self.graph = self.graph.with_(nodes=nodes, tensors={**self.graph.tensors, name: tensor})
        self.constants.forget(node.name)

    def _integer_node(self, node: Node) -> BoundNode:
        """The node alone, over integers."""
        current = next(n for n in self.graph.nodes if n.name == node.name)
        computed = [n for n in current.inputs if n is not None and not self.graph.tensors[n].is_constant]
        alone = self.graph.with_(
            nodes=(current,), inputs=tuple(dict.fromkeys(computed)), outputs=node.outputs
        )
        (bound,) = integer_graph(alone, self.schemes, self.constants).bound_nodes()
        return bound

    def _quantized(self, name: str, value: np.ndarray) -> np.ndarray:
        kind = self.constants.kinds.of_tensor(name)
        assert kind is not None, name
        return quantize_activation_constant(value, self.schemes[name], kind)

    @staticmethod
    def _put(values: dict[str, np.ndarray], results: Sequence[np.ndarray], node: Node) -> None:
        values.update(zip(node.outputs, results, strict=True))


def _operands(node: BoundNode, values: dict[str, np.ndarray]) -> list[np.ndarray | None]:
    return [
        None if tensor is None else tensor.data if tensor.is_constant else values[tensor.name]
        for tensor in node.inputs
    ]
