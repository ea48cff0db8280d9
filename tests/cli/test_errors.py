"""What a user does wrong: one paragraph, exit 2 (or the signal), and nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import tiny_models
from tests.cli.conftest import only_json
from tests.conftest import Run

Refuses = Callable[..., str]


def quantize(model: Path, data: Path, output: Path) -> tuple[object, ...]:
    return "quantize", model, "-o", output, "--data", data


def test_wrong_path(refuses: Refuses, files: Path, tmp_path: Path) -> None:
    error = refuses(*quantize(files / "no_such.keras", files / "x.npz", tmp_path / "out.tflite"))
    assert "no_such.keras" in error and "no such model" in error
    assert not list(tmp_path.iterdir())


def test_wrong_path_of_data(refuses: Refuses, files: Path, tmp_path: Path) -> None:
    error = refuses(*quantize(files / "dense.keras", files / "no_such.npz", tmp_path / "out.tflite"))
    assert "no_such.npz" in error
    assert not list(tmp_path.iterdir())


def test_no_data(refuses: Refuses, files: Path, tmp_path: Path) -> None:
    error = refuses("quantize", files / "dense.keras", "-o", tmp_path / "out.tflite")
    assert "--data" in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        pytest.param({}, "at least one array", id="no arrays"),
        pytest.param({"x": np.zeros((0, 12), np.float32)}, "calibration samples", id="no samples"),
        pytest.param({"y": np.zeros(4)}, "arrays y", id="no inputs"),
        pytest.param({"x": np.zeros((4, 13), np.float32)}, "13", id="wrong size"),
        pytest.param({"x": np.zeros((4, 12, 1), np.float32)}, "shape", id="wrong rank"),
        pytest.param({"x": np.full((4, 12), np.nan, np.float32)}, "finite", id="NaN"),
        pytest.param({"x": np.array([["a"]])}, "numbers", id="text"),
        pytest.param({"x": np.array([{}], object)}, "plain numbers", id="pickled"),
    ],
)
def test_unusable_data(
    arrays: dict[str, np.ndarray], says: str, refuses: Refuses, files: Path, tmp_path: Path
) -> None:
    data = tmp_path / "bad.npz"
    np.savez(data, **arrays)  # type: ignore[arg-type]
    error = refuses(*quantize(files / "dense.keras", data, tmp_path / "out.tflite"))
    assert says in error
    assert [path.name for path in tmp_path.iterdir()] == ["bad.npz"]


def test_truncated_data(refuses: Refuses, files: Path, tmp_path: Path) -> None:
    data = tmp_path / "cut.npz"
    data.write_bytes((files / "x.npz").read_bytes()[:-200])
    error = refuses(*quantize(files / "dense.keras", data, tmp_path / "out.tflite"))
    assert "cut.npz" in error


def test_nan_weight(refuses: Refuses, files: Path, tmp_path: Path) -> None:
    model = tiny_models.dense(tmp_path / "nan.keras", weight=float("nan"))
    error = refuses(*quantize(model, files / "x.npz", tmp_path / "out.tflite"))
    assert "hidden" in error and "finite" in error
    assert not (tmp_path / "out.tflite").exists()


def test_lambda_layer(refuses: Refuses, files: Path, tmp_path: Path) -> None:
    """All unsupported layers are listed at once, each by its name."""
    model = tiny_models.with_lambda(tmp_path / "lambda.keras")
    error = refuses(*quantize(model, files / "x.npz", tmp_path / "out.tflite"))
    assert "double" in error and "Lambda" in error
    assert "memory" in error and "ConvLSTM1D" in error
    assert not (tmp_path / "out.tflite").exists()


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_truncated_keras(keep: float, refuses: Refuses, files: Path, tmp_path: Path) -> None:
    whole = (files / "dense.keras").read_bytes()
    model = tmp_path / "cut.keras"
    model.write_bytes(whole[: int(len(whole) * keep)])
    error = refuses(*quantize(model, files / "x.npz", tmp_path / "out.tflite"))
    assert "cut" in error
    assert not (tmp_path / "out.tflite").exists()


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_truncated_tflite(keep: float, refuses: Refuses, tflite: Path, tmp_path: Path) -> None:
    whole = tflite.read_bytes()
    model = tmp_path / "cut.tflite"
    model.write_bytes(whole[: int(len(whole) * keep)])
    error = refuses("generate", model, "--target", "generic", "-o", tmp_path / "out")
    assert str(model) in error
    assert not (tmp_path / "out").exists()


def test_not_a_model(refuses: Refuses, files: Path, tmp_path: Path) -> None:
    model = tmp_path / "notes.txt"
    model.write_text("no model")
    error = refuses(*quantize(model, files / "x.npz", tmp_path / "out.tflite"))
    assert "notes.txt" in error and ".keras" in error


def test_batch_of_8(refuses: Refuses, files: Path, tmp_path: Path) -> None:
    model = tiny_models.dense(tmp_path / "batch.keras", batch=8)
    error = refuses(*quantize(model, files / "x.npz", tmp_path / "out.tflite"))
    assert "batch" in error and "8" in error
    assert not (tmp_path / "out.tflite").exists()


def test_unwritable_output(refuses: Refuses, files: Path, tflite: Path, tmp_path: Path) -> None:
    """A path under a file: nobody can write there, not even root."""
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    error = refuses(*quantize(files / "dense.keras", files / "x.npz", obstacle / "out.tflite"))
    assert "cannot be written" in error
    error = refuses("generate", tflite, "--target", "generic", "-o", obstacle / "deep" / "out")
    assert "cannot be written" in error
    assert obstacle.read_text() == "in the way"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_existing_output(refuses: Refuses, files: Path, tflite: Path, tmp_path: Path, mcu_quant: Run) -> None:
    output = tmp_path / "out.tflite"
    output.write_text("precious")
    error = refuses(*quantize(files / "dense.keras", files / "x.npz", output))
    assert "--force" in error and output.read_text() == "precious"
    assert mcu_quant(*quantize(files / "dense.keras", files / "x.npz", output), "--force").returncode == 0
    assert output.read_bytes() == tflite.read_bytes()


def test_force_keeps_what_is_read(refuses: Refuses, tflite: Path, files: Path, tmp_path: Path) -> None:
    """The model and the data, under another name too."""
    model, data = tmp_path / "dense.keras", tmp_path / "x.npz"
    model.write_bytes((files / "dense.keras").read_bytes())
    data.write_bytes((files / "x.npz").read_bytes())
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[layers]\nhidden = "int16x8"\n')
    before = {path: path.read_bytes() for path in (model, data, recipe)}
    assert "read" in refuses(*quantize(model, data, recipe), "--recipe", recipe, "--force")
    for output in (model, data, tmp_path / "." / "dense.keras"):
        assert "a file that is read" in refuses(*quantize(model, data, output), "--force")
    assert "read" in refuses("diagnose", model, "--data", data, "--html", data, "--force")
    assert "read" in refuses("run", tflite, "--inputs", data, "--outputs", data, "--force")
    assert {path: path.read_bytes() for path in before} == before


def test_force_keeps_what_is_not_ours(refuses: Refuses, tflite: Path, tmp_path: Path) -> None:
    output = tmp_path / "home"
    output.mkdir()
    (output / "thesis.txt").write_text("precious")
    error = refuses("generate", tflite, "--target", "generic", "-o", output, "--force")
    assert "thesis.txt" in error
    assert (output / "thesis.txt").read_text() == "precious"


def test_unknown_names(refuses: Refuses, tflite: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert "cortex-m4" in refuses("generate", tflite, "--target", "cortex-m9", "-o", output)
    assert "mps2_an386" in refuses("generate", tflite, "--board", "mps2", "-o", output)
    assert "mps2_an386" in refuses("verify", tflite, "--on", "nowhere")
    assert "identifier" in refuses("generate", tflite, "--target", "generic", "-o", output, "--name", "a-b")
    assert not output.exists()


def test_too_little_ram(refuses: Refuses, tflite: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    error = refuses("generate", tflite, "--target", "generic", "-o", output, "--ram", "4", code=3)
    assert "4 given" in error
    assert not output.exists()


def test_raw_integers_of_another_type(refuses: Refuses, tflite: Path, tmp_path: Path) -> None:
    data = tmp_path / "in.npz"
    np.savez(data, in0=np.zeros((2, 12), np.uint8))
    error = refuses("run", tflite, "--inputs", data, "--outputs", tmp_path / "out.npz")
    assert "uint8" in error and "int8" in error
    assert not (tmp_path / "out.npz").exists()


def test_usage(mcu_quant: Run, tflite: Path, tmp_path: Path) -> None:
    for arguments in (["nonsense"], ["generate", tflite, "-o", tmp_path / "x"], ["quantize"]):
        done = mcu_quant(*arguments)
        assert done.returncode == 2 and "Usage:" in done.stderr and done.stdout == ""


def test_usage_as_json(mcu_quant: Run, files: Path) -> None:
    for arguments in (["nonsense"], ["inspect"], ["inspect", files / "dense.keras", "--optimize", "speed"]):
        done = mcu_quant(*arguments, "--json")
        error = only_json(done)["error"]
        assert done.returncode == error["exit_code"] == 2 and "Usage:" in done.stderr
        assert error["message"] in done.stderr and error["problems"][0]["rule"] == error["message"]


def test_empty_paths(mcu_quant: Run, files: Path, tflite: Path, tmp_path: Path) -> None:
    """What an unset variable of a shell gives; pathlib takes it for the current directory."""
    for arguments in (
        ["inspect", ""],
        ["build", ""],
        ["quantize", files / "dense.keras", "-o", tmp_path / "out.tflite", "--data", ""],
        ["quantize", files / "dense.keras", "-o", "", "--data", files / "x.npz"],
        ["verify", tflite, "--inputs", ""],
    ):
        done = mcu_quant(*arguments)
        assert done.returncode == 2 and "path must not be empty" in done.stderr
    assert not list(tmp_path.iterdir())


def test_calibration_data_without_a_batch_axis(refuses: Refuses, files: Path, tmp_path: Path) -> None:
    data = tmp_path / "one.npz"
    np.savez(data, x=np.zeros(12, np.float32))
    error = refuses(*quantize(files / "dense.keras", data, tmp_path / "out.tflite"))
    assert "one.npz" in error and "[N, 12]" in error and "[12]" in error


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_interrupt_in_calibration(files: Path, tmp_path: Path) -> None:
    """Ctrl-C while samples are run: the process ends by the signal, and leaves nothing."""
    data = tmp_path / "many.npz"
    with data.open("wb") as stream:
        np.savez(stream, x=np.zeros((8_000_000, 12), np.int8))
    output = tmp_path / "out" / "out.tflite"
    command = [sys.executable, "-m", "mcu_quant", *map(str, quantize(files / "dense.keras", data, output))]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,  # tests that run in the background inherit that SIGINT is ignored
    )
    try:
        wait_until_open(process.pid, data)
        assert process.poll() is None, process.stderr and process.stderr.read()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGINT, stderr
    assert "interrupted" in stderr and "Traceback" not in stderr
    assert [path.name for path in tmp_path.iterdir()] == ["many.npz"]


def heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until_open(pid: int, file: Path, seconds: float = 60.0) -> None:
    """Until the process is well into reading the file: its samples."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if read_position(pid, file) > 2**22:
            return
        time.sleep(0.02)
    raise AssertionError("calibration never began")


def read_position(pid: int, file: Path) -> int:
    """How far the process has read the file, by /proc (0 if it is not open)."""
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            if entry.exists() and entry.resolve() == file:
                info = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
                return int(info.split("pos:")[1].split()[0])
    except FileNotFoundError:
        pass
    return 0


def test_calibration_methods(refuses: Refuses, files: Path, tmp_path: Path) -> None:
    command = quantize(files / "dense.keras", files / "x.npz", tmp_path / "out.tflite")
    assert "at most 100 (seen: 200)" in refuses(*command, "--calibration", "percentile=200")
    assert "moving_average" in refuses(*command, "--calibration", "nearest")
    assert "equalize" in refuses(*command, "--repair", "magic")
    assert not (tmp_path / "out.tflite").exists()
