"""Boards at a serial port, which QEMU plays with real UARTs: the same bytes, whatever the line does."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcu_quant.boards import load_board, qemu_boards
from mcu_quant.codegen.project import WARNINGS, compile_flags, render_sources
from mcu_quant.deployment import Deployment
from mcu_quant.errors import DeviceError, EngineFailedError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.samples import default_inputs
from mcu_quant.sections import Placement, SplitArena
from mcu_quant.verify.image import build_images, link_images
from mcu_quant.verify.serial_engine import SerialEngine
from mcu_quant.verify.serial_port import PortOptions
from mcu_quant.verify.serial_profile import profile_on_port
from tests.boards.models import deploy, published, tiny_model
from tests.boards.serial_boards import Line, Served, free_port, running, served, through
from tests.cli.conftest import only_json
from tests.codegen.test_states import deployed as deploy_with_state
from tests.codegen.test_states import inputs as steps
from tests.conftest import Run, require_tools

pytestmark = pytest.mark.qemu

M3 = load_board("mps2_an385")
LINES = {
    "corrupted": {"corrupted": 0.01},
    "dropped": {"dropped": 0.01},
    "doubled": {"doubled": 0.01},
    "all three": {"corrupted": 0.004, "dropped": 0.004, "doubled": 0.004},
}


@pytest.fixture(scope="module")
def tiny() -> Deployment:
    return deploy(tiny_model(), M3)


@pytest.fixture(scope="module")
def board(tiny: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(M3, tiny, tmp_path_factory.mktemp("tiny")) as machine:
        yield machine


@pytest.fixture(scope="module")
def stateful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(M3, deploy_with_state(M3.core), tmp_path_factory.mktemp("state")) as machine:
        yield machine


@pytest.fixture(scope="module")
def tiny_tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tflite") / "tiny.tflite"
    path.write_bytes(write_tflite(tiny_model().graph))
    return path


def run(deployment: Deployment, url: str, inputs: list[np.ndarray]) -> SerialEngine:
    """Checks every byte of the outputs; returns the engine, which knows what the line did."""
    engine = SerialEngine(deployment, load_board(M3.name), PortOptions(url))
    outputs = engine.run(inputs)
    for actual, expected in zip(outputs, run_graph(deployment.reference, inputs), strict=True):
        np.testing.assert_array_equal(actual, expected)
    return engine


@pytest.mark.parametrize("name", qemu_boards())
def test_200_samples_on_every_board(name: str, tmp_path: Path) -> None:
    target = load_board(name)
    deployment = deploy(tiny_model(), target)
    inputs = default_inputs(deployment.graph, 198)
    with served(target, deployment, tmp_path) as machine:
        outputs = SerialEngine(deployment, target, PortOptions(machine.url)).run(inputs)
    assert np.array_equal(outputs[0], run_graph(deployment.reference, inputs)[0])
    assert len(outputs[0]) == 200


def test_firmware_for_hardware_runs_on_qemu_too(tmp_path: Path) -> None:
    """Its counter does not: QEMU has no DWT."""
    target = load_board("netduinoplus2")
    assert target.timer.hz != target.qemu_timer.hz
    deployment = deploy(tiny_model(), target)
    (image,) = build_images(target.itself, deployment, ("serve",), tmp_path)
    with running(target, tmp_path, "-kernel", str(image)) as machine:
        engine = SerialEngine(deployment, target, PortOptions(machine.url))
        inputs = default_inputs(deployment.graph, 2)
        assert np.array_equal(engine.run(inputs)[0], run_graph(deployment.reference, inputs)[0])
        _, timing, _ = engine.measure(inputs)
        assert timing.timer_hz == target.timer.hz and timing.ticks == 0


def test_200_samples_over_a_terminal(tiny: Deployment, tmp_path: Path) -> None:
    """A device as a board's serial port is one, and not a URL."""
    with served(M3, tiny, tmp_path, pty=True) as machine:
        engine = run(tiny, machine.terminal(), default_inputs(tiny.graph, 198))
    assert engine.restarts == 0


@pytest.mark.parametrize("name", LINES)
def test_what_is_lost_or_damaged_is_sent_again(name: str, tiny: Deployment, board: Served) -> None:
    line = Line(**LINES[name])
    with through(line, board.port) as url:
        engine = run(tiny, url, default_inputs(tiny.graph, 198))
    assert line.changed > 200
    assert engine.repeated > 100 and "sent again" in engine.line and engine.restarts == 0


def test_a_published_model_over_a_bad_line(shared: Path, tmp_path: Path) -> None:
    deployment = deploy(published(shared, "kws_ref_model"), M3)
    line = Line(corrupted=0.01)
    with served(M3, deployment, tmp_path) as machine, through(line, machine.port) as url:
        engine = run(deployment, url, default_inputs(deployment.graph, 10))
    assert engine.repeated > 50


