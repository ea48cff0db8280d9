"""Metrics over labelled samples, taken in batch by batch: top-1 as counts, AUC, MSE, or the user's function.

Values are computed over the model's first output, dequantized. A larger `score` is better, always.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mcu_quant.choices import METRICS
from mcu_quant.errors import InvalidInputError
from mcu_quant.evaluation.datasets import Batch, Dataset
from mcu_quant.ir import Graph

#: metric(outputs, labels) of all samples at once: [N, …] float32 and [N, …]; larger is better.
UserMetric = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Measured:
    """value: as the metric is read. score: the same turned so that larger is better, as a share if it is one.

    correct, total: for top-1 only.
    """

    metric: str
    value: float
    score: float
    total: int
    correct: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "metric": self.metric,
            "value": self.value,
            "correct": self.correct,
            "total": self.total,
        }

    def __str__(self) -> str:
        if self.correct is not None:
            return f"{self.correct:,} of {self.total:,} ({100 * self.value:.1f} %)"
        return f"{self.value:.4g}"


class Metric(ABC):
    """One measurement. A new instance for each model."""

    @abstractmethod
    def update(self, outputs: np.ndarray, batch: Batch) -> None:
        """outputs: the first output's real values, float32 [n, *shape]."""

    @abstractmethod
    def result(self) -> Measured:
        """Over everything taken in."""


def classes(outputs: np.ndarray) -> np.ndarray:
    """The class of each sample: the largest value's index; of a single value, whether it is above 0.5."""
    flat = outputs.reshape(len(outputs), -1)
    return flat.argmax(axis=1) if flat.shape[1] > 1 else (flat[:, 0] > 0.5).astype(np.int64)


class Top1(Metric):
    def __init__(self) -> None:
        self._correct = self._total = 0

    def update(self, outputs: np.ndarray, batch: Batch) -> None:
        labels = _labels(batch)
        wanted = labels.reshape(len(outputs), -1)
        wanted = wanted[:, 0] if wanted.shape[1] == 1 else wanted.argmax(axis=1)
        _check_labels(wanted, max(2, outputs[0].size))
        self._correct += int((classes(outputs) == wanted).sum())
        self._total += len(outputs)

    def result(self) -> Measured:
        share = self._correct / self._total
        return Measured("top1", share, share, self._total, self._correct)


class Auc(Metric):
    """Area under the ROC curve: the chance that a positive sample scores above a negative one, ties half.

    The score is the last class's value; of a model that reproduces its input, the mean squared error.
    """

    def __init__(self, reproduces: bool = False) -> None:
        self._reproduces = reproduces
        self._scores: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []

    def update(self, outputs: np.ndarray, batch: Batch) -> None:
        if self._reproduces:
            scores = _errors(outputs, batch.inputs[0])
        else:
            scores = outputs.reshape(len(outputs), -1)[:, -1].astype(np.float64)
        self._scores.append(scores)
        self._labels.append(_labels(batch).reshape(len(outputs)))

    def result(self) -> Measured:
        scores, labels = np.concatenate(self._scores), np.concatenate(self._labels)
        if len(np.unique(labels)) > 2:
            raise InvalidInputError(
                "AUC needs labels (y) of two classes",
                value=f"{len(np.unique(labels))} different labels",
                hint="1 for the class that is looked for and 0 for the others; or --metric top1",
            )
        positive = labels > 0
        positives, negatives = int(positive.sum()), int((~positive).sum())
        if not positives or not negatives:
            raise InvalidInputError(
                "AUC needs samples of both classes", value=f"{positives} positive, {negatives} negative"
            )
        values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
        assert len(values) == len(counts)
        ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse.reshape(-1)]
        area = (ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives)
        return Measured("auc", float(area), float(area), len(scores))


class Mse(Metric):
    """Mean squared error against the labels; without them, of an autoencoder, against its input."""

    def __init__(self) -> None:
        self._sum, self._elements, self._total = 0.0, 0, 0

    def update(self, outputs: np.ndarray, batch: Batch) -> None:
        wanted = batch.inputs[0] if batch.labels is None else batch.labels
        if wanted[0].size != outputs[0].size:
            raise InvalidInputError(
                "mse needs labels (y) of the shape of the model's output",
                value=f"{list(wanted.shape[1:])} and {list(outputs.shape[1:])}",
                hint="--metric top1 for classes",
            )
        self._sum += float(_errors(outputs, wanted).sum()) * outputs[0].size
        self._elements += outputs.size
        self._total += len(outputs)

    def result(self) -> Measured:
        value = self._sum / self._elements
        return Measured("mse", value, -value, self._total)


