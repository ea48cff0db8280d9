"""The options of quantizing, as every stage from the command line down has them."""

from __future__ import annotations

from dataclasses import dataclass

from mcu_quant.choices import (
    DYNAMIC_RANGES,
    FLOAT_TECHNIQUES,
    IO_TYPES,
    REPAIRS,
    TECHNIQUES,
    WEIGHTS_CALIBRATIONS,
    require_choice,
    split_calibration,
)
from mcu_quant.errors import InvalidInputError
from mcu_quant.recipe import NO_RECIPE, Recipe


@dataclass(frozen=True)
class QuantizeOptions:
    """The options of `quantize`, and of every verb that is given a float model.

    input_type, output_type: None is the type of the activations, int8 or int16.
    calibration: a method, or percentile=99.9. repairs: names of choices.REPAIRS.
    recipe: the technique of layers by name; technique is that of the others. allow_float: layers without an
    integer form are computed in float32, instead of an error.
    """

    technique: str = "int8"
    calibration: str = "minmax"
    per_tensor: bool = False
    input_type: str | None = None
    output_type: str | None = None
    weights_calibration: str = "minmax"
    repairs: tuple[str, ...] = ()
    dynamic_range: str | None = None
    recipe: Recipe | None = None
    allow_float: bool = False

    def __post_init__(self) -> None:
        require_choice("technique", self.technique, TECHNIQUES)
        split_calibration(self.calibration)
        require_choice("weights' calibration", self.weights_calibration, WEIGHTS_CALIBRATIONS)
        for repair in self.repairs:
            require_choice("repair", repair, REPAIRS)
        for what, value in (("input type", self.input_type), ("output type", self.output_type)):
            if value is not None:
                require_choice(what, value, IO_TYPES)
        require_choice("dynamic range", self.dynamic_range or DYNAMIC_RANGES[0], DYNAMIC_RANGES)
        if self.is_float:
            self._require_float_options()
        if self.per_tensor and not set(self.techniques) - {"float32", "float16"}:
            self._refuse("per_tensor", True)
        if self.dynamic_range is not None and "dynamic" not in self.techniques:
            self._refuse("dynamic_range", self.dynamic_range)

    @property
    def techniques(self) -> tuple[str, ...]:
        """All that layers can have."""
        return (self.recipe or NO_RECIPE).techniques(self.technique)

    @property
    def is_float(self) -> bool:
        """Whether all activations stay in float32, so that there is nothing to calibrate."""
        return set(self.techniques) <= set(FLOAT_TECHNIQUES)

    @property
    def is_mixed(self) -> bool:
        """Whether not every layer need have the same technique."""
        return self.recipe is not None or self.allow_float

    @property
    def activations(self) -> str:
        """The dtype of those of layers that no recipe names: int8, int16 or float32."""
        technique = (self.recipe or NO_RECIPE).rest(self.technique)
        return {"int8": "int8", "int16x8": "int16"}.get(technique, "float32")

    def _require_float_options(self) -> None:
        """Refuse what is about integer activations, and what is not done to other weights."""
        for name, value in (("input_type", self.input_type), ("output_type", self.output_type)):
            if value not in (None, "float32"):
                self._refuse(name, value)
        for name in ("calibration", "weights_calibration"):
            if getattr(self, name) != "minmax":
                self._refuse(name, getattr(self, name))
        if self.repairs:
            self._refuse("repairs", ",".join(self.repairs))
        if self.allow_float:
            self._refuse("allow_float", True)

    def _refuse(self, option: str, value: object) -> None:
        raise InvalidInputError(
            "an option must have a meaning for the technique",
            value=f"{option}={value} with {', '.join(self.techniques)}",
            hint="leave it out, or another technique",
        )


#: int8, minmax, per channel.
USUAL = QuantizeOptions()
