"""The float graph that a quantized model is compared with: the one that its numbers were rounded from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mcu_quant.ir import Graph
from mcu_quant.passes import prepare
from mcu_quant.quantize.repair import equalize
from mcu_quant.quantize_options import QuantizeOptions


def reference_graph(graph: Graph) -> Graph:
    """A loaded float graph as `quantize` rounds it: one that was trained with quantization is it already."""
    return graph if graph.trained is not None else prepare(graph)


def rounded_graph(graph: Graph, options: QuantizeOptions, samples: Iterable[Any]) -> Graph:
    """The reference with channels as equalization scales them: the same outputs, other numbers between."""
    reference = reference_graph(graph)
    if reference.trained is not None or "equalize" not in options.repairs:
        return reference
    return equalize(reference, samples, options.per_tensor, None)
