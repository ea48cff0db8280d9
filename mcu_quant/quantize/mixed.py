"""Models in which not every layer has the same technique."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcu_quant.ir import Graph, check
from mcu_quant.ops.support import find_problems, require_supported
from mcu_quant.quantize.activation_types import INT8, INT16
from mcu_quant.quantize.assign import LinearConstants
from mcu_quant.quantize.calibration import Progress, Ranges, calibrate
from mcu_quant.quantize.checks import check_quantizable, require_integer_forms
from mcu_quant.quantize.edges import convert_inputs, convert_outputs
from mcu_quant.quantize.floats import with_float_weights
from mcu_quant.quantize.kinds import Kind
from mcu_quant.quantize.repair import check_repairs, equalize
from mcu_quant.quantize.seams import Edges, with_seams
from mcu_quant.quantize.settle import check_calibration, integers

#: By technique; the others compute in float32.
_KINDS: Mapping[str, Kind] = {"int8": INT8, "int16x8": INT16}
_EDGES: Mapping[str, Kind] = {"int8": INT8, "uint8": INT8, "int16": INT16, "float32": None}


@dataclass(frozen=True)
class MixedOptions:
    """input_type, output_type: int8, uint8, int16 or float32. The others as for one technique.

    allow_float: layers that have no integer form are computed in float32, instead of an error.
    """

    input_type: str
    output_type: str
    calibration: str = "minmax"
    per_tensor: bool = False
    weights_calibration: str = "minmax"
    repairs: Sequence[str] = ()
    dynamic_range: str = "hybrid"
    allow_float: bool = False


def quantize_mixed(
    graph: Graph,
    samples: Iterable[Any],
    techniques: Mapping[str, str],
    options: MixedOptions,
    progress: Progress | None = None,
) -> Graph:
    """The graph (after passes.prepare) with each node by its technique, and converters where types change.

    techniques: of every node, by name. samples: as for quantize_int8; not looked at if no technique is of
    integers. Raises UnsupportedModelError naming every node without the form that it should have, else as
    quantize_int8 and quantize_float do.
    """
    check_quantizable(graph)
    kinds = {name: _KINDS.get(technique) for name, technique in techniques.items()}
    needed = {*kinds.values(), _EDGES[options.input_type], _EDGES[options.output_type]} - {None}
    ranges: Ranges = {}
    if needed:
        if INT16 in needed:
            check_calibration(options.calibration, INT16.dtype)
        check_repairs(options.repairs, samples)
        if "equalize" in options.repairs:
            graph = equalize(graph, samples, options.per_tensor, progress)
        ranges = calibrate(graph, samples, method=options.calibration, progress=progress)
    quantized = _quantized(graph, ranges, kinds, samples, options, progress)
    if options.allow_float:
        while lacking := {p.layer for p in find_problems(quantized) if kinds.get(p.layer) is not None}:
            kinds |= dict.fromkeys(lacking)
            quantized = _quantized(graph, ranges, kinds, samples, options, progress)
    quantized = with_float_weights(quantized, techniques, options.per_tensor, options.dynamic_range)
    if options.input_type == "uint8":
        quantized = convert_inputs(quantized, "uint8")
    if options.output_type == "uint8":
        quantized = convert_outputs(quantized, "uint8")
    return require_supported(quantized) if options.allow_float else require_integer_forms(quantized)


def _quantized(
    graph: Graph,
    ranges: Ranges,
    kinds: Mapping[str, Kind],
    samples: Iterable[Any],
    options: MixedOptions,
    progress: Progress | None,
) -> Graph:
    """Before weights of float layers are narrowed."""
    edges = Edges(_EDGES[options.input_type], _EDGES[options.output_type])
    graph, ranges, every = with_seams(graph, ranges, kinds, edges)
    constants = LinearConstants(options.per_tensor, options.weights_calibration, every)
    return check(integers(graph, ranges, constants, samples, options.repairs, progress))
