"""Full-integer post-training quantization to the LiteRT 8-bit specification.

docs and NUMERICS words: real = scale * (q - zero_point). Activations int8, asymmetric, per tensor;
weights int8, symmetric, per output channel or per tensor; bias int32. Or (int16x8) activations int16,
symmetric, and bias int64.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mcu_quant.ir import Graph
from mcu_quant.quantize.activation_types import ACTIVATION_TYPES
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
from mcu_quant.quantize.floats import quantize_float
from mcu_quant.quantize.kinds import Kinds
from mcu_quant.quantize.mixed import MixedOptions, quantize_mixed
from mcu_quant.quantize.repair import check_repairs, equalize
from mcu_quant.quantize.settle import check_calibration, integers
from mcu_quant.quantize.trained import require_trained, trained_ranges

__all__ = [
    "CALIBRATIONS",
    "CalibrationWarning",
    "MixedOptions",
    "Ranges",
    "calibrate",
    "check_quantizable",
    "quantize_float",
    "quantize_int8",
    "quantize_int8_with_ranges",
    "quantize_mixed",
    "quantize_trained",
]


def quantize_int8(
    graph: Graph,
    samples: Iterable[Any],
    *,
    calibration: str = "minmax",
    per_tensor: bool = False,
    input_type: str | None = None,
    output_type: str | None = None,
    weights_calibration: str = "minmax",
    repairs: Sequence[str] = (),
    progress: Progress | None = None,
    activations: str = "int8",
) -> Graph:
    """The integer graph of a float graph (after passes.prepare), calibrated on samples.

    samples: an iterable of tuples of float arrays, one per graph input, each [n, *shape],
    [n, *shape[1:]] or one sample shape[1:]; it is run through once, with repairs several times, and
    never held whole. The same samples give the same bytes however they are split.
    repairs: of choices.REPAIRS, in any order (repair.py). progress(done, total or None), in each pass.
    activations: "int8", or "int16" (the technique int16x8). input_type, output_type: that type if None.
    Raises UnsupportedModelError naming every operator without an integer form, InvalidModelError
    for weights or activations that are not finite, InvalidInputError for the data or the options.
    """
    kind = ACTIVATION_TYPES[activations]
    check_edge_type("input", input_type or kind.dtype, kind)
    check_edge_type("output", output_type or kind.dtype, kind)
    check_quantizable(graph)
    check_calibration(calibration, activations)
    check_repairs(repairs, samples)
    if "equalize" in repairs:
        graph = equalize(graph, samples, per_tensor, progress)
    ranges = calibrate(graph, samples, method=calibration, progress=progress)
    constants = LinearConstants(per_tensor, weights_calibration, Kinds(kind))
    quantized = integers(graph, ranges, constants, samples, repairs, progress)
    return _with_edges(quantized, input_type or kind.dtype, output_type or kind.dtype)


def quantize_int8_with_ranges(
    graph: Graph,
    ranges: Ranges,
    *,
    per_tensor: bool = False,
    input_type: str | None = None,
    output_type: str | None = None,
    weights_calibration: str = "minmax",
    activations: str = "int8",
) -> Graph:
    """The integer graph, given the range of every activation."""
    kind = ACTIVATION_TYPES[activations]
    constants = LinearConstants(per_tensor, weights_calibration, Kinds(kind))
    quantized = integers(graph, ranges, constants)
    return _with_edges(quantized, input_type or kind.dtype, output_type or kind.dtype)


def _with_edges(quantized: Graph, input_type: str, output_type: str) -> Graph:
    quantized = convert_outputs(convert_inputs(quantized, input_type), output_type)
    return require_integer_forms(quantized)


def quantize_trained(
    graph: Graph,
    *,
    technique: str = "int8",
    calibration: str = "minmax",
    weights_calibration: str = "minmax",
    per_tensor: bool = False,
    input_type: str | None = None,
    output_type: str | None = None,
    repairs: Sequence[str] = (),
) -> Graph:
    """The integer graph of a graph that was trained with quantization (Graph.trained), of its own ranges.

    Raises InvalidInputError for options that it was not trained for, or ranges that never saw data.
    """
    kind = ACTIVATION_TYPES["int8"]
    check_edge_type("input", input_type or kind.dtype, kind)
    check_edge_type("output", output_type or kind.dtype, kind)
    trained = require_trained(graph, technique, (calibration, weights_calibration), per_tensor, repairs)
    check_quantizable(graph)
    return quantize_int8_with_ranges(
        graph,
        trained_ranges(graph),
        per_tensor=trained.per_tensor,
        input_type=input_type,
        output_type=output_type,
    )
