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


@dataclass(frozen=True)
class QuantizeOptions:
    """The options of `quantize`, and of every verb that is given a float model.

    input_type, output_type: None is the type of the activations, int8 or int16.
    calibration: a method, or percentile=99.9. repairs: names of choices.REPAIRS.
    """

    technique: str = "int8"
    calibration: str = "minmax"
    per_tensor: bool = False
    input_type: str | None = None
    output_type: str | None = None
    weights_calibration: str = "minmax"
    repairs: tuple[str, ...] = ()
    dynamic_range: str | None = None

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
        if self.dynamic_range is not None and self.technique != "dynamic":
            self._refuse("dynamic_range", self.dynamic_range)

    @property
    def is_float(self) -> bool:
        """Whether activations stay in float32, so that there is nothing to calibrate."""
        return self.technique in FLOAT_TECHNIQUES

    def _require_float_options(self) -> None:
        for name, value in (("input_type", self.input_type), ("output_type", self.output_type)):
            if value not in (None, "float32"):
                self._refuse(name, value)
        if self.per_tensor and self.technique != "dynamic":
            self._refuse("per_tensor", True)

    def _refuse(self, option: str, value: object) -> None:
        raise InvalidInputError(
            "an option must have a meaning for the technique",
            value=f"{option}={value} with {self.technique}",
            hint="leave it out, or another technique",
        )
