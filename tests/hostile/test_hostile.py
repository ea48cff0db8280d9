"""What damaged files once did, and a few hundred new ones of each kind."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests import tiny_models
from tests.conftest import is_ci
from tests.hostile.__main__ import REGRESSIONS, SHARES, hunt
from tests.hostile.judge import EXPECTED, command, run
from tests.hostile.mutate import mutated
from tests.hostile.seeds import write_seeds

FILES = {"tflite": 900, "npz": 200, "keras": 60, "h5": 60}


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(REGRESSIONS.iterdir()), ids=lambda path: path.name)
def test_regression(path: Path, tmp_path: Path) -> None:
    kind = path.name.split("_")[0]
    file = tmp_path / f"file.{kind}"
    file.write_bytes(path.read_bytes())
    model = tiny_models.dense(tmp_path / "dense.keras")
    for arguments in {tuple(command(kind, file, model, tmp_path, turn)) for turn in range(12)}:
        code, said, error = run(list(arguments))
        assert code in EXPECTED and not error, f"{said}\n{error}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", SHARES)
def test_damaged_files_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    if not is_ci():
        pytest.importorskip("atheris")
    outcome = hunt(FILES[kind], seed=1, jobs=1, kinds=(kind,), keep=tmp_path)
    assert not outcome.findings and not outcome.tally["findings"], outcome.findings
    assert outcome.tally["files"] > 0.9 * FILES[kind]
    refused = outcome.tally["exit 2"] / outcome.tally["files"]
    assert 0.1 < refused < 1.0, outcome.tally


@pytest.mark.parametrize("kind", SHARES)
def test_mutations_are_by_the_seed_and_change_something(kind: str, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    seed = write_seeds(kind, tmp_path / "corpus")[0].read_bytes()
    one, other = ([mutated(seed, kind, random.Random(i)) for i in range(20)] for _ in range(2))
    if kind in ("tflite", "h5"):  # archives have dates
        assert one == other
    assert sum(data != seed for data in one) > 15


def test_a_traceback_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is not an error of ours comes out as one."""

    def broken(*arguments: object, **options: object) -> None:
        raise KeyError("planted")

    monkeypatch.setattr("mcu_quant.pipeline.load", broken)
    code, _, error = run(["inspect", str(tiny_models.dense(tmp_path / "dense.keras"))])
    assert code == 1 and "planted" in error
