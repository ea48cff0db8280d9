"""Ranges that quantization-aware training has learned, in place of calibration."""

from __future__ import annotations

from mcu_quant.errors import InvalidInputError
from mcu_quant.fixed_point import INT8_MAX, INT8_MIN
from mcu_quant.ir import Graph, TrainedQuantization
from mcu_quant.quantize.assign import fixed_schemes, union
from mcu_quant.quantize.kinds import equal_scale_groups
from mcu_quant.quantize.ranges import Ranges
from mcu_quant.quantize_options import QuantizeOptions


def require_trained(graph: Graph, options: QuantizeOptions) -> TrainedQuantization:
    """What was trained, if the options ask for nothing else. Raises InvalidInputError."""
    trained = graph.trained
    assert trained is not None, graph.name
    if options.technique != "int8":
        raise InvalidInputError(
            "a model that was trained with quantization becomes int8: its training rounded to 8 bits",
            layer=graph.name,
            value=f"technique {options.technique}",
            hint="technique int8, or the float model that prepare_qat was given for the other techniques",
        )
    calibrations = (options.calibration, options.weights_calibration)
    if calibrations != ("minmax", "minmax"):
        raise InvalidInputError(
            "a model that was trained with quantization is not calibrated: it has its ranges",
            layer=graph.name,
            value=f"calibration {' and '.join(calibrations)}",
            hint="the call without it",
        )
    if options.repairs:
        raise InvalidInputError(
            "a model that was trained with quantization takes no repairs: training has done their work",
            layer=graph.name,
            value=", ".join(options.repairs),
            hint="the call without them",
        )
    if options.per_tensor and not trained.per_tensor:
        raise InvalidInputError(
            "weights must have the scales that they were trained with",
            layer=graph.name,
            value="per_tensor, trained per channel",
            hint="prepare_qat(model, per_tensor=True)",
        )
    if trained.unseen:
        raise InvalidInputError(
            "ranges must have seen data",
            layer=trained.unseen[0],
            value=f"{len(trained.unseen)} ranges of a model that was prepared and not trained",
            hint="train for at least a step, or give prepare_qat a representative_dataset",
        )
    return trained


def trained_ranges(graph: Graph) -> Ranges:
    """A range for every activation: its own, or that of the tensors that share its scale."""
    assert graph.trained is not None, graph.name
    ranges = dict(graph.trained.ranges)
    for name, scheme in fixed_schemes(graph).items():
        (scale,), (zero_point,) = scheme.scale, scheme.zero_point
        ranges[name] = ((INT8_MIN - zero_point) * scale, (INT8_MAX - zero_point) * scale)
    for members in equal_scale_groups(graph).members().values():
        computed = [name for name in members if name in graph.tensors]
        spans = [ranges[name] for name in computed if name in ranges]
        if computed and not spans:
            raise InvalidInputError(
                "the trained model must have a range for every activation",
                layer=computed[0],
                hint="prepare the float model again",
            )
        for name in computed:
            ranges.setdefault(name, union(spans))
    return ranges
