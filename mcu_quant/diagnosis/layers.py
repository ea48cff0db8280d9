"""One layer's facts: what was measured of it, ready for rules, tables and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcu_quant.diagnosis.alignment import Alignment, Step, is_quantized, representable, weights_of
from mcu_quant.diagnosis.sensitivity import Sensitivity
from mcu_quant.diagnosis.statistics import CENTRAL, TensorStatistics, spread
from mcu_quant.evaluation.fidelity import Agreement
from mcu_quant.ops import OPERATORS

Range = tuple[float, float]


@dataclass(frozen=True)
class WeightFacts:
    """magnitudes: the largest |weight| of each output channel, float. spread: largest over median of these.

    input_spread: of the input channels, how far the largest or the smallest is from the median, as a factor;
    None for a layer that does not mix them.
    sqnr_db: of the median channel of the layer's output with these weights quantized and nothing else;
    None if they are not.
    """

    magnitudes: tuple[float, ...]
    spread: float | None
    input_spread: float | None
    per_channel: bool
    sqnr_db: float | None


@dataclass(frozen=True)
class LayerFacts:
    """Ranges are real values. SQNR in dB, None where exact (or where there is no signal).

    sqnr_db: at this layer's output in the whole quantized model. activation_sqnr_db: what rounding and
    limiting its output to its scale alone does to the median channel. output_sqnr_db, agreement: of the
    model's output with only this layer quantized. noise_share: of the sum of these noises over all layers.
    channel_spread: the largest over the median of the channels' largest magnitudes. fixed_range: its scale
    is not its own: the operator's, or that of what it only passes on.
    """

    name: str
    op: str
    dtype: str
    sqnr_db: float | None
    cosine: float | None
    max_error: float
    saturation: float
    clipping_share: float
    bias_share: float
    real_range: Range
    central_range: Range
    stored_range: Range | None
    fixed_range: bool
    channels: int
    dead: tuple[int, ...]
    constant: tuple[int, ...]
    lost: tuple[int, ...]
    channel_spread: float | None
    activation_sqnr_db: float | None
    output_sqnr_db: float | None
    noise_share: float
    agreement: Agreement | None
    weights: WeightFacts | None
    histogram: dict[str, object]

    @property
    def is_input(self) -> bool:
        return self.op == "input"

    def as_json(self) -> dict[str, Any]:
        weights = self.weights
        return {
            "name": self.name,
            "op": self.op,
            "type": self.dtype,
            "sqnr_db": self.sqnr_db,
            "cosine": self.cosine,
            "max_error": self.max_error,
            "saturation": self.saturation,
            "clipping_share": self.clipping_share,
            "bias_share": self.bias_share,
            "range": {
                "float": list(self.real_range),
                "central": list(self.central_range),
                "quantized": None if self.stored_range is None else list(self.stored_range),
            },
            "channels": self.channels,
            "dead_channels": list(self.dead),
            "constant_channels": list(self.constant),
            "lost_channels": list(self.lost),
            "channel_spread": self.channel_spread,
            "activation_sqnr_db": self.activation_sqnr_db,
            "weights": None
            if weights is None
            else {
                "spread": weights.spread,
                "input_spread": weights.input_spread,
                "per_channel": weights.per_channel,
                "sqnr_db": weights.sqnr_db,
                "channel_magnitudes": list(weights.magnitudes),
            },
            "sensitivity": {
                "output_sqnr_db": self.output_sqnr_db,
                "noise_share": self.noise_share,
                "agreement": None if self.agreement is None else self.agreement.as_json(),
            },
            "histogram": self.histogram,
        }


def layer_facts(
    alignment: Alignment, statistics: dict[str, TensorStatistics], sensitivity: dict[str, Sensitivity]
) -> list[LayerFacts]:
    """In the order of execution, the model's inputs first."""
    total = sum(found.scorer.noise.noise for found in sensitivity.values())
    return [
        _facts(alignment, step, statistics[step.name], sensitivity[step.name], total)
        for step in alignment.steps
    ]


def _facts(
    alignment: Alignment, step: Step, seen: TensorStatistics, alone: Sensitivity, total: float
) -> LayerFacts:
    outcome = alone.scorer.result()
    rule = None if step.node is None else OPERATORS[step.node.op].quant_rule
    return LayerFacts(
        name=step.name,
        op="input" if step.node is None else step.node.op,
        dtype=step.stored.dtype,
        sqnr_db=seen.noise.sqnr_db,
        cosine=seen.cosine,
        max_error=seen.max_error,
        saturation=seen.saturation,
        clipping_share=seen.clipping_share,
        bias_share=seen.bias_share,
        real_range=seen.real_range,
        central_range=seen.histogram.central_range(CENTRAL),
        stored_range=representable(step.stored) if is_quantized(step.stored) else None,
        fixed_range=rule is not None and rule.output in ("fixed", "same"),
        channels=seen.channels,
        dead=tuple(seen.dead),
        constant=tuple(seen.constant),
        lost=tuple(seen.lost),
        channel_spread=spread(seen.channel_magnitudes),
        activation_sqnr_db=None if alone.activation is None else alone.activation.sqnr_db,
        output_sqnr_db=outcome.sqnr_db,
        noise_share=alone.scorer.noise.noise / total if total else 0.0,
        agreement=outcome.agreement,
        weights=_weights(alignment, step, alone),
        histogram=seen.histogram.as_json(),
    )


def _weights(alignment: Alignment, step: Step, alone: Sensitivity) -> WeightFacts | None:
    if step.node is None:
        return None
    node = alignment.reference.bind(step.node)
    where = weights_of(node)
    if where is None:
        return None
    index, axis = where
    data = node.input(index).data
    assert data is not None
    magnitudes = np.abs(np.moveaxis(data, axis, 0).reshape(data.shape[axis], -1)).max(axis=1)
    stored = None
    if step.quantized is not None and step.quantized.op == step.node.op:
        stored = alignment.quantized.bind(step.quantized).input(index).quant
    return WeightFacts(
        tuple(float(value) for value in magnitudes),
        spread(magnitudes),
        _input_spread(data) if axis == 0 else None,
        stored is not None and (len(stored.scale) > 1 or len(magnitudes) == 1),
        None if alone.weights is None else alone.weights.sqnr_db,
    )


def _input_spread(weights: np.ndarray) -> float | None:
    """weights [outputs, …, inputs]. Small weights matter as large ones do: what they read is large."""
    magnitudes = np.abs(weights).reshape(-1, weights.shape[-1]).max(axis=0)
    alive = magnitudes[magnitudes > 0.0]
    if len(alive) < 2:
        return None
    median = float(np.median(alive))
    return max(float(alive.max()) / median, median / float(alive.min()))
