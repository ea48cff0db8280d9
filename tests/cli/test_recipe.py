"""quantize --recipe and --allow-float: the file, its errors, and options without a meaning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mcu_quant as mq
from mcu_quant.errors import InvalidInputError
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.recipe import recipe_of
from tests import tiny_models
from tests.cli.conftest import only_json
from tests.conftest import Run

Refuses = Callable[..., str]


def recipe_file(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "recipe.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.slow
def test_from_keras_to_c(mcu_quant: Run, files: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, '[layers]\n"hid*" = "int16x8"\nscores = "float32"\n')
    output = tmp_path / "net.tflite"
    given = ("--data", files / "x.npz", "--recipe", recipe)
    done = mcu_quant("quantize", files / "dense.keras", "-o", output, *given, "--json")
    assert only_json(done)["float_layers"] == ["scores", "scores/softmax"]
    facts = only_json(mcu_quant("inspect", output, "--json"))
    types = {layer["name"]: layer["type"] for layer in facts["layers"]}
    assert (types["hidden"], types["scores"]) == ("int16", "float32")
    assert [facts[edge][0]["type"] for edge in ("inputs", "outputs")] == ["int8", "int8"]
    verified = only_json(mcu_quant("verify", output, "--json"))
    assert verified["passed"] and verified["engines"][0]["mismatches"] == 0
    library = tmp_path / "library"
    assert mcu_quant("generate", output, "--target", "cortex-m0plus", "-o", library).returncode == 0

    with np.load(files / "x.npz") as stored:
        x = stored["x"]
    for same in ({"hid*": "int16x8", "scores": "float32"}, recipe, str(recipe)):
        assert mq.quantize(files / "dense.keras", x, recipe=same).tflite == output.read_bytes()


def test_all_verbs_that_quantize_take_a_recipe(mcu_quant: Run, files: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, '[layers]\nhidden = "int16x8"\n')
    done = mcu_quant("inspect", files / "dense.keras", "--recipe", recipe, "--json")
    assert {"int8", "int16"} <= {layer["type"] for layer in only_json(done)["layers"]}
    given = ("--data", files / "x.npz", "--recipe", recipe)
    found = only_json(mcu_quant("diagnose", files / "dense.keras", *given, "--json"))
    assert {"hidden", "scores"} <= {layer["name"] for layer in found["layers"]}


def test_float_recipes_need_no_data(mcu_quant: Run, files: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, '[layers]\nhidden = "float16"\n"*" = "dynamic"\n')
    output = tmp_path / "a.tflite"
    arguments = ("quantize", files / "dense.keras", "-o", output, "--recipe", recipe)
    done = mcu_quant(*arguments, "--data", tmp_path / "none.npz")
    assert done.returncode == 0 and "float16 and dynamic needs no calibration" in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            '[layers]\n"hiden" = "int8"\n',
            ["a line of the recipe must match a layer", "hiden", "hidden is the nearest", "scores"],
            id="unknown layer",
        ),
        pytest.param(
            '[layers]\n"conv*" = "int8"\n', ["a line of the recipe must match", "conv*"], id="pattern"
        ),
        pytest.param(
            '[layers]\nhidden = "int4"\n', ["recipe.toml: hidden", "int4", "int16x8"], id="technique"
        ),
        pytest.param("[layers]\nhidden = 8\n", ["recipe.toml: hidden", "8", "int16x8"], id="number"),
        pytest.param("[layers\n", ["the recipe must be readable TOML", "recipe.toml"], id="malformed"),
        pytest.param('hidden = "int8"\n', ["one table, [layers]", "hidden"], id="no table"),
        pytest.param('[layers]\n[layer]\nhidden = "int8"\n', ["one table, [layers]"], id="two tables"),
        pytest.param("[layers]\n", ["must say something"], id="empty table"),
        pytest.param("", ["one table, [layers]", "none"], id="empty"),
        pytest.param('[layers]\nhidden = "int8"\nhidden = "int8"\n', ["readable TOML"], id="twice"),
    ],
)
def test_recipes_that_are_refused(
    text: str, says: list[str], refuses: Refuses, files: Path, tmp_path: Path
) -> None:
    output = tmp_path / "net.tflite"
    given = ("--data", files / "x.npz", "--recipe", recipe_file(tmp_path, text))
    error = refuses("quantize", files / "dense.keras", "-o", output, *given)
    assert all(part in error for part in says), error
    assert not output.exists()


def test_a_recipe_that_is_not_there(refuses: Refuses, files: Path, tmp_path: Path) -> None:
    given = ("--data", files / "x.npz", "--recipe", tmp_path / "none.toml")
    error = refuses("quantize", files / "dense.keras", "-o", tmp_path / "net.tflite", *given)
    assert "the recipe file cannot be read" in error and "none.toml" in error


def test_a_tflite_file_takes_no_recipe(refuses: Refuses, tflite: Path, tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, '[layers]\nhidden = "int8"\n')
    assert "--recipe" in refuses("inspect", tflite, "--recipe", recipe)
    assert "--allow-float" in refuses("inspect", tflite, "--allow-float")


FLOAT = ("float32", "float16", "dynamic")
MEANINGLESS = {
    "calibration": {"calibration": "percentile=99"},
    "weights_calibration": {"weights_calibration": "mse"},
    "repairs": {"repairs": ("bias",)},
    "allow_float": {"allow_float": True},
    "input_type": {"input_type": "int8"},
    "output_type": {"output_type": "int16"},
}


@pytest.mark.parametrize("option", MEANINGLESS)
@pytest.mark.parametrize("technique", FLOAT)
def test_float_techniques_refuse_what_is_about_integers(technique: str, option: str) -> None:
    for recipe in (None, recipe_of({"*": "float32"}), recipe_of({"conv": "dynamic"})):
        with pytest.raises(InvalidInputError, match=rf"have a meaning for the technique.*{option}=") as error:
            QuantizeOptions(technique, recipe=recipe, **MEANINGLESS[option])  # type: ignore[arg-type]
        assert ("float32" if recipe is not None and recipe.rules[0][0] == "*" else technique) in str(
            error.value
        )
    QuantizeOptions(technique, recipe=recipe_of({"conv": "int8"}), **MEANINGLESS[option])  # type: ignore[arg-type]


@pytest.mark.parametrize("flags", [("--repair", "bias"), ("--calibration", "entropy")], ids=lambda f: f[0])
def test_the_command_line_refuses_them_too(
    flags: tuple[str, str], refuses: Refuses, files: Path, tmp_path: Path
) -> None:
    output = tmp_path / "net.tflite"
    error = refuses("quantize", files / "dense.keras", "-o", output, "--technique", "float16", *flags)
    assert "an option must have a meaning" in error and "with float16" in error


@pytest.mark.parametrize(
    ("technique", "recipe", "options"),
    [
        ("float32", {"a": "float16"}, {"per_tensor": True}),
        ("int8", {"a": "float16"}, {"dynamic_range": "weights"}),
        ("dynamic", {"*": "float32"}, {"dynamic_range": "hybrid"}),
    ],
)
def test_options_that_no_layer_has_a_use_for(
    technique: str, recipe: dict[str, str], options: dict[str, object]
) -> None:
    with pytest.raises(InvalidInputError, match="have a meaning for the technique"):
        QuantizeOptions(technique, recipe=recipe_of(recipe), **options)  # type: ignore[arg-type]
    QuantizeOptions("float32", recipe=recipe_of({"a": "dynamic"}), **options)  # type: ignore[arg-type]


@pytest.mark.slow
def test_allow_float(refuses: Refuses, mcu_quant: Run, files: Path, tmp_path: Path) -> None:
    """A softmax of more classes than int16 bears."""
    kernel = np.random.default_rng(4).normal(size=(12, 65_536)).astype(np.float32)
    dense = tiny_models.layer("Dense", "dense", units=65_536, activation="linear", use_bias=False)
    softmax = tiny_models.layer("Softmax", "cut", axis=-1)
    model = tiny_models.write_sequential(
        tmp_path / "cut.keras", [None, 12], [dense, softmax], {"dense": [kernel]}
    )
    output = tmp_path / "cut.tflite"
    arguments = ("quantize", model, "-o", output, "--technique", "int16x8", "--data", files / "x.npz")
    error = refuses(*arguments)
    assert "cut" in error and "at most 65535 elements" in error and "--allow-float" in error
    done = mcu_quant(*arguments, "--allow-float", "--json")
    (layer,) = only_json(done)["float_layers"]
    assert layer.startswith("cut") and f"in float32: {layer}" in done.stderr
    assert only_json(mcu_quant("verify", output, "--json"))["passed"]


def test_a_name_stands_for_the_parts_of_its_layer() -> None:
    recipe = recipe_of({"block/last": "float32", "block": "int16x8", "b*": "int8"})
    names = ("block/last", "block/first/relu", "block", "b", "other")
    found = [recipe.technique_of(name, "dynamic") for name in names]
    assert found == ["float32", "int16x8", "int16x8", "int8", "dynamic"]
