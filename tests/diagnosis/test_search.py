"""diagnose --auto: what it tries, on which data, and what it calls best."""

from __future__ import annotations

import numpy as np
import pytest

import mcu_quant as mq
from mcu_quant import choices, pipeline
from mcu_quant.diagnosis.search import Search, Trial, front
from mcu_quant.errors import InvalidInputError
from mcu_quant.evaluation.fidelity import Agreement, Fidelity
from tests.diagnosis.planted import Planted, data, labels


def outlier() -> mq.FloatModel:
    planted = Planted()
    planted.early[3] *= 30
    planted.early_bias[3] *= 30
    planted.late[..., 3] /= 30
    return planted.model()


@pytest.fixture(scope="module")
def found() -> Search:
    diagnosis = mq.diagnose(outlier(), {"x": data(), "y": labels()}, per_tensor=True, auto=True, budget=20)
    assert diagnosis.search is not None
    return diagnosis.search


def test_the_planted_fault_s_remedy_is_best(found: Search) -> None:
    own, *_ = found.trials
    best = max((t for t in found.trials if t.name.startswith("int8")), key=lambda trial: trial.score)
    assert own.name == "int8+per-tensor" and own.name != best.name
    assert best.name in found.front
    assert best.fidelity.sqnr_db is not None and own.fidelity.sqnr_db is not None
    assert best.fidelity.sqnr_db > own.fidelity.sqnr_db + 6


def test_every_calibration_was_tried(found: Search) -> None:
    tried = " ".join(trial.name for trial in found.trials)
    assert all(calibration in tried for calibration in choices.CALIBRATIONS if calibration != "minmax")
    assert not found.skipped


def test_what_helps_is_tried_together(found: Search) -> None:
    assert any(trial.name.count("+") > 1 for trial in found.trials)


@pytest.mark.parametrize("budget", [1, 3])
def test_budget(budget: int) -> None:
    diagnosis = mq.diagnose(outlier(), data(), per_tensor=True, auto=True, budget=budget)
    found = diagnosis.search
    assert found is not None and len(found.trials) == budget + 1
    assert found.trials[1].name == diagnosis.faults[0].candidates[0]


def test_test_data_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search is the same whatever the test data is; and what judges was not calibrated with."""
    seen: list[np.ndarray] = []
    inner = pipeline.quantize

    def spy(graph: object, samples: object, *rest: object, **more: object) -> object:
        seen.append(np.concatenate([inputs[0] for inputs in samples]))  # type: ignore[attr-defined]
        return inner(graph, samples, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "quantize", spy)
    arguments = {"per_tensor": True, "auto": True, "budget": 2}
    one = mq.diagnose(outlier(), data(), test=data(seed=2), **arguments).search
    two = mq.diagnose(outlier(), data(), test=data(seed=3) * 5, **arguments).search
    assert one is not None and one == two and one.samples == 25
    kept = np.delete(data(), np.arange(3, 100, 4), axis=0)
    assert all(np.array_equal(x, kept) or np.array_equal(x, data()) for x in seen)
    assert sum(len(x) == 75 for x in seen) == 6


def test_json(found: Search) -> None:
    facts = found.as_json()
    assert set(facts) == {"samples", "board", "core", "trials", "front", "skipped"}
    keys = {
        "name",
        "output_sqnr_db",
        "agreement",
        "accuracy",
        "file_bytes",
        "flash_bytes",
        "estimated_cycles",
    }
    assert all(set(trial) == keys for trial in facts["trials"])
    assert facts["core"] == "cortex-m4"


def trial(name: str, same: int, size: int, cost: int) -> Trial:
    return Trial(name, Fidelity(30.0, 0.001, Agreement(same, 100), None), size, None, cost)


def test_front() -> None:
    trials = [
        trial("best", 99, 200, 50),
        trial("smallest", 90, 100, 60),
        trial("quickest", 91, 300, 10),
        trial("beaten", 90, 200, 60),
        trial("twin of best", 99, 200, 50),
        trial("larger and better", 100, 500, 500),
    ]
    assert set(front(trials)) == {t.name for t in trials} - {"beaten"}


def test_too_few_samples() -> None:
    with pytest.raises(InvalidInputError, match="at least 8"):
        mq.diagnose(outlier(), data()[:7], auto=True)


@pytest.mark.qemu
@pytest.mark.slow
def test_on_a_board() -> None:
    found = mq.diagnose(outlier(), data(), per_tensor=True, auto=True, budget=1, board="mps2_an386").search
    assert found is not None and found.cost_name == "instructions" and found.board == "mps2_an386"
    assert all(trial.cost and trial.flash_bytes for trial in found.trials)
    assert "instructions" in found.as_json()["trials"][0]
