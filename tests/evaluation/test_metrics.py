"""Metrics and agreement against other implementations, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import InvalidInputError
from mcu_quant.evaluation.datasets import Batch, dataset_of
from mcu_quant.evaluation.fidelity import ChannelNoise, has_classes, measure
from mcu_quant.evaluation.metrics import Auc, Metric, Mse, Top1, User, metric_for
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.keras import GraphBuilder
from mcu_quant.passes import prepare
from tests.diagnosis.planted import Planted, data, labels

PLANTED = prepare(Planted().model().graph)


def autoencoder() -> Graph:
    builder = GraphBuilder("copy", OPERATORS)
    return builder.graph([builder.add("relu", "copy", None, [builder.input("x", (1, 6))])])


def logistic() -> Graph:
    builder = GraphBuilder("one", OPERATORS)
    return builder.graph([builder.add("logistic", "one", None, [builder.input("x", (1, 1))])])


def fed(metric: Metric, outputs: np.ndarray, wanted: np.ndarray | None, parts: int = 3) -> Any:
    """The metric's result for outputs in several batches, whose inputs are the outputs plus 1."""
    for piece in np.array_split(np.arange(len(outputs)), parts):
        y = None if wanted is None else wanted[piece]
        metric.update(outputs[piece], Batch((outputs[piece] + 1,), y, piece))
    return metric.result()


def test_top1() -> None:
    scores = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 1]][:, None]
    found = fed(Top1(), scores, np.array([0, 1, 2, 0, 0]))
    assert (found.correct, found.total, found.value) == (3, 5, 0.6)
    assert fed(Top1(), scores, np.eye(4)[[0, 1, 2, 0, 0]]).correct == 3  # one-hot


def test_top1_of_one_number() -> None:
    chances = np.array([0.1, 0.7, 0.5, 0.9], np.float32)[:, None, None]
    assert fed(Top1(), chances, np.array([0, 1, 0, 0])).correct == 3


def test_auc_against_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(1)
    wanted = generator.integers(0, 2, 200)
    scores = np.round(wanted + generator.normal(0, 1.5, 200), 1).astype(np.float32)  # with ties
    found = fed(Auc(), np.stack([-scores, scores], axis=1)[:, None], wanted)
    assert found.value == pytest.approx(metrics.roc_auc_score(wanted, scores), rel=1e-12)


def test_auc_of_an_autoencoder_is_of_its_error() -> None:
    outputs = np.random.default_rng(1).normal(size=(8, 1, 6)).astype(np.float32)
    metric = Auc(reproduces=True)
    inputs = outputs + np.linspace(0.1, 1, 8)[:, None, None].astype(np.float32)
    metric.update(outputs, Batch((inputs,), np.arange(8) >= 4, np.arange(8)))
    assert metric.result().value == 1.0


def test_auc_needs_both_classes() -> None:
    with pytest.raises(InvalidInputError, match="both classes"):
        fed(Auc(), np.zeros((4, 1, 2), np.float32), np.zeros(4))


def test_mse() -> None:
    outputs = np.random.default_rng(1).normal(size=(9, 1, 3)).astype(np.float32)
    wanted = np.random.default_rng(2).normal(size=(9, 3))
    found = fed(Mse(), outputs, wanted)
    assert found.value == pytest.approx(((outputs[:, 0] - wanted) ** 2).mean())
    assert found.score == -found.value
    assert fed(Mse(), outputs, None).value == pytest.approx(1.0)  # against the inputs


def test_user_s_function() -> None:
    def recall_of_2(outputs: np.ndarray, wanted: np.ndarray) -> float:
        assert outputs.shape == (10, 3)
        return float((outputs.argmax(axis=1)[wanted == 2] == 2).mean())

    scores = np.eye(3, dtype=np.float32)[[2, 2, 0, 1, 2, 0, 0, 0, 0, 2]][:, None]
    found = fed(User(recall_of_2), scores, np.array([2, 2, 2, 2, 0, 0, 0, 0, 0, 0]))
    assert (found.metric, found.value) == ("recall_of_2", 0.5)


@pytest.mark.parametrize(
    ("arrays", "choice", "expected"),
    [
        pytest.param({"y": labels(100)}, None, Top1, id="whole numbers"),
        pytest.param({"y": np.eye(5)[labels(100)]}, None, Mse, id="values of the output's size"),
        pytest.param({"y": np.eye(5)[labels(100)]}, "top1", Top1, id="one-hot"),
        pytest.param({}, None, None, id="no labels"),
    ],
)
def test_choice(arrays: dict[str, np.ndarray], choice: str | None, expected: type | None) -> None:
    factory = metric_for(choice, dataset_of({"x": data(), **arrays}, PLANTED, "test"))
    assert (None if factory is None else type(factory())) == expected


