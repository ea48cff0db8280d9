"""Each verb does what it says, with and without --json."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import only_json
from tests.conftest import Run, require_tools

VERBS = (
    "quantize",
    "compare",
    "diagnose",
    "inspect",
    "generate",
    "run",
    "verify",
    "profile",
    "build",
    "flash",
    "boards",
    "doctor",
    "demo",
)


@pytest.mark.skipif(os.name != "posix", reason="CPU time of children as POSIX has it")
def test_help_is_quick() -> None:
    """Under 0.3 s with the interpreter's own start; in CPU time, since other tests run meanwhile."""

    def seconds() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-m", "mcu_quant", "--help"], check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        used = after.children_user + after.children_system
        return used - before.children_user - before.children_system

    assert min(seconds() for _ in range(5)) < 0.3


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from mcu_quant.cli import cli; cli(['--help'], standalone_mode=False); "
        "heavy = {'numpy', 'h5py', 'jinja2', 'rich', 'tensorflow', 'cffi'} & set(sys.modules); "
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    for verb in VERBS:
        assert f"\n  {verb} " in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_verb(verb: str, mcu_quant: Run) -> None:
    done = mcu_quant(verb, "--help")
    assert done.returncode == 0 and "--json" in done.stdout and done.stderr == ""


def test_version(mcu_quant: Run) -> None:
    import mcu_quant as package

    assert mcu_quant("--version").stdout.strip() == f"mcu-quant, version {package.__version__}"


def test_quantize_json(files: Path, tmp_path: Path, mcu_quant: Run) -> None:
    output = tmp_path / "out.tflite"
    done = mcu_quant("quantize", files / "dense.keras", "-o", output, "--data", files / "x.npz", "--json")
    facts = only_json(done)
    assert facts["bytes"] == output.stat().st_size and facts["layers"] == 3
    assert output.read_bytes()[4:8] == b"TFL3"


TYPES = [
    *(("int8", io_type) for io_type in ("int8", "uint8", "float32")),
    *(("int16x8", io_type) for io_type in ("int16", "int8", "float32")),
]


@pytest.mark.parametrize(("technique", "io_type"), TYPES)
def test_input_and_output_types(
    technique: str, io_type: str, files: Path, tmp_path: Path, mcu_quant: Run
) -> None:
    output = tmp_path / "out.tflite"
    types = ("--technique", technique, "--input-type", io_type, "--output-type", io_type)
    assert (
        mcu_quant(
            "quantize", files / "dense.keras", "-o", output, "--data", files / "x.npz", *types
        ).returncode
        == 0
    )
    facts = only_json(mcu_quant("inspect", output, "--json"))
    assert [tensor["type"] for tensor in (*facts["inputs"], *facts["outputs"])] == [io_type, io_type]


@pytest.mark.slow
def test_int16x8_from_keras_to_c(files: Path, tmp_path: Path, mcu_quant: Run) -> None:
    output = tmp_path / "out.tflite"
    quantizing = ("--technique", "int16x8", "--data", files / "x.npz")
    done = mcu_quant("quantize", files / "dense.keras", "-o", output, *quantizing, "--json")
    assert only_json(done)["technique"] == "int16x8"
    facts = only_json(mcu_quant("inspect", files / "dense.keras", *quantizing, "--json"))
    assert [t["type"] for t in (*facts["inputs"], *facts["outputs"])] == ["int16", "int16"]
    assert facts["layers"][0]["kernel"] == "fully_connected_s16"
    assert facts["memory"] == only_json(mcu_quant("inspect", output, "--json"))["memory"]
    assert only_json(mcu_quant("verify", output, "--on", "host", "--json"))


def test_edge_types_that_the_technique_does_not_have(
    files: Path, tmp_path: Path, refuses: Callable[..., str]
) -> None:
    begin = ("quantize", files / "dense.keras", "-o", tmp_path / "out.tflite", "--data", files / "x.npz")
    for technique, io_type, others in (("int8", "int16", "uint8"), ("int16x8", "uint8", "int16")):
        error = refuses(*begin, "--technique", technique, "--output-type", io_type)
        assert "output type" in error and io_type in error and others in error


