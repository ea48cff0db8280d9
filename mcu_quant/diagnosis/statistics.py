"""What quantization did to each activation: the float and the quantized model run side by side.

Memory: the activations of one batch, and some numbers for each tensor, however many samples there are.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcu_quant import samples
from mcu_quant.diagnosis.alignment import Alignment, Step, channels_of, is_quantized, representable
from mcu_quant.diagnosis.histograms import PairHistogram
from mcu_quant.evaluation.datasets import Batch, Dataset
from mcu_quant.evaluation.fidelity import Fidelity, Noise, Scorer, has_classes
from mcu_quant.evaluation.metrics import Measured, MetricFactory, classes
from mcu_quant.ops.interpreter import run_graph

#: How many samples are listed as the worst.
WORST = 10
#: The part of values that the central range holds.
CENTRAL = 0.999


@dataclass
class TensorStatistics:
    """Of one activation over all samples. Channels are the last axis.

    clipped: float values more than a step beyond what the integers can represent (half a step is rounding,
    and the fixed output scales of softmax and logistic stop a step short of 1).
    """

    stored_range: tuple[float, float] | None
    step: float
    channels: int
    noise: Noise = field(default_factory=Noise)
    dot: float = 0.0
    quantized_energy: float = 0.0
    max_error: float = 0.0
    clipped: int = 0
    clipped_energy: float = 0.0
    elements: int = 0
    histogram: PairHistogram = field(default_factory=PairHistogram)

    def __post_init__(self) -> None:
        self.low = np.full(self.channels, np.inf)
        self.high = np.full(self.channels, -np.inf)
        self.stored_low = np.full(self.channels, np.inf)
        self.stored_high = np.full(self.channels, -np.inf)
        self.error_sum = np.zeros(self.channels)

    def add(self, real: np.ndarray, quantized: np.ndarray) -> None:
        """float32 [n, *shape] as it should be and as the quantized model has it, dequantized."""
        wanted = real.reshape(-1, self.channels).astype(np.float64)
        seen = quantized.reshape(-1, self.channels).astype(np.float64)
        error = seen - wanted
        self.noise.add(wanted, seen)
        self.dot += float(wanted.ravel() @ seen.ravel())
        self.quantized_energy += float(seen.ravel() @ seen.ravel())
        self.max_error = max(self.max_error, float(np.abs(error).max()))
        self.error_sum += error.sum(axis=0)
        self.elements += wanted.size
        self._clip(wanted)
        self.low, self.high = (
            np.minimum(self.low, wanted.min(axis=0)),
            np.maximum(self.high, wanted.max(axis=0)),
        )
        self.stored_low = np.minimum(self.stored_low, seen.min(axis=0))
        self.stored_high = np.maximum(self.stored_high, seen.max(axis=0))
        self.histogram.add(wanted, seen)

    def _clip(self, wanted: np.ndarray) -> None:
        if self.stored_range is None:
            return
        low, high = self.stored_range
        beyond = np.maximum(wanted - high, low - wanted)
        out = beyond > self.step
        self.clipped += int(np.count_nonzero(out))
        self.clipped_energy += float(beyond[out] @ beyond[out])

    @property
    def cosine(self) -> float | None:
        """None where one of the two is zero throughout."""
        energy = self.noise.signal * self.quantized_energy
        return self.dot / math.sqrt(energy) if energy else None

    @property
    def saturation(self) -> float:
        return self.clipped / self.elements

    @property
    def clipping_share(self) -> float:
        """Of the noise energy, what clipping alone makes."""
        return min(1.0, self.clipped_energy / self.noise.noise) if self.noise.noise else 0.0

    @property
    def bias_share(self) -> float:
        """Of the noise energy, what a constant shift of each channel makes."""
        per_channel = self.elements / self.channels
        energy = float((self.error_sum**2).sum()) / per_channel
        return energy / self.noise.noise if self.noise.noise else 0.0

    @property
    def dead(self) -> list[int]:
        """Channels that are 0 for every sample and position."""
        return np.flatnonzero((self.low == 0.0) & (self.high == 0.0)).tolist()

    @property
    def constant(self) -> list[int]:
        """Channels with one value other than 0."""
        return np.flatnonzero((self.low == self.high) & (self.low != 0.0)).tolist()

    @property
    def lost(self) -> list[int]:
        """Channels that vary in the float model and do not in the quantized one."""
        return np.flatnonzero((self.low < self.high) & (self.stored_low == self.stored_high)).tolist()

    @property
    def channel_magnitudes(self) -> np.ndarray:
        return np.asarray(np.maximum(np.abs(self.low), np.abs(self.high)))

    @property
    def real_range(self) -> tuple[float, float]:
        return float(self.low.min()), float(self.high.max())


def spread(magnitudes: np.ndarray) -> float | None:
    """Largest over median of the channels that are not 0; None with fewer than two of them."""
    alive = magnitudes[magnitudes > 0.0]
    return float(alive.max() / np.median(alive)) if len(alive) > 1 else None


@dataclass(frozen=True, order=True)
class WorstSample:
    """badness orders: another class first, then more noise. index: the sample's position in the data."""

    badness: tuple[bool, float]
    index: int
    facts: dict[str, Any] = field(compare=False)


