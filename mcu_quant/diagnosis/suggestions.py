"""What could be tried against a finding: names of candidates, from whatever the options can still become."""

from __future__ import annotations

from mcu_quant.evaluation.candidates import Candidate, remedies
from mcu_quant.quantize_options import QuantizeOptions


def is_hybrid(options: QuantizeOptions) -> bool:
    """Whether float inputs are quantized on the fly for sums with 8-bit weights."""
    return options.technique == "dynamic" and options.dynamic_range != "weights"


def weights_only(options: QuantizeOptions) -> tuple[str, ...]:
    return tuple(c.name for c in _changing("dynamic_range", options) if is_hybrid(options))


def per_channel(options: QuantizeOptions) -> tuple[str, ...]:
    return tuple(c.name for c in _changing("per_tensor", options))


def calibrations(options: QuantizeOptions) -> tuple[str, ...]:
    return tuple(c.name for c in _changing("calibration", options))


def weights_calibrations(options: QuantizeOptions) -> tuple[str, ...]:
    return tuple(c.name for c in _changing("weights_calibration", options))


def _changing(field: str, options: QuantizeOptions) -> list[Candidate]:
    return [c for c in remedies(options) if field in c.changes and not c.changes_technique]


def repairs(options: QuantizeOptions, word: str) -> tuple[str, ...]:
    """The first that adds that repair."""
    added = [c for c in _changing("repairs", options) if word in c.changes["repairs"]]
    return tuple(c.name for c in added[:1])
