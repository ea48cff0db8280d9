"""The float graph that a quantized model is compared with: the one that its numbers were rounded from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mcu_quant.ir import Graph
from mcu_quant.passes import prepare
from mcu_quant.quantize.repair import settled
from mcu_quant.quantize_options import QuantizeOptions


def reference_graph(graph: Graph) -> Graph:
    """A loaded float graph as `quantize` rounds it: one that was trained with quantization is it already."""
    return graph if graph.trained is not None else prepare(graph)


def rounded_graph(graph: Graph, options: QuantizeOptions, samples: Iterable[Any]) -> Graph:
    """The reference as it is calibrated: the same outputs, other numbers between (equalization, masks)."""
    reference = reference_graph(graph)
    return reference if reference.trained is not None else settled(reference, samples, options)
