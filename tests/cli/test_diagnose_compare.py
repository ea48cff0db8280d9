"""diagnose and compare on the command line: what they print, what they refuse."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import tiny_models
from tests.cli.conftest import only_json
from tests.conftest import Run

Refuses = Callable[..., str]
LAYER_KEYS = {
    "index",
    "name",
    "op",
    "type",
    "sqnr_db",
    "cosine",
    "max_error",
    "saturation",
    "clipping_share",
    "bias_share",
    "range",
    "channels",
    "dead_channels",
    "constant_channels",
    "lost_channels",
    "channel_spread",
    "activation_sqnr_db",
    "weights",
    "sensitivity",
    "histogram",
}
FINDING_KEYS = {"rule", "layer", "severity", "evidence", "remedy", "noise_share", "candidates"}


@pytest.fixture(scope="module")
def test_file(files: Path) -> Path:
    generator = np.random.default_rng(9)
    path = files / "test.npz"
    np.savez(path, x=generator.normal(size=(40, 12)).astype(np.float32), y=generator.integers(0, 3, 40))
    return path


def run(
    mcu_quant: Run, verb: str, files: Path, *more: object, code: int = 0
) -> subprocess.CompletedProcess[str]:
    done = mcu_quant(verb, files / "dense.keras", "--data", files / "x.npz", *more)
    assert done.returncode == code, done.stderr
    return done


def test_diagnose(files: Path, test_file: Path, mcu_quant: Run) -> None:
    done = run(mcu_quant, "diagnose", files, "--test", test_file)
    for text in ("hidden", "fully_connected", "sqnr_db", "40 samples of test data", "worst samples", "top1"):
        assert text in done.stdout
    assert "comparing layers on test data" in done.stderr and "one layer at a time" in done.stderr


def test_diagnose_json(files: Path, test_file: Path, mcu_quant: Run) -> None:
    done = run(mcu_quant, "diagnose", files, "--test", test_file, "--auto", "--budget", 2, "--json")
    facts = only_json(done)
    assert set(facts) == {
        "schema",
        "model",
        "options",
        "samples",
        "output",
        "layers",
        "worst_samples",
        "findings",
        "search",
    }
    assert facts["samples"] == {"measured_on": "test", "calibration": 64, "measured": 40, "sensitivity": 40}
    assert [layer["name"] for layer in facts["layers"]] == ["image", "hidden", "scores", "scores/softmax"]
    assert all(set(layer) == LAYER_KEYS for layer in facts["layers"])
    assert all(set(finding) == FINDING_KEYS for finding in facts["findings"])
    assert facts["output"]["accuracy"]["total"] == 40
    assert len(facts["search"]["trials"]) == 3
    for layer in facts["layers"]:
        assert sum(layer["histogram"]["float"]) == sum(layer["histogram"]["quantized"])
    assert len(facts["worst_samples"]) == 10 and {"index", "label"} <= set(facts["worst_samples"][0])


@pytest.mark.slow
def test_diagnose_html(files: Path, tmp_path: Path, mcu_quant: Run, refuses: Refuses) -> None:
    report = tmp_path / "report.html"
    run(mcu_quant, "diagnose", files, "--html", report)
    assert report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    again = ("diagnose", files / "dense.keras", "--data", files / "x.npz", "--html", report)
    assert "--force" in refuses(*again)
    run(mcu_quant, "diagnose", files, "--html", report, "--force")


def test_diagnose_takes_quantize_s_options(files: Path, mcu_quant: Run) -> None:
    done = run(mcu_quant, "diagnose", files, "--per-tensor", "--input-type", "float32", "--json")
    options = only_json(done)["options"]
    assert options["per_tensor"] is True and options["input_type"] == "float32"


def test_compare(files: Path, test_file: Path, tflite: Path, mcu_quant: Run) -> None:
    done = run(mcu_quant, "compare", files, "--test", test_file, "--also", tflite)
    for text in (
        "float (Keras)",
        "int8+per-tensor",
        "dense",
        "file_bytes",
        "Data to calibrate with? Yes, 64",
    ):
        assert text in done.stdout
    assert "Take int8" in done.stdout or "Does any technique keep it? No" in done.stdout


def test_compare_json(files: Path, test_file: Path, mcu_quant: Run) -> None:
    done = run(
        mcu_quant, "compare", files, "--test", test_file, "--techniques", "int8,int8+per-tensor", "--json"
    )
    facts = only_json(done)
    assert set(facts) == {"schema", "model", "board", "core", "samples", "float", "rows", "advice"}
    assert [row["name"] for row in facts["rows"]] == ["int8", "int8+per-tensor"]
    assert facts["rows"][0]["accuracy"]["total"] == 40 and facts["rows"][0]["instructions"] is None


def test_compare_without_data(files: Path, mcu_quant: Run) -> None:
    done = mcu_quant("compare", files / "dense.keras", "--techniques", "int8", "--json")
    facts = only_json(done)
    assert done.returncode == 0
    assert facts["rows"][0]["status"] == "needs_data" and facts["advice"]["leaf"] == "no_data"


@pytest.mark.qemu
@pytest.mark.slow
def test_compare_on_a_board(files: Path, mcu_quant: Run) -> None:
    done = run(mcu_quant, "compare", files, "--techniques", "int8", "--board", "microbit")
    assert "instructions" in done.stdout and "microbit (cortex-m0)" in done.stdout
    assert "Does it fit microbit? Yes" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["--board", "mps2_an386"], "--auto", id="board without auto"),
        pytest.param(["--auto", "--board", "no_such"], "no such board", id="no such board"),
        pytest.param(["--metric", "top1"], "needs labels", id="no labels"),
        pytest.param(["--test", "no_such.npz"], "no_such.npz", id="no such test data"),
    ],
)
def test_diagnose_refuses(arguments: list[str], says: str, files: Path, refuses: Refuses) -> None:
    assert says in refuses("diagnose", files / "dense.keras", "--data", files / "x.npz", *arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["--techniques", "int8,int4"], "int4", id="technique"),
        pytest.param(["--techniques", "int8+magic"], "magic", id="word"),
        pytest.param(["--board", "no_such"], "no such board", id="board"),
        pytest.param(["--metric", "auc"], "needs labels", id="no labels"),
        pytest.param(["--also", "a/x.tflite", "--also", "b/x.tflite"], "names must differ", id="names"),
    ],
)
def test_compare_refuses(arguments: list[str], says: str, files: Path, refuses: Refuses) -> None:
    assert says in refuses("compare", files / "dense.keras", "--data", files / "x.npz", *arguments)


@pytest.mark.parametrize("verb", ["diagnose", "compare"])
def test_tflite_is_refused(verb: str, tflite: Path, files: Path, refuses: Refuses) -> None:
    assert "float Keras model" in refuses(verb, tflite, "--data", files / "x.npz")


def test_diagnose_needs_data(files: Path, refuses: Refuses) -> None:
    assert "--data" in refuses("diagnose", files / "dense.keras")


def test_nan_in_test_data(files: Path, tmp_path: Path, mcu_quant: Run) -> None:
    path = tmp_path / "nan.npz"
    np.savez(path, x=np.full((4, 12), np.nan, np.float32))
    for verb in ("diagnose", "compare"):
        error = run(mcu_quant, verb, files, "--test", path, code=2).stderr.splitlines()[-1]
        assert error.startswith("error: ") and "finite" in error and "nan.npz" in error


@pytest.mark.slow
def test_diagnose_a_float_technique_without_data(
    files: Path, test_file: Path, tmp_path: Path, mcu_quant: Run, refuses: Refuses
) -> None:
    arguments = ("diagnose", files / "dense.keras", "--technique", "dynamic")
    done = mcu_quant(*arguments, "--test", test_file)
    assert done.returncode == 0 and "as dynamic, 40 samples of test data" in done.stdout, done.stderr
    assert "--data" in refuses(*arguments)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[layers]\nhidden = "int8"\n')
    assert "--data" in refuses(*arguments, "--test", test_file, "--recipe", recipe)
    assert "--data" in refuses(*arguments, "--test", test_file, "--auto")  # only on calibration data


@pytest.mark.slow
def test_compare_goes_on_without_a_technique(
    files: Path, tmp_path: Path, mcu_quant: Run, refuses: Refuses
) -> None:
    """A weight that has no half is a row, not the end of the comparison; a wrong option is an error."""
    model = tiny_models.dense(tmp_path / "large.keras", weight=-1e5)
    arguments = ("compare", model, "--data", files / "x.npz", "--techniques")
    facts = only_json(mcu_quant(*arguments, "float16,int8", "--json"))
    assert [row["status"] for row in facts["rows"]] == ["unsupported", "ok"]
    assert "65504" in facts["rows"][0]["reason"] and "hidden" in facts["rows"][0]["reason"]
    assert "at most 100 (seen: 200)" in refuses(*arguments, "int8,int8+percentile=200")
    assert "--board" in refuses(*arguments, "int8", "--ram", "700")
    assert "percentage" in refuses(*arguments, "int8", "--max-loss", "nan")