def test_inspect(files: Path, tflite: Path, mcu_quant: Run) -> None:
    facts = only_json(mcu_quant("inspect", tflite, "--json"))
    assert facts["macs"] == 12 * 6 + 6 * 3 and facts["unsupported"] == []
    assert [layer["kernel"] for layer in facts["layers"]][:2] == ["fully_connected_s8"] * 2
    assert facts["memory"]["arena_bytes"] >= facts["memory"]["disjoint_bytes"] > 0
    from_float = only_json(mcu_quant("inspect", files / "dense.keras", "--json"))
    assert from_float["memory"] == facts["memory"] and from_float["kind"] == "float"
    text = mcu_quant("inspect", tflite)
    assert "fully_connected_s8" in text.stdout and text.returncode == 0
    assert "live at once without overlap" in text.stdout and "planned tables" in text.stdout


def test_inspect_invents_no_scales(files: Path, tflite: Path, mcu_quant: Run) -> None:
    done = mcu_quant("inspect", files / "dense.keras", "--json")
    facts = only_json(done)
    assert facts["calibrated"] is False and "--data" in done.stderr
    assert all(t["scale"] is t["zero_point"] is None for t in (*facts["inputs"], *facts["outputs"]))
    calibrated = mcu_quant("inspect", files / "dense.keras", "--data", files / "x.npz", "--json")
    expected = only_json(mcu_quant("inspect", tflite, "--json"))
    assert only_json(calibrated)["calibrated"] and expected["calibrated"] and calibrated.stderr == ""
    assert only_json(calibrated)["inputs"] == expected["inputs"] and expected["inputs"][0]["scale"] > 0


@pytest.mark.parametrize("form", ["text", "json"])
def test_inspect_shows_what_does_not_fit(form: str, tflite: Path, mcu_quant: Run) -> None:
    done = mcu_quant("inspect", tflite, "--ram", "4", *(["--json"] if form == "json" else []))
    assert done.returncode == 3 and "4 given" in done.stderr
    assert "fully_connected_s8" in done.stdout
    if form == "json":
        assert only_json(done)["layers"]


def test_quantize_notes_integers(files: Path, tmp_path: Path, mcu_quant: Run) -> None:
    np.savez(tmp_path / "x.npz", x=np.arange(48, dtype=np.uint8).reshape(4, 12))
    output = tmp_path / "out.tflite"
    done = mcu_quant("quantize", files / "dense.keras", "-o", output, "--data", tmp_path / "x.npz", "--json")
    assert only_json(done)["bytes"] > 0
    assert done.stderr.count("warning: ") == 1 and "taken as real values 0..255" in done.stderr


def test_choices_are_those_that_there_are() -> None:
    from mcu_quant import choices
    from mcu_quant.quantize import CALIBRATIONS

    assert tuple(CALIBRATIONS) == choices.CALIBRATIONS


@pytest.mark.parametrize("model", ["kws_ref_model.keras", "kws_ref_model.tflite", "pretrainedResnet.h5"])
def test_inspect_published_models(model: str, shared: Path, mcu_quant: Run) -> None:
    """With branches, and with layers that compute nothing."""
    facts = only_json(mcu_quant("inspect", shared / "models" / model, "--json"))
    assert facts["unsupported"] == []
    assert facts["macs"] == {"kws": 2_656_768, "pre": 12_501_632}[model[:3]]


def test_inspect_says_what_is_left_out(shared: Path, mcu_quant: Run) -> None:
    model = shared / "models" / "hello_world_int8.tflite"
    facts = only_json(mcu_quant("inspect", model, "--json"))
    assert (facts["macs"], facts["original_macs"], facts["removed_layers"]) == (220, 288, [])
    assert [layer["removed_channels"] for layer in facts["layers"]] == [4, 0, 0]
    assert "220 of 288" in mcu_quant("inspect", model).stdout
    kept = only_json(mcu_quant("inspect", model, "--keep-constant-channels", "--json"))
    assert kept["macs"] == kept["original_macs"] == 288


def test_inspect_lists_what_is_unsupported(tmp_path: Path, mcu_quant: Run) -> None:
    from tests import tiny_models

    model = tiny_models.with_lambda(tmp_path / "lambda.keras")
    done = mcu_quant("inspect", model, "--json")
    assert done.returncode == 2
    problems = only_json(done)["unsupported"]
    assert [problem["layer"] for problem in problems] == ["double", "memory"]
    assert all(problem["hint"] for problem in problems)


