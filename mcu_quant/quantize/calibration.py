"""Run the float model over the samples and learn the range of every activation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container, Iterable
from typing import Any

import numpy as np

from mcu_quant.choices import split_calibration
from mcu_quant.errors import InvalidInputError, InvalidModelError
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import initial_states, run_graph
from mcu_quant.quantize import samples as sampling
from mcu_quant.quantize.entropy import Entropy
from mcu_quant.quantize.minmax import MinMax
from mcu_quant.quantize.moving_average import MovingAverage
from mcu_quant.quantize.mse import MeanSquaredError
from mcu_quant.quantize.percentile import Percentile
from mcu_quant.quantize.ranges import Calibrator, Ranges
from mcu_quant.quantize.samples import CalibrationWarning

__all__ = ["CALIBRATIONS", "CalibrationWarning", "Progress", "Ranges", "calibrate"]

#: progress(samples done, samples in all or None if not known).
Progress = Callable[[int, "int | None"], None]

#: Every method by the name that users give. A new one is its file and a line here.
CALIBRATIONS: dict[str, type[Calibrator]] = {
    "minmax": MinMax,
    "moving_average": MovingAverage,
    "percentile": Percentile,
    "mse": MeanSquaredError,
    "entropy": Entropy,
}

#: No activation may be larger: scales and their products must stay normal float32 numbers.
_LARGEST_VALUE = 2.0**60


def calibrate(
    graph: Graph,
    samples: Iterable[Any],
    *,
    method: str = "minmax",
    progress: Progress | None = None,
    whole: Container[str] = (),
) -> Ranges:
    """The range of every activation of a float graph over the samples, graph inputs included.

    method: a key of CALIBRATIONS, or "percentile=99.9"; of the tensors `whole` it is minmax all the same.
    samples: items with one array per graph input (see quantize_integer). They are run through once,
    in batches, and never held all at once. Raises McuQuantError for data or a model that is not
    finite or does not fit; an exception in `samples` or `progress` (Ctrl-C, too) comes through.
    """
    name, value = split_calibration(method)
    calibrator = CALIBRATIONS[name]() if value is None else Percentile(value)
    total = sampling.count(graph, samples)
    if calibrator.passes > 1 and iter(samples) is samples:
        raise InvalidInputError(
            f"{method} calibration runs through the samples {calibrator.passes} times",
            value="an iterator, which can be run through once",
            hint="an array or a list",
        )
    extremes = MinMax()
    layer_of = {name: node.name for name, node in graph.producers().items()}

    def observe(tensor: str, values: np.ndarray) -> None:
        if graph.tensors[tensor].dtype == "float32":
            _check_values(layer_of.get(tensor, tensor), values)
            (extremes if tensor in whole else calibrator).observe(tensor, values)

    for index in range(calibrator.passes):
        if index:
            calibrator.next_pass()
        observe_all(graph, samples, observe, progress, total)
    ranges = {**calibrator.ranges(), **extremes.ranges()}
    _warn_of_useless_inputs(graph, ranges)
    return ranges


def observe_all(
    graph: Graph,
    samples: Iterable[Any],
    observe: Callable[[str, np.ndarray], None],
    progress: Progress | None,
    total: int | None = None,
) -> None:
    """Run the float graph over all samples in batches; observe(tensor, [N, *shape]) for every activation.

    Of states, which change within a run, with all that they were: [N, …].
    """
    done, states = 0, initial_states(graph)
    for batch in sampling.batches(graph, samples):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            run_graph(graph, batch, observe, states, within_runs=True)
        done += len(batch[0])
        if progress is not None:
            progress(done, total)


def _check_values(layer: str, values: np.ndarray) -> None:
    largest = float(np.abs(values).max(initial=0.0))
    if not largest <= _LARGEST_VALUE:
        raise InvalidModelError(
            "the values of every layer must be finite and moderate in calibration",
            layer=layer,
            value=f"largest magnitude {largest:g}",
            hint="calibration data scaled as in training; a model without exploding layers",
        )


def _warn_of_useless_inputs(graph: Graph, ranges: Ranges) -> None:
    for name in graph.inputs:
        low, high = ranges.get(name, (0.0, 1.0))
        if low == high and graph.tensors[name].elements > 0:
            warnings.warn(
                f"{name}: every value of the calibration data is {low:g}; the ranges learned from it are "
                "useless. Try: real samples of the data that the model will see.",
                CalibrationWarning,
                stacklevel=4,
            )
