"""What options may be, for the command line and for Python. Light, since `--help` imports it."""

from __future__ import annotations

from collections.abc import Sequence

from mcu_quant.errors import InvalidInputError

OPTIMIZE_MODES = ("time", "balanced", "size")
KERNEL_CHOICES = ("auto", "portable")
#: What is measured with labels.
METRICS = ("top1", "auc", "mse")
#: Those that keep activations in float32 and need no calibration data.
FLOAT_TECHNIQUES = ("dynamic", "float16", "float32")
TECHNIQUES = ("int8", "int16x8", *FLOAT_TECHNIQUES)
#: How `dynamic` computes with int8 weights: sums of integers, or of floats.
DYNAMIC_RANGES = ("hybrid", "weights")
#: How the ranges of activations are found; percentile also as percentile=99.9.
CALIBRATIONS = ("minmax", "moving_average", "percentile", "mse", "entropy")
#: Those that choose a range for the steps of int8 in it.
INT8_CALIBRATIONS = ("mse", "entropy")
#: How the weights' scales are found.
WEIGHTS_CALIBRATIONS = ("minmax", "mse")
#: What may be done about lost accuracy without training.
REPAIRS = ("equalize", "adaround", "bias")
#: The percentile unless one is given.
PERCENTILE = 99.99
#: How quantization-aware training finds the ranges of activations.
RANGE_KINDS = ("moving_average", "learned")
IO_TYPES = ("int8", "uint8", "int16", "float32")


def require_choice(what: str, value: object, choices: Sequence[str]) -> None:
    """Raise InvalidInputError, with the choices, for a value that is none of them."""
    if value not in choices:
        raise InvalidInputError(f"the {what} must be one that exists", value=value, hint=", ".join(choices))


def split_calibration(text: str) -> tuple[str, float | None]:
    """(method, its value or None) of "minmax" or "percentile=99.9"; InvalidInputError for what is neither."""
    method, equals, value = str(text).partition("=")
    require_choice("calibration method", method, CALIBRATIONS)
    if not equals:
        return method, None
    if method != "percentile":
        raise InvalidInputError(
            "only the calibration method percentile takes a value",
            value=text,
            hint=f"{method}, or percentile=99.9",
        )
    try:
        return method, check_percentile(float(value))
    except ValueError as error:
        raise InvalidInputError(
            "the percentile must be a number", value=text, hint="percentile=99.9"
        ) from error


def check_percentile(percent: float) -> float:
    """percent, or InvalidInputError unless above 50 and at most 100."""
    if not 50.0 < percent <= 100.0:
        raise InvalidInputError(
            "the percentile must be above 50 and at most 100", value=f"{percent:g}", hint="percentile=99.9"
        )
    return percent