def test_run_takes_floats_and_raw_integers(tflite: Path, files: Path, tmp_path: Path, mcu_quant: Run) -> None:
    facts = only_json(mcu_quant("inspect", tflite, "--json"))
    scale, zero_point = facts["inputs"][0]["scale"], facts["inputs"][0]["zero_point"]
    x = np.load(files / "x.npz")["x"]
    raw = np.clip(np.rint(x / np.float32(scale)) + zero_point, -128, 127).astype(np.int8)
    np.savez(tmp_path / "raw.npz", **{facts["inputs"][0]["name"]: raw[:, None]})  # type: ignore[arg-type]
    outputs = []
    for index, inputs in enumerate((files / "x.npz", tmp_path / "raw.npz")):
        output = tmp_path / f"{index}.npz"
        done = mcu_quant("run", tflite, "--inputs", inputs, "--outputs", output, "--json")
        assert only_json(done)["samples"] == len(x)
        outputs.append(np.load(output)["out0"])
    assert outputs[0].dtype == np.int8 and outputs[0].shape == (len(x), 3)
    assert np.array_equal(*outputs)
    real = tmp_path / "float.npz"
    assert (
        mcu_quant("run", tflite, "--inputs", files / "x.npz", "--outputs", real, "--float-outputs").returncode
        == 0
    )
    assert np.array_equal(np.load(real)["out0"], (outputs[0].astype(np.float32) + 128) / 256)


def test_run_on_host_gives_the_same(tflite: Path, files: Path, tmp_path: Path, mcu_quant: Run) -> None:
    require_tools("gcc")
    for engine in ("reference", "host"):
        output = tmp_path / f"{engine}.npz"
        done = mcu_quant("run", tflite, "--inputs", files / "x.npz", "--outputs", output, "--on", engine)
        assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / "reference.npz")["out0"], np.load(tmp_path / "host.npz")["out0"])


def test_verify_on_host(tflite: Path, files: Path, mcu_quant: Run) -> None:
    require_tools("gcc")
    facts = only_json(mcu_quant("verify", tflite, "--json"))
    assert facts["identical"] and facts["samples"] == 10
    assert [engine["engine"] for engine in facts["engines"]] == ["host"]
    done = mcu_quant("verify", files / "dense.keras", "--data", files / "x.npz", "--inputs", files / "x.npz")
    assert done.returncode == 0 and "identical" in done.stdout


def test_generate_a_library(tflite: Path, tmp_path: Path, mcu_quant: Run) -> None:
    output = tmp_path / "library"
    facts = only_json(
        mcu_quant("generate", tflite, "--target", "cortex-m4", "-o", output, "--name", "net", "--json")
    )
    assert facts["core"] == "cortex-m4" and facts["models"][0]["name"] == "net"
    written = {path.name for path in output.iterdir()}
    assert {"net.h", "net.c", "mcu-quant.json"} <= written
    assert written == {*facts["files"], "mcu-quant.json"}


def test_generating_twice_gives_the_same_bytes(tflite: Path, tmp_path: Path, mcu_quant: Run) -> None:
    for name in ("a", "b"):
        assert mcu_quant("generate", tflite, "--board", "mps2_an386", "-o", tmp_path / name).returncode == 0
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(tmp_path / "b") for path in (tmp_path / "b").rglob("*") if path.is_file()
    )
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
        assert str(tmp_path).encode() not in (tmp_path / "a" / file).read_bytes()


def test_two_models_share_a_library(tflite: Path, tmp_path: Path, mcu_quant: Run) -> None:
    other = tmp_path / "other.tflite"
    shutil.copy(tflite, other)
    output = tmp_path / "library"
    done = mcu_quant("generate", tflite, other, "--target", "generic", "-o", output)
    assert done.returncode == 0, done.stderr
    names = [path.name for path in output.iterdir()]
    assert {"dense.c", "other.c"} <= set(names) and names.count("mq_fully_connected_s8.h") == 1


