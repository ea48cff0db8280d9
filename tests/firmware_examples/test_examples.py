"""Every example: its generated files are those of its models, it builds, and prints what its README shows."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import mcu_quant as mq
from mcu_quant import pipeline
from mcu_quant.boards import load_board
from mcu_quant.deployment import GenerateOptions
from mcu_quant.samples import default_inputs
from tests.conftest import ROOT, require_tools

EXAMPLES = ROOT / "firmware_examples"
NAMES = ("digits", "gesture_stream", "rtos_task", "two_models", "vibration_anomaly")
#: Figures that another compiler may change a little: what is said to be "at most" so much.
MEASURED = re.compile(r"(?<=at most )[\d.]+")


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("examples", ROOT / "tools" / "examples.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def copied(name: str, folder: Path) -> Path:
    ignored = shutil.ignore_patterns("build", "__pycache__")
    return Path(shutil.copytree(EXAMPLES / name, folder / name, ignore=ignored))


def changed(folder: Path, file: str, before: str, after: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert text.count(before) == 1, before
    (folder / file).write_text(text.replace(before, after), encoding="utf-8")


def run_command(readme: str) -> list[str]:
    """What the README says to run."""
    match = re.search(r'^    make run(?: QEMU="([^"]+)")?', readme, re.MULTILINE)
    assert match is not None
    return ["make", "-s", "run", *([f"QEMU={match[1]}"] if match[1] else [])]


def run(folder: Path) -> tuple[int, str]:
    """make's status, and what the program prints."""
    require_tools("make")
    built = subprocess.run(["make", "-s", "CFLAGS=-Werror"], cwd=folder, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    command = run_command((folder / "README.md").read_text(encoding="utf-8"))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, text=True, start_new_session=True, **pipes) as process:
        try:
            _, printed = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the emulator that make has started, too
            raise
    return process.returncode, printed


def shown(name: str) -> str:
    match = re.search(r"```text\n(.*?)```", (EXAMPLES / name / "README.md").read_text("utf-8"), re.DOTALL)
    assert match is not None
    return match[1]


def test_all_examples_are_there_with_all_their_parts() -> None:
    assert tuple(path.name for path in tool().examples()) == NAMES
    for name in NAMES:
        for part in ("README.md", "train.py", "main.c", "Makefile", "model", "board", "vectors"):
            assert (EXAMPLES / name / part).exists(), f"{name} has no {part}"
        readme = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
        own = [p.name for p in (EXAMPLES / name).iterdir() if p.suffix in (".c", ".h", ".tflite")]
        assert [file for file in own if f"`{file}`" not in readme and not file.endswith(".h")] == []


@pytest.mark.parametrize("name", NAMES)
def test_generated_files_are_as_generated(name: str) -> None:
    """`make examples` writes them."""
    assert tool().differences(EXAMPLES / name) == []


def test_changed_and_stale_files_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, folder = tool(), copied("digits", tmp_path)
    monkeypatch.setattr(module, "EXAMPLES", tmp_path)
    changed(folder, "model/digits.h", "#define DIGITS_H", "#define DIGITS_H 1")
    (folder / "model/mq_old.h").write_text("")
    (folder / "Makefile").unlink()
    assert module.differences(folder) == ["digits/Makefile", "digits/model/digits.h", "digits/model/mq_old.h"]
    module.write(folder)
    assert module.differences(folder) == []


@pytest.mark.qemu
@pytest.mark.parametrize("name", NAMES)
def test_it_prints_what_its_readme_shows(name: str, tmp_path: Path) -> None:
    status, printed = run(copied(name, tmp_path))
    assert status == 0
    assert MEASURED.sub("N", printed) == MEASURED.sub("N", shown(name))


@pytest.mark.qemu
@pytest.mark.parametrize("name", NAMES)
def test_its_model_gives_the_bytes_of_the_reference(name: str, tmp_path: Path) -> None:
    require_tools("make")
    folder = copied(name, tmp_path)
    done = subprocess.run(["make", "-s", "validate"], cwd=folder, capture_output=True, text=True, timeout=120)
    models = len(list(folder.glob("*.tflite")))
    assert done.returncode == 0 and done.stderr.count("0 bytes differ") == models, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_its_training_says_what_its_readme_says(name: str, tmp_path: Path) -> None:
    """But for digits: other versions of Keras train a little otherwise."""
    require_tools("cc")
    command = [sys.executable, EXAMPLES / name / "train.py", tmp_path]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    readme = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    figures = re.compile(r"[\d.]+")
    told = {figures.sub("N", line.strip()) for line in readme.splitlines()}
    lines = done.stdout.strip().splitlines()
    assert lines and [line for line in lines if figures.sub("N", line.strip()) not in told] == []
    for line in lines:
        assert float(re.findall(r"([\d.]+)%", line)[0]) > 95 if "right" in line else True, line
    for committed in (EXAMPLES / name).glob("*.tflite"):
        old, new = pipeline.load(committed), pipeline.load(tmp_path / committed.name)
        assert isinstance(old, pipeline.TfliteModel) and isinstance(new, pipeline.TfliteModel)
        shapes = [[tensor.shape for tensor in model.graph.input_tensors()] for model in (old, new)]
        assert shapes[0] == shapes[1]


