"""compare as a whole: its rows, what they are equal to, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcu_quant as mq
from mcu_quant.choices import TECHNIQUES
from mcu_quant.comparison.table import markdown
from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import TrainedQuantization
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.keras import GraphBuilder
from mcu_quant.passes import prepare
from mcu_quant.quantize import calibrate
from tests.diagnosis.planted import Planted, data, labels

TEST = {"x": data(200, seed=2), "y": labels(200)}
ROW_KEYS = {
    "name",
    "technique",
    "options",
    "status",
    "reason",
    "file_bytes",
    "flash_bytes",
    "const_bytes",
    "ram_bytes",
    "arena_bytes",
    "instructions",
    "modelled_cycles",
    "output_sqnr_db",
    "agreement",
    "accuracy",
}


@pytest.fixture(scope="module")
def compared() -> Any:
    return mq.compare(Planted().model(), data(), test=TEST)


def test_every_technique_has_a_row(compared: Any) -> None:
    names = [row.name for row in compared.rows]
    assert set(TECHNIQUES) <= set(names) and "int8+per-tensor" in names


def test_json(compared: Any) -> None:
    facts = compared.as_json()
    assert set(facts) == {"model", "board", "core", "samples", "float", "rows", "advice"}
    assert all(set(row) == ROW_KEYS for row in facts["rows"])
    assert facts["samples"] == {"measured_on": "test", "measured": 200}
    assert set(facts["advice"]) == {"leaf", "choice", "steps"}
    assert facts["float"]["accuracy"] == {"metric": "top1", "value": 1.0, "correct": 200, "total": 200}


def test_rows_are_what_quantize_and_predict_give(compared: Any) -> None:
    model = Planted().model()
    for name, per_tensor in (("int8", False), ("int8+per-tensor", True)):
        (row,) = (row for row in compared.rows if row.name == name)
        quantized = mq.quantize(model, data(), per_tensor=per_tensor)
        chosen = quantized.predict(TEST["x"]).argmax(axis=-1)  # type: ignore[union-attr]
        before = model.predict(TEST["x"]).argmax(axis=-1)  # type: ignore[union-attr]
        assert row.file_bytes == len(quantized.tflite)
        assert row.fidelity.accuracy.correct == (chosen == TEST["y"]).sum()
        assert row.fidelity.agreement.same == (chosen == before).sum()


def test_finished_models_are_rows_too(tmp_path: Path) -> None:
    model = Planted().model()
    quantized = mq.quantize(model, data())
    path = quantized.save(tmp_path / "other.tflite")
    found = mq.compare(model, data(), test=TEST, techniques=["int8"], also={"a": path, "b": quantized})
    own, a, b = (row.as_json() for row in found.rows)
    for other in (a, b):
        assert other["options"] is None and other["technique"] == "int8"
        assert {key: other[key] for key in ("file_bytes", "agreement", "accuracy", "output_sqnr_db")} == {
            key: own[key] for key in ("file_bytes", "agreement", "accuracy", "output_sqnr_db")
        }


def trained() -> mq.FloatModel:
    """As quantization-aware training leaves it: with ranges, here those of minmax."""
    graph = prepare(Planted().model().graph)
    ranges = calibrate(graph, [(data(),)])
    return mq.FloatModel(replace(graph, trained=TrainedQuantization(ranges)), "trained")


def test_a_trained_model_is_a_row() -> None:
    found = mq.compare(Planted().model(), data(), test=TEST, techniques=["int8"], also={"QAT": trained()})
    own, qat = (row.as_json() for row in found.rows)
    assert qat["file_bytes"] == own["file_bytes"] and qat["accuracy"] == own["accuracy"]


def test_a_trained_model_needs_no_data() -> None:
    found = mq.compare(trained(), test=TEST)
    rows = {row.name: row for row in found.rows}
    assert rows["int8"].status == "ok" and rows["int8"].fidelity is not None
    assert rows["int16x8"].status == "unsupported" and "becomes int8" in rows["int16x8"].reason
    assert found.advice.choice == "int8"


def test_a_trained_model_is_diagnosed() -> None:
    found = mq.diagnose(trained(), None, test=TEST)
    usual = mq.diagnose(Planted().model(), data(), test=TEST)
    assert [layer.as_json() for layer in found.layers] == [layer.as_json() for layer in usual.layers]


def test_options_that_a_technique_does_not_take() -> None:
    found = mq.compare(Planted().model(), data(), techniques=["int8", "int16x8"], input_type="uint8")
    assert [row.status for row in found.rows] == ["ok", "unsupported"]
    assert "int16" in found.rows[1].reason


def test_user_s_metric() -> None:
    def right_of_class_2(outputs: np.ndarray, wanted: np.ndarray) -> float:
        return float((outputs.argmax(axis=1) == 2)[wanted == 2].mean())

    found = mq.compare(Planted().model(), data(), test=TEST, metric=right_of_class_2, techniques=["int8"])
    assert found.float_accuracy is not None
    assert (found.float_accuracy.metric, found.float_accuracy.value) == ("right_of_class_2", 1.0)


def test_no_data_at_all() -> None:
    found = mq.compare(Planted().model(), techniques=["int8"])
    (row,) = found.rows
    assert row.status == "needs_data" and found.advice.leaf == "no_data"
    assert found.as_json()["samples"] == {"measured_on": None, "measured": 0}


def test_calibration_data_measures_where_there_is_no_test() -> None:
    found = mq.compare(Planted().model(), data(), techniques=["int8"])
    assert (found.measured_on, found.samples, found.float_accuracy) == ("calibration", 100, None)


def test_markdown(compared: Any) -> None:
    lines = markdown(compared).splitlines()
    assert lines[0] == "| technique | accuracy | agreement | sqnr db | file bytes |"
    assert lines[2].startswith("| float (Keras) | 200 of 200 (100.0 %) |")
    assert len(lines) == 3 + len(compared.rows)
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.qemu
@pytest.mark.slow
def test_board_s_figures_are_profile_s(tmp_path: Path) -> None:
    model = Planted().model()
    found = mq.compare(model, data(), techniques=["int8"], board="mps2_an386")
    (row,) = found.rows
    profile = mq.generate(
        mq.quantize(model, data()), output_dir=tmp_path / "out", board="mps2_an386"
    ).profile()
    cost = row.cost
    assert cost.instructions == profile["instructions"]
    assert cost.flash_bytes == profile["flash"]["model_bytes"]
    assert cost.ram_bytes == profile["memory"]["ram_bytes"]


def test_what_does_not_fit_the_board_is_a_row() -> None:
    """16 kB of RAM for an arena of more: no image is needed to know."""
    found = mq.compare(Big().model(), Big.data(), techniques=["int8"], board="microbit")
    (row,) = found.rows
    assert row.status == "does_not_fit" and row.cost is None and "microbit" in row.reason
    assert found.advice.leaf == "fits_nowhere"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param({"techniques": ["int3"]}, "technique must be one", id="technique"),
        pytest.param({"techniques": ["int8+magic"]}, "known way", id="word"),
        pytest.param({"techniques": ["int8", "int8"]}, "own name", id="twice"),
        pytest.param({"board": "no_such"}, "no such board", id="board"),
        pytest.param({"metric": "top1"}, "needs labels", id="metric without labels"),
        pytest.param({"test": {"x": data()[:, :5]}}, "shape", id="shape"),
        pytest.param({"test": {"x": np.full((4, 8, 8, 4), np.nan)}}, "finite", id="NaN"),
        pytest.param({"test": {"x": data(), "y": labels(7)}}, "one label", id="labels"),
        pytest.param({"also": {"x": "no_such.tflite"}}, "no such model", id="file"),
        pytest.param({"input_type": "int3"}, "input type", id="input type"),
    ],
)
def test_refusals(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        mq.compare(Planted().model(), data(), **arguments)


def test_a_quantized_model_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="float Keras model"):
        mq.compare(mq.quantize(Planted().model(), data()), data())


class Big:
    """A convolution whose input and output are 64 kB."""

    @staticmethod
    def data() -> np.ndarray:
        return np.random.default_rng(0).normal(size=(8, 128, 128, 4)).astype(np.float32)

    def model(self) -> mq.FloatModel:
        builder = GraphBuilder("big", OPERATORS)
        x = builder.input("x", (1, 128, 128, 4))
        weights = builder.constant("w", np.random.default_rng(0).normal(size=(4, 3, 3, 4)))
        y = builder.add("conv_2d", "conv", Conv2DAttrs(padding="same"), [x, weights])
        return mq.FloatModel(builder.graph([y]), "big")