@pytest.mark.parametrize("name", LINES)
def test_a_model_with_state_takes_no_step_twice(name: str, stateful: Served) -> None:
    line = Line(**LINES[name])
    with through(line, stateful.port) as url:
        engine = run(deploy_with_state(M3.core), url, [steps()])
    assert line.changed > 200 and engine.restarts == 0


@pytest.mark.parametrize("after", [1500, 3000, 6001])
def test_a_board_that_resets_gets_on_with_its_sample(after: int, tiny: Deployment, board: Served) -> None:
    line = Line(at=(after, board.reset))
    with through(line, board.port) as url:
        engine = run(tiny, url, default_inputs(tiny.graph, 98))
    assert engine.restarts == 1
    assert line.seen < 18_000, "all samples were run again"


def test_a_model_with_state_begins_anew_after_a_reset(stateful: Served) -> None:
    line = Line(at=(9_000, stateful.reset))
    with through(line, stateful.port) as url:
        engine = run(deploy_with_state(M3.core), url, [steps(60)])
    assert engine.restarts == 1


def test_a_second_computer_begins_anew(stateful: Served) -> None:
    for _ in range(2):
        run(deploy_with_state(M3.core), stateful.url, [steps(20)])


def test_a_board_that_always_resets_is_given_up(tiny: Deployment, board: Served) -> None:
    line = Line()

    def reset_again() -> None:
        board.reset()
        line.at = (line.seen + 300, reset_again)

    line.at = (300, reset_again)
    with through(line, board.port) as url:
        engine = SerialEngine(tiny, M3, PortOptions(url))
        with pytest.raises(EngineFailedError, match=r"must not reset again and again.*seen: 6 resets"):
            engine.run(default_inputs(tiny.graph, 1))


@pytest.mark.parametrize("after", [700, 5_000])
def test_a_device_that_is_gone_is_a_clear_error(after: int, tiny: Deployment, tmp_path: Path) -> None:
    gone: list[float] = []
    with served(M3, tiny, tmp_path) as machine:

        def unplug() -> None:
            machine.process.kill()
            gone.append(time.monotonic())

        with through(Line(at=(after, unplug)), machine.port) as url:
            engine = SerialEngine(tiny, M3, PortOptions(url))
            with pytest.raises(DeviceError, match=r"must stay connected.*went away.*Try: the cable"):
                engine.run(default_inputs(tiny.graph, 198))
    assert time.monotonic() - gone[0] < 5


def test_a_board_that_falls_silent_is_a_clear_error(tiny: Deployment, tmp_path: Path) -> None:
    silent: list[float] = []
    with served(M3, tiny, tmp_path) as machine:

        def stop() -> None:
            machine.process.send_signal(signal.SIGSTOP)
            silent.append(time.monotonic())

        with through(Line(at=(5_000, stop)), machine.port) as url:
            engine = SerialEngine(tiny, M3, PortOptions(url))
            with pytest.raises(DeviceError, match=r"must answer.*for 4\.\d s, at 115200 baud"):
                engine.run(default_inputs(tiny.graph, 198))
    assert time.monotonic() - silent[0] < 5


def refusal(deployment: Deployment, target: str, url: str) -> str:
    with pytest.raises(DeviceError) as caught:
        SerialEngine(deployment, load_board(target), PortOptions(url)).run(
            default_inputs(tiny_model().graph, 1)
        )
    assert caught.value.exit_code == 2 and "mcu-quant flash" in str(caught.value)
    return str(caught.value)


def test_wrong_firmware_is_refused(tiny: Deployment, board: Served) -> None:
    other = refusal(replace(tiny, fingerprint="f" * 64), M3.name, board.url)
    assert "must run tiny, with the fingerprint ffffffffffff (seen: tiny with 8950abfda7b7)" in other
    options = refusal(deploy(tiny_model(), M3, optimize="size"), M3.name, board.url)
    assert (
        "generated with these options (--optimize size" in options and "seen: --optimize balanced" in options
    )
    another = refusal(deploy(tiny_model(), load_board("mps2_an500")), "mps2_an500", board.url)
    assert "for the board (mps2_an500)" in another and "seen: mps2_an385" in another
    edited = refusal(deploy(tiny_model(hidden=9), M3), M3.name, board.url)
    assert "what is generated now (0x" in edited


