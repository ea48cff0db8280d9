"""What is common to all formats: what they write, what it is called, and what is refused."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

import mcu_quant as mq
from mcu_quant import pipeline
from mcu_quant.boards import load_board
from mcu_quant.errors import DoesNotFitError, InvalidInputError
from mcu_quant.formats import library_name, list_formats, load_format
from mcu_quant.pipeline import TfliteModel
from tests.boards.models import deploy as deploy_on_board
from tests.boards.models import tiny_model
from tests.conftest import ROOT, Run
from tests.formats.libraries import ARM_FLAGS, CASES, LIBRARIES, deployments, run, sources, write

EXPECTED = {
    "cmake": {"CMakeLists.txt"},
    "arduino": {"library.properties", "examples/kws/kws.ino"},
    "platformio": {"library.json", "examples/kws/platformio.ini", "examples/kws/src/main.c"},
    "zephyr": {
        "zephyr/module.yml",
        "zephyr/Kconfig",
        "zephyr/CMakeLists.txt",
        "samples/kws/CMakeLists.txt",
        "samples/kws/prj.conf",
        "samples/kws/src/main.c",
    },
    "cmsis-pack": {"mcu_quant.kws.pdsc", "template/main.c"},
}


def test_make_is_the_usual_format_and_all_of_the_issue_are_there() -> None:
    assert list_formats() == ["make", *sorted(EXPECTED)]
    assert sorted(LIBRARIES) == sorted(EXPECTED)
    assert [name for name in list_formats() if load_format(name).has_project] == ["make", "cmake"]


@pytest.mark.parametrize("form", EXPECTED)
def test_a_library_has_its_files_and_the_same_c(form: str) -> None:
    models = deployments()
    files = pipeline.render(models, form=load_format(form), package="kws")
    plain = pipeline.render(models)
    assert {name: files[f"src/{name}"] for name in plain} == plain
    assert {name for name in files if not name.startswith("src/")} == EXPECTED[form] | {"README.md"}
    assert files == pipeline.render(models, form=load_format(form), package="kws")
    text = "\n".join(str(contents) for contents in files.values())
    assert str(ROOT) not in text and os.sep + "home" not in text and "__package__" not in text


@pytest.mark.parametrize("form", EXPECTED)
def test_kernels_are_there_once_and_every_header_is_found(form: str, tmp_path: Path) -> None:
    folder = write(tmp_path, form, deployments(), "kws")
    names = [path.name for path in (folder / "src").iterdir()]
    assert names.count("mq_common.h") == 1
    assert {"tiny.c", "real.c", "smoothing.c"} <= set(names)
    run(["arm-none-eabi-gcc", *ARM_FLAGS, "-std=c99", "-Werror", "-c", *sources(folder)], folder)


@pytest.mark.parametrize("form", EXPECTED)
def test_a_library_is_named_by_its_models_or_by_the_user(form: str) -> None:
    models = deployments()[:2]
    assert library_name([model.name for model in models]) == "tiny_real"
    by_default = "\n".join(map(str, pipeline.render(models, form=load_format(form)).values()))
    named = "\n".join(map(str, pipeline.render(models, form=load_format(form), package="wake").values()))
    assert "tiny_real" in by_default and "tiny_real" not in named and "wake" in named


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"at most 63 letters.*--name"):
        library_name(["a" * 40, "b" * 40])


def test_an_unknown_format_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(InvalidInputError, match=r"no such format.*scons.*make, arduino, cmake"):
        load_format("scons")


@pytest.mark.parametrize("form", ["arduino", "cmake"])
def test_a_board_is_asked_whether_the_models_fit(form: str) -> None:
    microbit = load_board("microbit")
    large = deploy_on_board(tiny_model("large", inputs=15_000), microbit)
    with pytest.raises(DoesNotFitError, match="microbit"):
        pipeline.render([large], microbit, load_format(form))


def test_a_library_format_takes_the_board_for_its_core(shared: Path, mcu_quant: Run, tmp_path: Path) -> None:
    model = shared / "models" / "hello_world_int8.tflite"
    output = tmp_path / "it's mine"
    done = mcu_quant("generate", model, "--board", "microbit", "--format", "arduino", "-o", output)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((output / "mcu-quant.json").read_text())
    assert (manifest["format"], manifest["core"], manifest["board"]) == ("arduino", "cortex-m0", "microbit")
    assert not (output / "board").exists() and (output / "src" / "hello_world_int8.c").is_file()
    built = mcu_quant("build", output)
    assert built.returncode == 2 and "firmware project" in built.stderr


@pytest.mark.slow
def test_names_on_the_command_line(shared: Path, mcu_quant: Run, tmp_path: Path) -> None:
    models = [shared / "models" / f"{name}.tflite" for name in ("hello_world_int8", "ad01_int8")]
    target = ("--target", "cortex-m4")
    done = mcu_quant(
        "generate", *models, *target, "--format", "zephyr", "--name", "duo", "-o", tmp_path / "a"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a/samples/duo/src/main.c").is_file() and (tmp_path / "a/src/ad01_int8.c").is_file()
    advice = shlex.split(done.stderr.split("`")[1])
    assert Path(advice[-1]).is_dir(), "the command to paste names a directory that is there"
    single = mcu_quant(
        "generate", models[0], *target, "--format", "arduino", "--name", "hi", "-o", tmp_path / "b"
    )
    assert single.returncode == 0 and (tmp_path / "b/src/hi.c").is_file(), single.stderr
    for words in (target, ("--board", "mps2_an386", "--format", "cmake")):
        refused = mcu_quant("generate", *models, *words, "--name", "duo", "-o", tmp_path / "c")
        assert refused.returncode == 2 and "--name is for one model" in refused.stderr, refused.stderr
        assert not (tmp_path / "c").exists()


def test_python_has_formats_too(tmp_path: Path) -> None:
    model = tiny_model("kws")
    quantized = mq.QuantizedModel(TfliteModel("kws", b"kws", model.graph))
    generated = mq.generate(quantized, target="cortex-m4", format="platformio", output_dir=tmp_path / "out")
    assert json.loads((generated.path / "library.json").read_text())["name"] == "kws"
    with pytest.raises(InvalidInputError, match="no such format"):
        mq.generate(quantized, target="cortex-m4", format="bazel", output_dir=tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("case", CASES)
def test_readme_names_arenas_and_flags(case: str) -> None:
    models = CASES[case]()
    readme = str(pipeline.render(models, form=load_format("zephyr"))["README.md"])
    for model in models:
        assert f"| {model.name} | {model.plan.arena_bytes}" in readme
    assert "-ffp-contract=off" in readme and "-mcpu=cortex-m4" in readme