class User(Metric):
    """The user's function over all outputs at once; these are held in memory."""

    def __init__(self, function: UserMetric) -> None:
        self._function = function
        self._outputs: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []

    def update(self, outputs: np.ndarray, batch: Batch) -> None:
        squeezed = outputs[:, 0] if outputs.ndim > 2 and outputs.shape[1] == 1 else outputs
        self._outputs.append(squeezed)
        self._labels.append(_labels(batch))

    def result(self) -> Measured:
        outputs, labels = np.concatenate(self._outputs), np.concatenate(self._labels)
        name = getattr(self._function, "__name__", "metric")
        result = self._function(outputs, labels)
        try:
            value = float(result)
        except (TypeError, ValueError):
            value = float("nan")
        if not np.isfinite(value):
            raise InvalidInputError(
                "a metric must give a finite number for outputs [N, …] and labels [N, …]",
                layer=name,
                value=repr(result)[:60],
            )
        return Measured(name, value, value, len(outputs))


MetricFactory = Callable[[], Metric]
_NAMED: dict[str, MetricFactory] = {"top1": Top1, "auc": Auc, "mse": Mse}
assert tuple(_NAMED) == METRICS


def metric_for(choice: str | UserMetric | None, dataset: Dataset) -> MetricFactory | None:
    """What to measure on that data: the choice, or what its labels are for; None without labels.

    Whole-number labels, one a sample: top1. Labels of the output's size: mse.
    Raises InvalidInputError for a metric that does not exist, or that the labels do not serve.
    """
    shape = dataset.labels_shape
    if callable(choice):
        _require_labels(dataset, getattr(choice, "__name__", "the metric"))
        function = choice
        return lambda: User(function)
    if choice is not None:
        if choice not in _NAMED:
            raise InvalidInputError(
                "the metric must be one that exists", value=choice, hint=", ".join(METRICS)
            )
        if choice != "mse" or not reproduces_input(dataset.graph):
            _require_labels(dataset, choice)
        if choice in ("top1", "auc"):
            _check_classes(dataset, choice)
        if choice == "auc":
            return partial(Auc, reproduces_input(dataset.graph))
        return _NAMED[choice]
    if shape is None:
        return None
    if dataset.labels_kind in "iu" and _per_sample(shape) == 1:
        return Top1
    if _per_sample(shape) == dataset.graph.output_tensors()[0].elements:
        return Mse
    raise InvalidInputError(
        "labels (y) must be one whole number a sample, or of the shape of the model's output",
        layer=dataset.where,
        value=f"shape {list(shape)}",
        hint="--metric, or data without y",
    )


def reproduces_input(graph: Graph) -> bool:
    """Whether the model's one output has the shape of its one input, and is no softmax: an autoencoder."""
    inputs, outputs = graph.input_tensors(), graph.output_tensors()
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].shape != outputs[0].shape:
        return False
    producer = graph.producers().get(outputs[0].name)
    return outputs[0].elements > 1 and (producer is None or producer.op != "softmax")


def _check_labels(labels: np.ndarray, count: int) -> None:
    """Whether they are classes of a model with that many."""
    wrong = labels[~((labels >= 0) & (labels < count) & (labels == np.floor(labels)))]
    if len(wrong):
        raise InvalidInputError(
            "labels (y) must be the numbers of the model's classes, from 0",
            value=f"{wrong[0]:g}, and the model has {count} classes",
            hint="subtract the smallest label if they begin with another; --metric mse for values",
        )


def _require_labels(dataset: Dataset, metric: str) -> None:
    if dataset.labels_shape is None:
        raise InvalidInputError(
            f"{metric} needs labels",
            layer=dataset.where,
            value="no y",
            hint="the labels as y beside x: numpy.savez(path, x=samples, y=labels)",
        )


def _check_classes(dataset: Dataset, metric: str) -> None:
    shape = dataset.labels_shape
    assert shape is not None
    outputs = dataset.graph.output_tensors()[0].elements
    if _per_sample(shape) != 1 and not (metric == "top1" and _per_sample(shape) == outputs):
        raise InvalidInputError(
            f"{metric} needs one label (y) for each sample", layer=dataset.where, value=f"shape {list(shape)}"
        )


def _per_sample(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape[1:], dtype=np.int64))


def _labels(batch: Batch) -> np.ndarray:
    assert batch.labels is not None
    return batch.labels


def _errors(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The mean squared error of each sample, float64 [n]."""
    difference = a.reshape(len(a), -1).astype(np.float64) - b.reshape(len(b), -1)
    return np.asarray((difference**2).mean(axis=1))
