"""What the figures of a layer mean, and what helps: one function a rule, the thresholds at the top.

docs/QUANTIZATION.md lists them for users. A *fault* names a layer that costs accuracy, a *note* one that does
not. Faults need a share of the output's noise (LEAST_NOISE_SHARE): a layer that hurts nobody is not named.
Each rule is tested on a model in which its fault was planted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mcu_quant.diagnosis import suggestions
from mcu_quant.diagnosis.layers import LayerFacts
from mcu_quant.evaluation.fidelity import Fidelity
from mcu_quant.quantize_options import QuantizeOptions

#: Of all layers' noise at the output, what a layer must make for a fault to be its.
LEAST_NOISE_SHARE = 0.01
#: Clipped values, as a share of a layer's values, and the share of its noise that this must make.
CLIPPED, CLIPPING_NOISE = 0.005, 0.5
#: The calibrated range over the range seen: beyond it most of the steps are never used.
UNUSED = 4.0
#: The whole range over the range of 99.9 % of the values: a few outliers set the scale.
OUTLIERS = 4.0
#: Largest over median magnitude of channels.
SPREAD = 8.0
#: 8 bits of well-distributed values have 35 to 45 dB; what has more than these is not at fault.
GOOD_WEIGHTS_DB, GOOD_ACTIVATION_DB, GOOD_DB = 28.0, 28.0, 25.0
#: Of a layer's noise, what a constant shift of its channels must make.
SHIFT = 0.5
#: A layer that alone makes this share of the noise is sensitive, where the model suffers.
SENSITIVE = 0.3
#: The model suffers below this share of equal classes; without classes, below this SQNR.
AGREEMENT, OUTPUT_DB = 0.99, 20.0

_WEIGHTS_ONLY = "float sums of 8-bit weights (--dynamic-range weights)"
#: Named for the first layer only: the shift goes on to those behind it.
_SHIFTED = "shifted"


@dataclass(frozen=True)
class Finding:
    """layer: "" for the whole model. candidates: what --auto would try for it, best first; may be none.

    severity: "fault" or "note". evidence: the figures, in words. remedy: what to do.
    """

    rule: str
    layer: str
    severity: str
    evidence: str
    remedy: str
    noise_share: float = 0.0
    candidates: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "layer": self.layer,
            "severity": self.severity,
            "evidence": self.evidence,
            "remedy": self.remedy,
            "noise_share": self.noise_share,
            "candidates": list(self.candidates),
        }


@dataclass(frozen=True)
class Context:
    """options: what the model was quantized with. on_test: figures are of test data, not of calibration's."""

    options: QuantizeOptions
    on_test: bool
    fidelity: Fidelity

    @property
    def suffers(self) -> bool:
        agreement = self.fidelity.agreement
        if agreement is not None:
            return agreement.share < AGREEMENT
        return self.fidelity.sqnr_db is not None and self.fidelity.sqnr_db < OUTPUT_DB


Rule = Callable[[LayerFacts, Context], "Finding | None"]


def clipped_by_calibration(layer: LayerFacts, context: Context) -> Finding | None:
    """Values lie beyond the calibrated range, and clipping them is most of the layer's noise.

    With test data: the calibration data does not hold what the model sees. Without: the calibration method
    cuts too much off.
    """
    if layer.saturation < CLIPPED or layer.clipping_share < CLIPPING_NOISE or layer.stored_range is None:
        return None
    if context.on_test and context.options.calibration == "minmax":
        remedy = "calibrate with data like the test data: prepared alike, every class, 100 to 500 samples"
    else:
        remedy = "a calibration that cuts less off (--calibration minmax), or data like the test data"
    return Finding(
        "clipped",
        layer.name,
        "fault",
        f"{100 * layer.saturation:.2g} % of the values are beyond what int8 was calibrated for: they are in "
        f"{_span(layer.real_range)}, the calibrated range is {_span(layer.stored_range)}",
        remedy,
    )


def unused_range(layer: LayerFacts, context: Context) -> Finding | None:
    """The calibrated range is several times what the data needs, so that steps are too coarse.

    With test data: calibration saw other data. Without: the layer shares its scale with a larger one, as
    those that are concatenated do.
    """
    if layer.stored_range is None or layer.fixed_range or not _poor(layer.activation_sqnr_db):
        return None
    used = _width(layer.real_range)
    if used <= 0.0 or _width(layer.stored_range) < UNUSED * used:
        return None
    return Finding(
        "unused_range",
        layer.name,
        "fault",
        f"the values are in {_span(layer.real_range)}, the calibrated range is {_span(layer.stored_range)}: "
        f"{_width(layer.stored_range) / used:.0f} times as wide",
        "calibrate with data that is scaled as the model's inputs are (0..1 or 0..255, say)"
        if context.on_test
        else "it shares one scale with a layer of larger values (layers that are concatenated do): scale one "
        "of them in the model, or keep both in int16 or float (--recipe)",
    )