def test_firmware_of_another_version_is_refused(
    tiny: Deployment, board: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcu_quant.verify.serial_session.__version__", "9.9")
    assert "this version of mcu-quant (9.9)" in refusal(tiny, M3.name, board.url)
    monkeypatch.setattr("mcu_quant.verify.serial_link.PROTOCOL_VERSION", 2)
    with pytest.raises(DeviceError, match=r"version 2 of the protocol.*seen: version 1"):
        SerialEngine(tiny, M3, PortOptions(board.url)).run(default_inputs(tiny.graph, 1))


def test_profile_measures_cycles(tiny: Deployment, board: Served) -> None:
    facts = profile_on_port(tiny, M3, default_inputs(tiny.graph, 1), PortOptions(board.url))
    assert facts["instructions"] is None and facts["modelled_cycles"] is None
    layers = [layer["measured_cycles"] for layer in facts["layers"]]
    assert facts["measured_cycles"] == sum(layers) > 0
    assert facts["memory"]["stack_bytes"] == facts["certificate"]["stack_bound_bytes"] > 0


def test_the_command_line(tiny_tflite: Path, tmp_path: Path, mcu_quant: Run) -> None:
    """As a user does it with a board: a project is built, put onto the machine, and asked."""
    require_tools("make", "gdb-multiarch")
    project, server = tmp_path / "project", f"localhost:{free_port()}"
    assert mcu_quant("generate", tiny_tflite, "--board", M3.name, "-o", project).returncode == 0
    with running(M3, tmp_path, "-S", "-gdb", f"tcp:{server}") as machine:
        flash = ("flash", project, "--program", "serve", "--tool", "gdb", "--server", server)
        assert "gdb" in only_json(mcu_quant(*flash, "--dry-run", "--json"))["command"][0]
        assert mcu_quant(*flash).returncode == 0
        on = ("--on", M3.name, "--port", machine.url)
        verified = only_json(mcu_quant("verify", tiny_tflite, *on, "--on", "host", "--json"))
        assert verified["identical"] and [e["engine"] for e in verified["engines"]] == [M3.name, "host"]
        assert "measured_cycles" in mcu_quant("profile", tiny_tflite, *on).stdout
        profile = only_json(mcu_quant("profile", tiny_tflite, *on, "--json"))
        assert profile["measured_cycles"] > 0 and profile["instructions"] is None
        inputs = tmp_path / "in.npz"
        np.savez(inputs, in0=np.zeros((3, 12), np.int8))
        done = mcu_quant("run", tiny_tflite, "--inputs", inputs, "--outputs", tmp_path / "out.npz", *on)
        assert done.returncode == 0
        assert len(np.load(tmp_path / "out.npz")["out0"]) == 3
        with through(Line(corrupted=0.01), machine.port) as url:
            noisy = mcu_quant("verify", tiny_tflite, "--on", M3.name, "--port", url)
        assert noisy.returncode == 0 and "sent again" in noisy.stderr and "identical" in noisy.stdout
        machine.process.send_signal(signal.SIGSTOP)
        silent = mcu_quant("verify", tiny_tflite, *on, "--timeout", "1")
        assert silent.returncode == 2 and "must answer" in silent.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("verify", "--port", "COM3"), "--port is where one board is"),
        (("verify", "--on", "host", "--port", "COM3"), "--port is where one board is"),
        (("verify", "--on", "microbit", "--on", "mps2_an385", "--port", "COM3"), "one board is"),
        (("verify", "--on", "host", "--baud", "9600"), "--baud belongs to --port"),
        (("verify", "--on", "nucleo_f446re"), "runs at a serial port.*--port"),
        (("profile", "--on", "microbit", "--port", ""), "must have a name"),
    ],
)
def test_the_command_line_refuses(
    arguments: tuple[str, ...], message: str, tiny_tflite: Path, mcu_quant: Run
) -> None:
    done = mcu_quant(arguments[0], tiny_tflite, *arguments[1:])
    assert done.returncode == 2 and re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_several_models_and_arenas_in_one_firmware(tmp_path: Path) -> None:
    """One of them with state, and each with a slow and a fast arena; compiled without a warning."""
    placement = Placement(arena=SplitArena(40, fast_section="psram", section="ram"))
    first = deploy(tiny_model(), M3, placement=placement)
    second = deploy_with_state(M3.core, placement=placement)
    assert first.plan.is_split and second.plan.is_split
    files = render_sources(M3, [first, second], ["serve.c"])
    (image,) = link_images(M3, first, files, ["serve"], tmp_path)
    flags = [*compile_flags(M3, "balanced"), *WARNINGS, "-Werror", "-Imodel", "-Iboard", "-fsyntax-only"]
    subprocess.run(["arm-none-eabi-gcc", *flags, "serve.c", "board/frames.c"], cwd=tmp_path, check=True)
    with running(M3, tmp_path, "-kernel", str(image)) as machine:
        run(second, machine.url, [steps(10)])
        run(first, machine.url, default_inputs(first.graph, 8))
        run(second, machine.url, [steps(10)])
