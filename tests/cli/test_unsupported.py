"""Models with several things that are unsupported: each verb lists all, with reason, value and rewrite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny_models
from tests.cli.conftest import only_json
from tests.conftest import Run
from tests.tflite_builder import Model, Subgraph

Command = Callable[[Path, Path], list[object]]


def keras_model(directory: Path) -> Path:
    """Lambda, ConvLSTM1D."""
    return tiny_models.with_lambda(directory / "unsupported.keras")


def tflite_model(directory: Path) -> Path:
    """An operator that has no form, a Flex one, one whose kind is known, and weights of 4 bits."""
    model = Model()
    main = Subgraph(model)
    x, angle, flex = (main.input("x", (1, 4)), main.tensor("angle", (1, 4)), main.tensor("flex", (1, 4)))
    main.op("ATAN2", [x, x], [angle])
    main.op("CUSTOM", [angle], [flex], custom="FlexErf")
    best, places = main.tensor("best", (1, 2)), main.tensor("places", (1, 2), "int32")
    main.op("TOPK_V2", [flex, main.constant("k", 2)], [best, places], type="TopKV2Options")
    weights, y = main.constant("weights", [[1, 2]], "int8", scale=0.1), main.tensor("y", (1, 2))
    main.table.tensors[weights].type = 17  # INT4
    main.op("MUL", [best, weights], [y], type="MulOptions")
    main.outputs(y)
    path = directory / "unsupported.tflite"
    path.write_bytes(model.file())
    return path


#: (the file, layers with their values)
MODELS = {
    "keras": (keras_model, [("double", "Lambda"), ("memory", "ConvLSTM1D")]),
    "tflite": (
        tflite_model,
        [("weights", "INT4"), ("angle", "ATAN2"), ("flex", "FlexErf"), ("best", "TOPK_V2")],
    ),
}
COMMANDS: dict[str, Command] = {
    "inspect": lambda model, out: ["inspect", model],
    "quantize": lambda model, out: ["quantize", model, "-o", out / "o.tflite", "--data", out / "x.npz"],
    "generate": lambda model, out: ["generate", model, "--target", "generic", "-o", out / "library"],
    "verify": lambda model, out: ["verify", model, "--on", "host"],
}
CASES = [(kind, verb) for kind in MODELS for verb in COMMANDS if (kind, verb) != ("tflite", "quantize")]


@pytest.mark.parametrize(("kind", "verb"), CASES)
def test_all_are_listed(kind: str, verb: str, mcu_quant: Run, tmp_path: Path) -> None:
    make, expected = MODELS[kind]
    tiny_models.calibration(tmp_path / "x.npz")
    command = COMMANDS[verb](make(tmp_path), tmp_path)
    if kind == "keras" and verb != "inspect":
        command += ["--data", tmp_path / "x.npz"] if "--data" not in command else []
    done = mcu_quant(*command)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    for layer, value in expected:
        (line,) = (line for line in done.stderr.splitlines() if f"{layer}: " in line)
        assert f"(seen: {value})" in line and "Try: " in line
    payload = only_json(mcu_quant(*command, "--json"))
    problems = payload["unsupported"] if verb == "inspect" else payload["error"]["problems"]
    assert [(problem["layer"], problem["value"]) for problem in problems] == expected
    assert all(problem["rule"] and problem["hint"] for problem in problems)
    assert not (tmp_path / "o.tflite").exists() and not (tmp_path / "library").exists()
