"""Models in which not every layer has the same technique."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mcu_quant.ir import Graph, check
from mcu_quant.ops.normalization_chain import normalization_chains
from mcu_quant.ops.support import find_problems, require_supported
from mcu_quant.quantize.activation_types import INT8, INT16
from mcu_quant.quantize.assign import LinearConstants
from mcu_quant.quantize.calibration import Progress, Ranges, calibrate
from mcu_quant.quantize.checks import check_quantizable, require_integer_forms
from mcu_quant.quantize.compositions import lower_compositions, lowered
from mcu_quant.quantize.edges import convert_inputs, convert_outputs
from mcu_quant.quantize.float_regions import with_float_regions
from mcu_quant.quantize.floats import with_float_weights
from mcu_quant.quantize.kinds import Kind
from mcu_quant.quantize.normalizations import with_normalizations
from mcu_quant.quantize.repair import check_repairs, settled
from mcu_quant.quantize.seams import Edges, with_seams
from mcu_quant.quantize.settle import check_calibration, integers
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.recipe import NO_RECIPE, check_recipe

#: By technique; the others compute in float32.
_KINDS: Mapping[str, Kind] = {"int8": INT8, "int16x8": INT16}
_EDGES: Mapping[str, Kind] = {"int8": INT8, "uint8": INT8, "int16": INT16, "float32": None}


def quantize_mixed(
    graph: Graph, samples: Iterable[Any], options: QuantizeOptions, progress: Progress | None = None
) -> Graph:
    """The graph (after passes.prepare) with each node by its technique, and converters where types change.

    options.recipe: of the nodes that it names. samples: as for quantize_integer; not looked at if no
    technique is of integers. Raises UnsupportedModelError naming every node without the form that it should
    have, else as quantize_integer and quantize_float do.
    """
    techniques = _techniques(graph, options)
    usual = options.activations
    edges = Edges(_EDGES[options.input_type or usual], _EDGES[options.output_type or usual])
    check_quantizable(graph)
    graph, techniques = _with_parts(graph, techniques)
    kinds: dict[str, Kind] = {name: _KINDS.get(technique) for name, technique in techniques.items()}
    needed = {*kinds.values(), edges.inputs, edges.outputs} - {None}
    ranges: Ranges = {}
    if needed:
        if INT16 in needed:
            check_calibration(options.calibration, INT16.dtype)
        check_repairs(options.repairs, samples)
        graph = settled(graph, samples, options, progress)
        inside = {node.output.name for chain in normalization_chains(graph) for node in chain.nodes[:-1]}
        method = options.calibration
        ranges = calibrate(graph, samples, method=method, progress=progress, whole=inside)
        kinds = with_normalizations(graph, ranges, kinds)
    kinds = with_float_regions(graph, kinds)
    quantized = _quantized(graph, ranges, kinds, edges, samples, options, progress)
    if options.allow_float:
        while lacking := {p.layer for p in find_problems(quantized) if kinds.get(p.layer) is not None}:
            kinds |= dict.fromkeys(lacking)
            quantized = _quantized(graph, ranges, kinds, edges, samples, options, progress)
    quantized = lower_compositions(with_float_weights(quantized, techniques, options))
    if options.input_type == "uint8":
        quantized = convert_inputs(quantized, "uint8")
    if options.output_type == "uint8":
        quantized = convert_outputs(quantized, "uint8")
    return require_supported(quantized) if options.allow_float else require_integer_forms(quantized)


def _techniques(graph: Graph, options: QuantizeOptions) -> dict[str, str]:
    """Of every node, by name. Raises InvalidInputError for a recipe that names others."""
    recipe, layers = options.recipe or NO_RECIPE, [node.name for node in graph.nodes]
    check_recipe(recipe, layers)
    return {layer: recipe.technique_of(layer, options.technique) for layer in layers}


def _with_parts(graph: Graph, techniques: Mapping[str, str]) -> tuple[Graph, dict[str, str]]:
    """With layer normalizations that are to be integers as several nodes, and the technique of each node."""
    names = [n.name for n in graph.nodes if n.op == "layer_normalization" and techniques[n.name] in _KINDS]
    graph, origins = lowered(graph, names)
    return graph, {node.name: techniques[origins.get(node.name, node.name)] for node in graph.nodes}


def _quantized(
    graph: Graph,
    ranges: Ranges,
    kinds: Mapping[str, Kind],
    edges: Edges,
    samples: Iterable[Any],
    options: QuantizeOptions,
    progress: Progress | None,
) -> Graph:
    """Before weights of float layers are narrowed."""
    graph, ranges, every = with_seams(graph, ranges, kinds, edges)
    constants = LinearConstants(options.per_tensor, options.weights_calibration, every)
    return check(integers(graph, ranges, constants, samples, options.repairs, progress))
