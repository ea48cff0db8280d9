"""The language of candidates, and that whatever choices.py offers is a candidate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcu_quant import choices
from mcu_quant.errors import InvalidInputError
from mcu_quant.evaluation.candidates import combined, name_of, parse, remedies, side_by_side
from mcu_quant.quantize_options import QuantizeOptions

USUAL = QuantizeOptions()


@pytest.mark.parametrize("technique", choices.TECHNIQUES)
def test_every_technique_is_shown(technique: str) -> None:
    assert technique in [candidate.name for candidate in side_by_side()]
    assert parse(technique).technique == technique


@pytest.mark.parametrize("calibration", choices.CALIBRATIONS)
def test_every_calibration_is_a_candidate(calibration: str) -> None:
    assert parse(f"int8+{calibration}").options(USUAL).calibration == calibration
    changes = [candidate for candidate in remedies(USUAL) if not candidate.changes_technique]
    names = [candidate.changes.get("calibration") for candidate in changes]
    assert (calibration in names) == (calibration != "minmax")


def test_names_are_read_back() -> None:
    for base in (USUAL, replace(USUAL, per_tensor=True)):
        for candidate in remedies(base):
            assert parse(candidate.name).options(USUAL) == candidate.options(base)
    for candidate in side_by_side():
        assert name_of(candidate.options(USUAL)) == candidate.name
    assert name_of(replace(USUAL, per_tensor=True)) == "int8+per-tensor"


def test_per_channel_is_a_remedy_of_per_tensor() -> None:
    per_tensor = replace(USUAL, per_tensor=True)
    first = remedies(per_tensor)[0]
    assert first.name == "int8" and first.options(per_tensor) == USUAL


@pytest.mark.parametrize(
    "text",
    ["int4", "int8+magic", "", "+per-tensor", "int8+", "int8+percentile=200", "float16+per-tensor"],
)
def test_unknown(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse(text)


def test_what_choices_offer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Techniques, calibrations and repairs become candidates by being in choices.py."""
    monkeypatch.setattr(choices, "TECHNIQUES", ("int8", "int16x8", "float16", "dynamic"))
    monkeypatch.setattr(choices, "CALIBRATIONS", ("minmax", "percentile", "mse"))
    monkeypatch.setattr(choices, "WEIGHTS_CALIBRATIONS", ("minmax", "mse"))
    monkeypatch.setattr(choices, "REPAIRS", ("equalize", "bias"))
    assert [candidate.name for candidate in remedies(USUAL)] == [
        "int8+percentile",
        "int8+mse",
        "int8+weights-mse",
        "int8+equalize",
        "int8+bias",
        "float16",
        "dynamic",
        "int16x8",
    ]
    assert [candidate.name for candidate in side_by_side()] == [
        "float16",
        "dynamic",
        "int8",
        "int8+per-tensor",
        "int8+equalize",
        "int8+bias",
        "int8+equalize+bias",
        "int16x8",
    ]
    options = parse("int8+percentile=99.9+weights-mse+bias+equalize").options(USUAL)
    assert (options.calibration, options.weights_calibration) == ("percentile=99.9", "mse")
    assert options.repairs == ("bias", "equalize")
    assert name_of(options) == "int8+percentile=99.9+weights-mse+bias+equalize"
    both = combined(USUAL, [parse("int8+equalize"), parse("int8+mse"), parse("int8+bias")])
    assert both.name == "int8+mse+equalize+bias"
    with_bias = replace(USUAL, repairs=("bias",))
    assert "int8+bias+equalize" in [candidate.name for candidate in remedies(with_bias)]
    assert name_of(parse("dynamic+weights").options(USUAL)) == "dynamic+weights"
    assert parse("float16").needs_data is False and parse("int16x8").needs_data is True
