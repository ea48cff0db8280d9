"""What options may be, for the command line and for Python. Light, since `--help` imports it."""

from __future__ import annotations

from collections.abc import Sequence

from mcu_quant.errors import InvalidInputError

OPTIMIZE_MODES = ("time", "balanced", "size")
KERNEL_CHOICES = ("auto", "portable")
TECHNIQUES = ("int8", "int16x8")
CALIBRATIONS = ("minmax",)
IO_TYPES = ("int8", "uint8", "int16", "float32")


def require_choice(what: str, value: object, choices: Sequence[str]) -> None:
    """Raise InvalidInputError, with the choices, for a value that is none of them."""
    if value not in choices:
        raise InvalidInputError(f"the {what} must be one that exists", value=value, hint=", ".join(choices))