@pytest.mark.parametrize(
    ("arrays", "choice", "says"),
    [
        pytest.param({}, "top1", "needs labels", id="no labels"),
        pytest.param({}, len, "needs labels", id="no labels for a function"),
        pytest.param({}, "mse", "needs labels", id="mse of a classifier"),
        pytest.param({"y": labels(100)}, "f1", "top1, auc, mse", id="no such metric"),
        pytest.param({"y": labels(99)}, None, "one label", id="too few"),
        pytest.param({"y": np.zeros((100, 3))}, None, "one whole number a sample", id="wrong size"),
        pytest.param({"y": np.zeros((100, 5))}, "auc", "one label", id="auc of many"),
        pytest.param({"y": np.zeros(100)}, None, "one whole number a sample", id="fractions"),
    ],
)
def test_refusals(arrays: dict[str, np.ndarray], choice: Any, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        metric_for(choice, dataset_of({"x": data(), **arrays}, PLANTED, "test"))


@pytest.mark.parametrize(("graph", "expected"), [(PLANTED, True), (autoencoder(), False), (logistic(), True)])
def test_has_classes(graph: Graph, expected: bool) -> None:
    assert has_classes(graph) is expected


def test_the_float_model_is_like_itself() -> None:
    test = dataset_of({"x": data(), "y": labels()}, PLANTED, "test")
    before, found = measure(PLANTED, {"same": PLANTED}, test, Top1)
    assert before == found["same"].accuracy and before is not None and before.correct == 100
    assert found["same"].sqnr_db is None and found["same"].noise_share == 0.0
    assert str(found["same"].agreement) == "100 of 100 (100.0 %)"


def test_median_channel() -> None:
    """One loud channel does not hide that most others are lost; nor one lost channel condemn the rest."""
    wanted = np.ones((10, 5)) * [1000, 1, 1, 1, 1]
    noise = ChannelNoise(5)
    noise.add(wanted, wanted * [1.001, 0, 0, 0, 1])
    assert noise.sqnr_db == pytest.approx(0.0)
    noise = ChannelNoise(5)
    noise.add(wanted, wanted * [1.01, 0, 1.01, 1.01, 1.01])
    assert noise.sqnr_db == pytest.approx(40.0)


def generator() -> Any:
    return (sample for sample in data())


@pytest.mark.parametrize(
    "source",
    [data(), {"x": data()}, list(data()), [data()[:30], data()[30:]], generator],
    ids=["array", "dict", "samples", "batches", "generator function"],
)
def test_every_form_of_data(source: Any) -> None:
    found = dataset_of(source, PLANTED, "data")
    assert found.count == 100
    joined = np.concatenate([batch.inputs[0] for batch in found.batches()])
    assert np.array_equal(joined[:, 0], data())
    thin = found.thinned(30)
    assert thin.count == 25
    assert np.array_equal(np.concatenate([b.positions for b in thin.batches()]), np.arange(0, 100, 4))
    assert np.array_equal(np.concatenate([b.inputs[0] for b in thin.batches()])[:, 0], data()[::4])


@pytest.mark.parametrize(
    ("source", "says"),
    [
        pytest.param(iter(data()), "several times", id="an iterator"),
        pytest.param(7, "several times", id="a number"),
        pytest.param(data()[:0], "samples", id="empty"),
        pytest.param(data()[..., :3], "shape", id="wrong shape"),
    ],
)
def test_unusable_data(source: Any, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        dataset_of(source, PLANTED, "data")


@pytest.mark.parametrize("make", [lambda x: x, lambda x: list(x)], ids=["array", "samples"])
def test_nan(make: Callable[[np.ndarray], Any]) -> None:
    x = data()
    x[57, 1, 1, 1] = np.nan
    with pytest.raises(InvalidInputError, match="finite"):
        list(dataset_of(make(x), PLANTED, "data").batches())


@pytest.mark.parametrize("label", [-1, 4, 0.5, float("nan")])
def test_labels_that_are_no_class(label: float) -> None:
    with pytest.raises(InvalidInputError, match="classes"):
        fed(Top1(), np.eye(4, dtype=np.float32)[:, None], np.array([0, 1, 2, label]))
    fed(Top1(), np.eye(4, dtype=np.float32)[:, None], np.array([0, 1, 2, 3]))


@pytest.mark.parametrize("result", [None, float("nan"), "much"])
def test_a_metric_that_gives_no_number(result: Any) -> None:
    with pytest.raises(InvalidInputError, match="finite number"):
        fed(User(lambda outputs, labels: result), np.eye(4, dtype=np.float32)[:, None], np.arange(4))


def test_auc_of_three_classes() -> None:
    with pytest.raises(InvalidInputError, match="3 different labels"):
        fed(Auc(), np.eye(3, dtype=np.float32)[:, None], np.array([0, 1, 2]))
