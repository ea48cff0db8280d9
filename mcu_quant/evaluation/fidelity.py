"""How near quantized models come to the float model, and how good they are: all in one run of the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcu_quant import samples
from mcu_quant.evaluation.datasets import Batch, Dataset
from mcu_quant.evaluation.metrics import Measured, Metric, MetricFactory, classes, reproduces_input
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph

Progress = Callable[[int], None]


@dataclass
class Noise:
    """Sums of squares of what should be and of what it is off by."""

    signal: float = 0.0
    noise: float = 0.0

    def add(self, wanted: np.ndarray, actual: np.ndarray) -> None:
        expected = wanted.astype(np.float64).ravel()
        error = actual.astype(np.float64).ravel() - expected
        self.signal += float(expected @ expected)
        self.noise += float(error @ error)

    @property
    def sqnr_db(self) -> float | None:
        """10 log10 of signal to noise, dB. None where there is no signal or no noise at all."""
        if self.signal == 0.0 or self.noise == 0.0:
            return None
        return 10.0 * math.log10(self.signal / self.noise)

    @property
    def share(self) -> float:
        """Noise energy over signal energy: 0 is exact."""
        return self.noise / self.signal if self.signal else 0.0


class ChannelNoise:
    """Noise of each channel (the last axis), and that of the median channel.

    Over all channels at once, those with the largest values hide what happened to the others.
    """

    def __init__(self, channels: int) -> None:
        self.signal, self.noise = np.zeros(channels), np.zeros(channels)

    def add(self, wanted: np.ndarray, actual: np.ndarray) -> None:
        expected = wanted.astype(np.float64).reshape(-1, len(self.signal))
        error = actual.astype(np.float64).reshape(expected.shape) - expected
        self.signal += (expected**2).sum(axis=0)
        self.noise += (error**2).sum(axis=0)

    @property
    def sqnr_db(self) -> float | None:
        """Of the median among channels with a signal, dB. None where that is exact or there are none."""
        alive = self.signal > 0.0
        if not alive.any():
            return None
        shares = np.sort(self.noise[alive] / self.signal[alive])
        median = float(shares[len(shares) // 2])
        return -10.0 * math.log10(median) if median > 0.0 else None


@dataclass(frozen=True)
class Agreement:
    """In how many samples the class is the float model's."""

    same: int
    total: int

    @property
    def share(self) -> float:
        return self.same / self.total

    def as_json(self) -> dict[str, int]:
        return {"same": self.same, "total": self.total}

    def __str__(self) -> str:
        return f"{self.same:,} of {self.total:,} ({100 * self.share:.1f} %)"


@dataclass(frozen=True)
class Fidelity:
    """accuracy: None without labels. agreement: None where outputs are not classes."""

    sqnr_db: float | None
    noise_share: float
    agreement: Agreement | None
    accuracy: Measured | None

    def as_json(self) -> dict[str, Any]:
        return {
            "output_sqnr_db": self.sqnr_db,
            "agreement": None if self.agreement is None else self.agreement.as_json(),
            "accuracy": None if self.accuracy is None else self.accuracy.as_json(),
        }


@dataclass
class Scorer:
    """Takes in one model's outputs beside the float model's."""

    with_classes: bool
    metric: Metric | None
    noise: Noise = field(default_factory=Noise)
    same: int = 0
    total: int = 0

    def add(self, wanted: Sequence[np.ndarray], actual: Sequence[np.ndarray], batch: Batch) -> None:
        for expected, seen in zip(wanted, actual, strict=True):
            self.noise.add(expected, seen)
        if self.with_classes:
            self.same += int((classes(wanted[0]) == classes(actual[0])).sum())
        self.total += len(batch.positions)
        if self.metric is not None:
            self.metric.update(actual[0], batch)

    def result(self) -> Fidelity:
        agreement = Agreement(self.same, self.total) if self.with_classes else None
        accuracy = None if self.metric is None else self.metric.result()
        return Fidelity(self.noise.sqnr_db, self.noise.share, agreement, accuracy)


def has_classes(graph: Graph) -> bool:
    """Whether the first output is scores of classes: not an autoencoder's, no number but a logistic's."""
    output = graph.output_tensors()[0]
    if reproduces_input(graph):
        return False
    if output.elements > 1:
        return len([size for size in output.shape if size > 1]) == 1
    producer = graph.producers().get(output.name)
    return producer is not None and producer.op == "logistic"


def real_outputs(graph: Graph, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """A graph's outputs as float32 for float32 inputs, quantized on the way in where it is quantized."""
    tensors = graph.input_tensors()
    given = [samples.quantize(x, t, t.name) for x, t in zip(inputs, tensors, strict=True)]
    results = run_graph(graph, given)
    return [samples.dequantize(y, t) for y, t in zip(results, graph.output_tensors(), strict=True)]


def measure(
    reference: Graph,
    models: Mapping[str, Graph],
    dataset: Dataset,
    metric: MetricFactory | None,
    progress: Progress = lambda done: None,
) -> tuple[Measured | None, dict[str, Fidelity]]:
    """(accuracy of the float graph, fidelity of each model). reference: the float graph after passes.prepare.

    progress: told how many samples are done.
    """
    with_classes = has_classes(reference)
    scorers = {name: Scorer(with_classes, metric() if metric else None) for name in models}
    own = metric() if metric else None
    done = 0
    for batch in dataset.batches():
        wanted = run_graph(reference, batch.inputs)
        if own is not None:
            own.update(wanted[0], batch)
        for name, graph in models.items():
            scorers[name].add(wanted, real_outputs(graph, batch.inputs), batch)
        done += len(batch.positions)
        progress(done)
    return None if own is None else own.result(), {name: s.result() for name, s in scorers.items()}