@pytest.mark.qemu
def test_generate_build_verify_and_profile_for_a_board(tflite: Path, tmp_path: Path, mcu_quant: Run) -> None:
    """In a path with spaces, and over itself with --force after a build."""
    project = tmp_path / "my first firmware"
    assert mcu_quant("generate", tflite, "--board", "mps2_an386", "-o", project).returncode == 0
    built = mcu_quant("build", project, "--json")
    assert built.returncode == 0, built.stderr
    images = only_json(built)["images"]
    assert [Path(image["path"]).name for image in images] == ["firmware.elf"]
    assert images[0]["code_bytes"] > 500
    assert mcu_quant("generate", tflite, "--board", "mps2_an386", "-o", project, "--force").returncode == 0
    verified = only_json(mcu_quant("verify", tflite, "--on", "mps2_an386", "--json"))
    assert verified["identical"]
    profile = only_json(mcu_quant("profile", tflite, "--board", "mps2_an386", "--json"))
    assert profile["instructions"] > sum(layer["macs"] for layer in profile["layers"])
    assert profile["memory"]["static_bytes"] == 0
    certificate = tmp_path / "certificate"
    command = ("profile", tflite, "--board", "mps2_an386", "--certificate", certificate)
    assert "stack_bound_bytes" in mcu_quant(*command).stdout
    written = {path.name for path in certificate.iterdir()}
    assert written == {"arena.svg", "certificate.json", f"{profile['model']}_certificate.h", "mcu-quant.json"}
    facts = json.loads((certificate / "certificate.json").read_text(encoding="utf-8"))
    assert facts == {key: profile[key] for key in facts}
    assert mcu_quant(*command).returncode == 2


def test_build_refuses_other_directories(tmp_path: Path, mcu_quant: Run) -> None:
    done = mcu_quant("build", tmp_path)
    assert done.returncode == 2 and "generate" in done.stderr


def test_boards(mcu_quant: Run) -> None:
    boards = only_json(mcu_quant("boards", "--json"))["boards"]
    cores = {board["name"]: board["core"] for board in boards}
    assert len(boards) >= 20 and cores["microbit"] == "cortex-m0" and cores["mps3_an547"] == "cortex-m55"
    assert all({"qemu", "flash_bytes", "ram_bytes"} <= set(board) for board in boards)


def test_doctor_says_what_is_missing(mcu_quant: Run, tmp_path: Path) -> None:
    done = mcu_quant("doctor", "--json", env={"PATH": str(tmp_path)})
    assert done.returncode == 5
    facts = only_json(done)
    missing = {tool["name"]: tool["how"] for tool in facts["tools"] if not tool["found"]}
    assert not facts["ok"] and all(missing.values())
    assert {"qemu-system-arm", "arm-none-eabi-gcc", "openocd", "st-flash", "gdb"} <= set(missing)


def test_doctor_mentions_a_qemu_without_plugins(mcu_quant: Run, tmp_path: Path) -> None:
    emulator = tmp_path / "qemu-system-arm"
    emulator.write_text("#!/bin/sh\necho QEMU emulator version 7.2\n")
    emulator.chmod(0o755)
    done = mcu_quant("doctor", env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert "modelled cycles" in done.stderr
    emulator.write_text("#!/bin/sh\necho ' -plugin [file=]<file>'\n")
    assert "modelled cycles" not in mcu_quant("doctor", env={"PATH": f"{tmp_path}:/usr/bin:/bin"}).stderr


def test_missing_tool_exits_with_5(tflite: Path, mcu_quant: Run, tmp_path: Path) -> None:
    done = mcu_quant("verify", tflite, "--on", "mps2_an386", env={"PATH": str(tmp_path)})
    assert done.returncode == 5 and "install" in done.stderr and "Traceback" not in done.stderr


def test_errors_as_json(mcu_quant: Run, tmp_path: Path) -> None:
    done = mcu_quant("inspect", tmp_path / "no_such.keras", "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["exit_code"] == 2 and error["problems"][0]["hint"]


def test_a_bug_of_ours_keeps_its_traceback(tmp_path: Path) -> None:
    code = (
        "import sys; from mcu_quant import cli, pipeline\n"
        "pipeline.board_facts = lambda: 1 / 0\n"
        "sys.argv = ['mcu-quant', 'boards']; cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr and "Traceback" in done.stderr