def activation_outliers(layer: LayerFacts, context: Context) -> Finding | None:
    """A few values far from all others set the scale."""
    if layer.stored_range is None or layer.fixed_range or not _poor(layer.activation_sqnr_db):
        return None
    inner = _width(layer.central_range)
    if inner <= 0.0 or _width(layer.stored_range) < OUTLIERS * inner:
        return None
    return Finding(
        "activation_outliers",
        layer.name,
        "fault",
        f"99.9 % of the values are in {_span(layer.central_range)}, but the range is "
        f"{_span(layer.stored_range)} for the sake of the rest",
        "a calibration method that leaves outliers out (--calibration percentile, mse or entropy), or this "
        "layer in int16 or float (--recipe)",
        candidates=suggestions.calibrations(context.options),
    )


def unequal_activations(layer: LayerFacts, context: Context) -> Finding | None:
    """Channels of one activation differ much in range, and an activation has one scale for all of them."""
    if layer.fixed_range:
        return None
    if layer.channel_spread is None or layer.channel_spread < SPREAD or not _poor(layer.activation_sqnr_db):
        return None
    return Finding(
        "unequal_channels",
        layer.name,
        "fault",
        f"the largest channel's range is {layer.channel_spread:.0f} times the median one's, under one scale"
        + (f"; {len(layer.lost)} channels are lost in a single step" if layer.lost else ""),
        "equalize the layers' channels (--repair equalize), or this layer in int16 or float (--recipe)",
        candidates=suggestions.repairs(context.options, "equalize"),
    )


def unequal_weights(layer: LayerFacts, context: Context) -> Finding | None:
    """Channels of the weights differ much in range under one scale."""
    weights = layer.weights
    if weights is None or weights.per_channel or weights.spread is None:
        return None
    if weights.spread < SPREAD or not _poor(weights.sqnr_db, GOOD_WEIGHTS_DB):
        return None
    return Finding(
        "unequal_weights",
        layer.name,
        "fault",
        f"the largest channel's weights are {weights.spread:.0f} times the median channel's, under one "
        f"scale: the weights alone leave {weights.sqnr_db:.1f} dB",
        "one scale per channel (without --per-tensor); where it must be one scale, equalize",
        candidates=(
            *suggestions.per_channel(context.options),
            *suggestions.repairs(context.options, "equalize"),
        ),
    )


def coarse_weights(layer: LayerFacts, context: Context) -> Finding | None:
    """The weights' rounding alone makes the layer bad although output channels are not the cause.

    Where the weights of input channels are far apart, they make up for the channels of the layer before:
    large ones set the scale for all, and small ones, which read large values, are rounded to few steps.
    """
    weights = layer.weights
    if weights is None or not _poor(weights.sqnr_db, GOOD_WEIGHTS_DB):
        return None
    if not weights.per_channel and weights.spread is not None and weights.spread >= SPREAD:
        return None
    hybrid = suggestions.is_hybrid(context.options)
    what = "rounding the weights, and the inputs on the fly," if hybrid else "rounding the weights alone"
    evidence = f"{what} leaves {weights.sqnr_db:.1f} dB at this layer's output"
    remedy = f"{_WEIGHTS_ONLY}; " if hybrid else ""
    remedy += "" if weights.per_channel else "one scale per channel (without --per-tensor); "
    first = (*suggestions.weights_only(context.options), *suggestions.per_channel(context.options))
    if weights.input_spread is not None and weights.input_spread >= SPREAD:
        evidence += f"; those of one input channel are {weights.input_spread:.0f} times off the median's"
        remedy += "equalize the channels of the layer before (--repair equalize); "
        first += suggestions.repairs(context.options, "equalize")
    return Finding(
        "coarse_weights",
        layer.name,
        "fault",
        evidence,
        f"{remedy}weights rounded so as to keep the layer's output (--repair adaround), or clipped where "
        "that is better (--weights-calibration mse), quantization-aware training, or this layer in float "
        "(--recipe)",
        candidates=(
            *first,
            *suggestions.weights_calibrations(context.options),
            *suggestions.repairs(context.options, "adaround"),
        ),
    )


def shifted(layer: LayerFacts, context: Context) -> Finding | None:
    """Most of the noise is a constant shift of channels, which a bias can take back."""
    if not context.suffers or layer.weights is None:
        return None
    if layer.bias_share < SHIFT or not _poor(layer.sqnr_db, GOOD_DB):
        return None
    return Finding(
        _SHIFTED,
        layer.name,
        "fault",
        f"{100 * layer.bias_share:.0f} % of this layer's noise is a constant shift of its channels",
        "bias correction (--repair bias)",
        candidates=suggestions.repairs(context.options, "bias"),
    )