@pytest.mark.qemu
def test_a_healthy_bearing_raises_no_alarm_and_a_broken_one_does(tmp_path: Path) -> None:
    assert shown("vibration_anomaly").count("ALARM") == 1
    before, after = shown("vibration_anomaly").split("ALARM")
    assert "second 10:" in before and "above" not in before.split("second 10:")[0]
    assert "below" not in after.split("second 14:")[-1]
    folder = copied("vibration_anomaly", tmp_path)
    changed(folder, "main.c", "#define GROWTH_PER_WINDOW 1", "#define GROWTH_PER_WINDOW 0")
    changed(folder, "main.c", "#define SECONDS 20", "#define SECONDS 120")
    status, printed = run(folder)
    assert status == 0 and printed.count("second") == 120 and "ALARM" not in printed


@pytest.mark.qemu
def test_gestures_of_other_people_are_recognized(tmp_path: Path) -> None:
    """Eight streams that nobody has chosen."""
    folder, right, wrong = copied("gesture_stream", tmp_path), 0, 0
    seed = "7u"
    for other in range(1000, 1008):
        changed(folder, "main.c", f"imu_start(&imu, {seed})", f"imu_start(&imu, {other}u)")
        seed = f"{other}u"
        _, printed = run(folder)
        counts = re.findall(r"(\d+) right, (\d+) wrong of 12", printed)
        right, wrong = right + int(counts[0][0]), wrong + int(counts[0][1])
    assert right >= 90 and wrong <= 3, (right, wrong)


@pytest.mark.qemu
def test_streaming_costs_what_the_readme_says() -> None:
    model = mq.load(EXAMPLES / "gesture_stream" / "gesture.tflite")
    assert isinstance(model, mq.QuantizedModel)
    text = (EXAMPLES / "gesture_stream" / "README.md").read_text(encoding="utf-8").replace(",", "")
    told = re.search(
        r"(\d+) instructions instead of (\d+) and (\d+)\s+bytes of arena and (\d+) of state", text
    )
    assert told is not None
    board, measured = load_board("mps2_an386"), []
    for options in (GenerateOptions(stream=1, hop=16), GenerateOptions()):
        streamed = pipeline.streamed(model.model, options)
        inputs = default_inputs(streamed.graph, 1)
        facts = pipeline.profile(streamed, board, [x[:1] for x in inputs], options)
        measured.append((facts["instructions"], facts["memory"]))
    (hop, memory), (window, _) = measured
    assert [hop, window] == pytest.approx([int(told[1]), int(told[2])], rel=0.1)
    assert [memory["arena_bytes"], memory["state_bytes"]] == [int(told[3]), int(told[4])]


@pytest.mark.qemu
def test_an_interrupt_that_shares_the_arena_is_noticed(tmp_path: Path) -> None:
    folder = copied("two_models", tmp_path)
    changed(folder, "main.c", "read_digit(interrupt_arena,", "read_digit(arena.reader,")
    changed(
        folder,
        "main.c",
        "static uint8_t interrupt_arena[READER_ARENA_BYTES] __attribute__((aligned(READER_ARENA_ALIGN)));",
        "",
    )
    status, printed = run(folder)
    assert status != 0 and "wrong in main 0," not in printed, printed


@pytest.mark.qemu
def test_a_missed_deadline_is_noticed(tmp_path: Path) -> None:
    folder = copied("rtos_task", tmp_path)
    call = "        result = classify(samples[window % 2u]);\n"
    changed(
        folder, "main.c", call, "        for (int i = 0; i < (window % 8u == 7u ? 30 : 1); i++)\n    " + call
    )
    status, printed = run(folder)
    assert status != 0 and re.search(r"missed [1-9]", printed), printed


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2_an385", "mps2_an500", "mps2_an505", "mps3_an547"])
def test_the_scheduler_runs_on_other_cores(board: str, tmp_path: Path) -> None:
    """Without an FPU, and where the model uses MVE. Times are those of other clocks."""
    folder = copied("rtos_task", tmp_path)
    changed(folder, "example.toml", "mps2_an386", board)
    module = tool()
    for name, data in module.rendered(folder).items():
        (folder / name).write_bytes(data)
    status, printed = run(folder)
    loads, _, rest = shown("rtos_task").partition("inference")
    assert status == 0 and printed.startswith(loads) and "missed 0" in printed, printed
    late = re.search(r"at most (\d+) cycles late", printed)
    assert rest and late is not None and int(late[1]) < 1000


def test_the_spectrum_is_that_of_numpy(tmp_path: Path) -> None:
    """Within 0.45 dB (2.5): 1.4 from the logarithm's straight line, 1 from its fraction."""
    require_tools("cc")
    import ctypes

    source, library = EXAMPLES / "vibration_anomaly" / "spectrum.c", tmp_path / "spectrum.so"
    subprocess.run(["cc", "-O1", "-fsanitize=undefined", "-fno-sanitize-recover", "-shared", "-fPIC",
                    "-o", library, source], check=True)  # fmt: skip
    compiled = ctypes.CDLL(str(library))
    generator = np.random.default_rng(0)
    time = np.arange(2048)
    signals = [
        generator.integers(-32768, 32768, 2048),
        9000 * np.sin(0.7 * time),
        40 * generator.normal(size=2048),
    ]
    signals += [np.full(2048, 32767), np.full(2048, -32768)]
    window = np.hanning(513)[:512]
    for wave in signals:
        samples, levels = wave.astype(np.int16), np.zeros(32, np.int16)
        compiled.spectrum(samples.ctypes, levels.ctypes)
        segments = np.fft.rfft(samples.reshape(4, 512) * window)[:, :256]
        energy = (np.abs(segments) ** 2).sum(axis=0).reshape(32, 8).sum(axis=1)
        loud = energy > 1e6  # below it, roundings show
        assert loud.any()
        np.testing.assert_allclose(levels[loud], 16 * np.log2(energy[loud]), atol=2.5)