@dataclass(frozen=True)
class Observed:
    """statistics: by step name. float_accuracy: None without labels."""

    statistics: dict[str, TensorStatistics]
    fidelity: Fidelity
    float_accuracy: Measured | None
    worst: list[dict[str, Any]]
    samples: int


def observe(
    alignment: Alignment,
    dataset: Dataset,
    metric: MetricFactory | None,
    progress: Callable[[int], None] = lambda done: None,
) -> Observed:
    """Run both models over the data. progress: told how many samples are done."""
    statistics = {step.name: _statistics_for(step) for step in alignment.steps}
    by_stored: dict[str, list[Step]] = {}
    for step in alignment.steps:
        by_stored.setdefault(step.stored.name, []).append(step)
    scorer = Scorer(has_classes(alignment.reference), metric() if metric else None)
    own = metric() if metric else None
    worst: list[WorstSample] = []
    done = 0
    for batch in dataset.batches():
        values: dict[str, np.ndarray] = {}
        wanted = run_graph(alignment.reference, batch.inputs, values.__setitem__)

        def compare(name: str, stored: np.ndarray, values: dict[str, np.ndarray] = values) -> None:
            for step in by_stored.get(name, ()):
                statistics[step.name].add(values[step.tensor.name], samples.dequantize(stored, step.stored))

        graph = alignment.quantized
        pairs = zip(batch.inputs, graph.input_tensors(), strict=True)
        raw = run_graph(graph, [samples.quantize(x, t, t.name) for x, t in pairs], compare)
        seen = [samples.dequantize(y, t) for y, t in zip(raw, graph.output_tensors(), strict=True)]
        scorer.add(wanted, seen, batch)
        if own is not None:
            own.update(wanted[0], batch)
        worst = heapq.nlargest(WORST, [*worst, *_judged(wanted, seen, batch, scorer.with_classes)])
        done += len(batch.positions)
        progress(done)
    listed = [sample.facts for sample in worst]
    return Observed(statistics, scorer.result(), None if own is None else own.result(), listed, done)


def _statistics_for(step: Step) -> TensorStatistics:
    channels = channels_of(step.tensor)
    if not is_quantized(step.stored):
        return TensorStatistics(None, 0.0, channels)
    return TensorStatistics(representable(step.stored), step.stored.scale, channels)


def _judged(
    wanted: list[np.ndarray], seen: list[np.ndarray], batch: Batch, with_classes: bool
) -> list[WorstSample]:
    noises = [Noise() for _ in batch.positions]
    for expected, actual in zip(wanted, seen, strict=True):
        for index, noise in enumerate(noises):
            noise.add(expected[index], actual[index])
    before, after = (classes(wanted[0]), classes(seen[0])) if with_classes else (None, None)
    judged = []
    for index, noise in enumerate(noises):
        facts: dict[str, Any] = {"index": int(batch.positions[index]), "output_sqnr_db": noise.sqnr_db}
        differs = False
        if before is not None and after is not None:
            differs = bool(before[index] != after[index])
            facts |= {"float_class": int(before[index]), "quantized_class": int(after[index])}
        if batch.labels is not None and batch.labels[index].size == 1:
            facts["label"] = batch.labels[index].item()
        judged.append(WorstSample((differs, noise.share), -int(batch.positions[index]), facts))
    return judged
