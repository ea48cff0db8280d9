"""One layer at a time: what quantizing it alone does to the model's output, and which part of it does so.

Quantized are a layer's own weights, and its output to its own scale; what it reads, and everything
behind it, stays float. So each step of quantization counts once: the coarse scale of one layer is not blamed
on the next one, too, and layers that only move values (reshape, max pooling) have no noise of their own.
Weights alone and the output's scale alone are compared with the layer's float output. The bias stays float: a
corrected one makes up for what the layers before did, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mcu_quant import samples
from mcu_quant.diagnosis.alignment import (
    Alignment,
    Step,
    channels_of,
    is_quantized,
    real_constant,
    weights_of,
)
from mcu_quant.evaluation.datasets import Batch, Dataset
from mcu_quant.evaluation.fidelity import ChannelNoise, Scorer, has_classes
from mcu_quant.ir import Graph, Node, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.interpreter import run_graph, run_node

#: Samples that this is done with, evenly from all: it runs the model about half as often as it has layers.
SAMPLES = 64

Values = dict[str, np.ndarray]


@dataclass
class Sensitivity:
    """weights, activation: noise at the layer's own output by one part alone; None without that part."""

    scorer: Scorer
    weights: ChannelNoise | None = None
    activation: ChannelNoise | None = None


@dataclass
class _Runner:
    alignment: Alignment
    outputs: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        self.outputs = self.alignment.reference.outputs

    def after(self, step: Step, changed: np.ndarray, values: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The float model's outputs with that step's output changed; only what depends on it is run again."""
        graph = self.alignment.reference
        fresh: Values = {step.tensor.name: changed}
        for node in graph.nodes:
            if node is step.node or not any(name in fresh for name in node.inputs if name is not None):
                continue
            fresh.update(zip(node.outputs, _run(graph, node, fresh, values), strict=True))
        return [fresh[name] if name in fresh else values[name] for name in self.outputs]


def sensitivities(
    alignment: Alignment, dataset: Dataset, progress: Callable[[int], None] = lambda done: None
) -> dict[str, Sensitivity]:
    """By step name, over a thinned part of the data. progress: told how many samples are done."""
    with_classes = has_classes(alignment.reference)
    found = {step.name: Sensitivity(Scorer(with_classes, None)) for step in alignment.steps}
    runner, done = _Runner(alignment), 0
    for batch in dataset.batches():
        values: Values = {}
        wanted = run_graph(alignment.reference, batch.inputs, values.__setitem__)
        for step in alignment.steps:
            _measure(runner, step, values, wanted, batch, found[step.name])
        done += len(batch.positions)
        progress(done)
    return found


def _measure(
    runner: _Runner, step: Step, values: Values, wanted: list[np.ndarray], batch: Batch, into: Sensitivity
) -> None:
    real, channels = values[step.tensor.name], channels_of(step.tensor)
    if _only_moves(runner.alignment, step, values):
        into.scorer.add(wanted, wanted, batch)
        return
    by_weights = _with_stored_weights(runner.alignment, step, values)
    changed = _rounded(step, real if by_weights is None else by_weights)
    into.scorer.add(wanted, runner.after(step, changed, values), batch)
    if is_quantized(step.stored):
        into.activation = into.activation or ChannelNoise(channels)
        into.activation.add(real, _rounded(step, real))
    if by_weights is not None:
        into.weights = into.weights or ChannelNoise(channels)
        into.weights.add(real, by_weights)


def _with_stored_weights(alignment: Alignment, step: Step, values: Values) -> np.ndarray | None:
    """The layer's output for float inputs with the weights that are stored; None if they are float or none.

    A hybrid layer quantizes its float inputs itself and runs as it is.
    """
    if step.node is None or step.quantized is None or step.node.op != step.quantized.op:
        return None
    graph, stored = alignment.reference, alignment.quantized.bind(step.quantized)
    index = step.node.outputs.index(step.tensor.name)
    if form_of(stored) == "hybrid":
        return _run(alignment.quantized, step.quantized, {}, values)[index]
    where = weights_of(graph.bind(step.node))
    if where is None or not _is_rounded(stored.input(where[0])):
        return None
    name = str(step.node.inputs[where[0]])
    weights = replace(graph.tensors[name], data=real_constant(stored.input(where[0])))
    return _run(replace(graph, tensors={**graph.tensors, name: weights}), step.node, {}, values)[index]


def _only_moves(alignment: Alignment, step: Step, values: Values) -> bool:
    """Whether rounding before the layer is rounding behind it, under one scale: it adds none."""
    if step.node is None or OPERATORS[step.node.op].quant_rule.output != "same":
        return False
    rounded = {name: _rounded(step, values[name]) for name in step.node.inputs if name in values}
    index = step.node.outputs.index(step.tensor.name)
    moved = _run(alignment.reference, step.node, rounded, values)[index]
    return np.array_equal(moved, _rounded(step, values[step.tensor.name]))


def _is_rounded(constant: Tensor) -> bool:
    return constant.is_constant and constant.dtype != "float32"


def _rounded(step: Step, real: np.ndarray) -> np.ndarray:
    """Real values as the stored tensor can hold them: rounded, limited. Conditions and indices stay."""
    if not is_quantized(step.stored) or real.dtype.kind != "f":
        return real
    return samples.dequantize(samples.quantize(real, step.stored, step.name), step.stored)


def _run(
    graph: Graph, node: Node, fresh: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, ...]:
    bound = graph.bind(node)
    operands = [
        None
        if tensor is None
        else tensor.data
        if tensor.is_constant
        else fresh[tensor.name]
        if tensor.name in fresh
        else values[tensor.name]
        for tensor in bound.inputs
    ]
    return run_node(bound, operands)