def lost_channels(layer: LayerFacts, context: Context) -> Finding | None:
    """Channels that vary in float have one value in the quantized model."""
    if not layer.lost or layer.fixed_range:
        return None
    return Finding(
        "lost_channels",
        layer.name,
        "note",
        f"{_listed(layer.lost)}: varies in the float model, has one value in the quantized one",
        "the scale is too coarse for them: see the faults of this layer and of the one before it; if there "
        "are none, these channels do not count",
    )


def dead_channels(layer: LayerFacts, context: Context) -> Finding | None:
    """Channels that are 0 for all samples: weights, memory and time for nothing."""
    if not layer.dead or layer.is_input or layer.fixed_range:
        return None
    return Finding(
        "dead_channels",
        layer.name,
        "note",
        f"{_listed(layer.dead)} of {layer.channels}: 0 for every sample",
        "train with less regularization or a smaller learning rate, or prune these channels; generated code "
        "leaves out those that are 0 for every possible input",
    )


def constant_channels(layer: LayerFacts, context: Context) -> Finding | None:
    """Channels with one value other than 0 for all samples."""
    if not layer.constant or layer.fixed_range:
        return None
    what = "the data may not be what the model will see" if layer.is_input else "they carry no information"
    return Finding(
        "constant_channels",
        layer.name,
        "note",
        f"{_listed(layer.constant)} of {layer.channels}: one value for every sample",
        f"{what}; fold them into the next layer's bias, or leave them out in training",
    )


#: In the order in which a user would ask: data, ranges, weights, the rest.
RULES: tuple[Rule, ...] = (
    clipped_by_calibration,
    unused_range,
    activation_outliers,
    unequal_activations,
    unequal_weights,
    coarse_weights,
    shifted,
    lost_channels,
    dead_channels,
    constant_channels,
)


def find(layers: Sequence[LayerFacts], context: Context) -> list[Finding]:
    """Faults by the noise that their layers make, then notes in the order of the layers."""
    found = [
        replace(finding, noise_share=layer.noise_share)
        for layer in layers
        for rule in RULES
        if (finding := rule(layer, context)) is not None
    ]
    faults = [f for f in found if f.severity == "fault" and _counts(f)]
    shifts = [finding for finding in faults if finding.rule == _SHIFTED]
    faults = [finding for finding in faults if finding not in shifts[1:]]
    if context.suffers:
        named = {finding.layer for finding in faults}
        faults += [
            _sensitive(layer, context) for layer in layers if _stands_out(layer) and layer.name not in named
        ]
        faults = faults or [_everywhere()]
    faults.sort(key=lambda finding: -finding.noise_share)
    return faults + [finding for finding in found if finding.severity == "note"]


def _counts(finding: Finding) -> bool:
    """A shift is of the noise that has gathered up to a layer, which the layer's own share does not tell."""
    return finding.rule == _SHIFTED or finding.noise_share >= LEAST_NOISE_SHARE


def _stands_out(layer: LayerFacts) -> bool:
    return layer.noise_share >= SENSITIVE and not layer.fixed_range


def _sensitive(layer: LayerFacts, context: Context) -> Finding:
    remedy = "keep this layer in float or int16 (--recipe), or quantization-aware training"
    candidates: tuple[str, ...] = ("int16x8",)
    if context.options.per_tensor and layer.weights is not None:
        remedy = f"one scale per channel (without --per-tensor); {remedy}"
        candidates = (*suggestions.per_channel(context.options), *candidates)
    if suggestions.is_hybrid(context.options):
        remedy = f"{_WEIGHTS_ONLY}; {remedy}"
        candidates = (*suggestions.weights_only(context.options), *candidates)
    shown = "" if layer.output_sqnr_db is None else f", {layer.output_sqnr_db:.1f} dB at the output"
    return Finding(
        "sensitive",
        layer.name,
        "fault",
        f"quantizing this layer alone makes {100 * layer.noise_share:.0f} % of all layers' noise{shown}",
        remedy,
        layer.noise_share,
        candidates,
    )


def _everywhere() -> Finding:
    return Finding(
        "everywhere",
        "",
        "fault",
        "the model loses accuracy, and no layer stands out",
        "int16x8, bias correction and adaptive rounding of all layers, or quantization-aware training",
        candidates=("int16x8",),
    )


def _poor(sqnr_db: float | None, good: float = GOOD_ACTIVATION_DB) -> bool:
    return sqnr_db is not None and sqnr_db < good


def _width(span: tuple[float, float]) -> float:
    """Of the range with 0 in it, which every quantized range has."""
    return max(span[1], 0.0) - min(span[0], 0.0)


def _span(span: tuple[float, float]) -> str:
    return f"{span[0]:.4g} to {span[1]:.4g}"


def _listed(channels: Sequence[int], most: int = 8) -> str:
    more = f" and {len(channels) - most} more" if len(channels) > most else ""
    return ("channel " if len(channels) == 1 else "channels ") + ", ".join(map(str, channels[:most])) + more
