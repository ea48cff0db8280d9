"""Post-training quantization: to integers by the LiteRT 8-bit specification, of weights alone, or mixed.

docs and NUMERICS words: real = scale * (q - zero_point). Activations int8, asymmetric, per tensor;
weights int8, symmetric, per output channel or per tensor; bias int32. Or (int16x8) activations int16,
symmetric, and bias int64.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mcu_quant.ir import Graph
from mcu_quant.quantize.activation_types import ACTIVATION_TYPES, ActivationType
from mcu_quant.quantize.assign import LinearConstants
from mcu_quant.quantize.calibration import (
    CALIBRATIONS,
    CalibrationWarning,
    Progress,
    Ranges,
    calibrate,
)
from mcu_quant.quantize.checks import check_quantizable, require_integer_forms
from mcu_quant.quantize.edges import (
    check_edge_type,
    convert_inputs,
    convert_outputs,
)
from mcu_quant.quantize.float_regions import lacks_forms
from mcu_quant.quantize.floats import quantize_float
from mcu_quant.quantize.kinds import Kinds
from mcu_quant.quantize.mixed import quantize_mixed
from mcu_quant.quantize.repair import check_repairs, settled
from mcu_quant.quantize.settle import check_calibration, integers
from mcu_quant.quantize.trained import require_trained, trained_ranges
from mcu_quant.quantize_options import USUAL, QuantizeOptions

__all__ = [
    "CALIBRATIONS",
    "CalibrationWarning",
    "Ranges",
    "calibrate",
    "check_quantizable",
    "quantize_float",
    "quantize_integer",
    "quantize_mixed",
    "quantize_trained",
]


def quantize_integer(
    graph: Graph,
    samples: Iterable[Any],
    options: QuantizeOptions = USUAL,
    progress: Progress | None = None,
) -> Graph:
    """The integer graph of a float graph (after passes.prepare), calibrated on samples.

    samples: an iterable of tuples of float arrays, one per graph input, each [n, *shape],
    [n, *shape[1:]] or one sample shape[1:]; it is run through once, with repairs several times, and
    never held whole. The same samples give the same bytes however they are split.
    Operators that have no such form are computed in float32, between converters.
    options: of an integer technique. progress(done, total or None), in each pass.
    Raises UnsupportedModelError naming every operator without an integer form, InvalidModelError
    for weights or activations that are not finite, InvalidInputError for the data or the options.
    """
    kind = _activation_type(options)
    if lacks_forms(graph, kind):
        return quantize_mixed(graph, samples, options, progress)
    check_quantizable(graph)
    check_calibration(options.calibration, kind.dtype)
    check_repairs(options.repairs, samples)
    graph = settled(graph, samples, options, progress)
    ranges = calibrate(graph, samples, method=options.calibration, progress=progress)
    constants = LinearConstants(options.per_tensor, options.weights_calibration, Kinds(kind))
    return _with_edges(integers(graph, ranges, constants, samples, options.repairs, progress), kind, options)


def quantize_trained(graph: Graph, options: QuantizeOptions = USUAL) -> Graph:
    """The integer graph of a graph that was trained with quantization (Graph.trained), of its own ranges.

    Raises InvalidInputError for options that it was not trained for, or ranges that never saw data.
    """
    trained = require_trained(graph, options)
    kind = _activation_type(options)
    check_quantizable(graph)
    constants = LinearConstants(trained.per_tensor, options.weights_calibration, Kinds(kind))
    return _with_edges(integers(graph, trained_ranges(graph), constants), kind, options)


def _activation_type(options: QuantizeOptions) -> ActivationType:
    """What activations are, if the types of inputs and outputs go with it; else InvalidInputError."""
    kind = ACTIVATION_TYPES[options.activations]
    check_edge_type("input", options.input_type or kind.dtype, kind)
    check_edge_type("output", options.output_type or kind.dtype, kind)
    return kind


def _with_edges(quantized: Graph, kind: ActivationType, options: QuantizeOptions) -> Graph:
    """With inputs and outputs of the types that the options say, and all layers supported."""
    quantized = convert_inputs(quantized, options.input_type or kind.dtype)
    quantized = convert_outputs(quantized, options.output_type or kind.dtype)
    return require_integer_forms(quantized)
