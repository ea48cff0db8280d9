"""From calibrated ranges to integers: schemes, the repairs that go layer by layer, the rewritten graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from mcu_quant.choices import INT8_CALIBRATIONS, split_calibration
from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph, check
from mcu_quant.quantize.assign import LinearConstants, assign_schemes, separate_fixed_outputs
from mcu_quant.quantize.calibration import Progress, Ranges
from mcu_quant.quantize.integer import integer_graph
from mcu_quant.quantize.layerwise import repaired
from mcu_quant.quantize.repair import repair_inputs
from mcu_quant.quantize.states import with_converted_states


def check_calibration(calibration: str, activations: str) -> None:
    """Refuse methods that make no sense for activations of that type."""
    if activations != "int8" and split_calibration(calibration)[0] in INT8_CALIBRATIONS:
        raise InvalidInputError(
            f"the calibration methods {' and '.join(INT8_CALIBRATIONS)} weigh the steps of int8 activations",
            value=f"{calibration} for {activations}",
            hint="minmax: the steps of int16 are fine enough for the whole range",
        )


def integers(
    graph: Graph,
    ranges: Ranges,
    constants: LinearConstants,
    samples: Iterable[Any] = (),
    repairs: Sequence[str] = (),
    progress: Progress | None = None,
) -> Graph:
    """The graph with activations of constants.kinds, its inputs and outputs included.

    repairs: of choices.REPAIRS; "equalize" is done before ranges are known, and not here.
    """
    graph, ranges, kinds = with_converted_states(graph, ranges, constants.kinds)
    graph, ranges, kinds = separate_fixed_outputs(graph, ranges, kinds)
    constants = replace(constants, kinds=kinds)
    layerwise = [repair for repair in repairs if repair != "equalize"]
    if layerwise:
        schemes, inputs = assign_schemes(graph, ranges, constants), repair_inputs(graph, samples)
        graph, constants = repaired(graph, schemes, constants, inputs, layerwise, progress)
    schemes = assign_schemes(graph, ranges, constants)
    return check(integer_graph(graph, schemes, constants))
