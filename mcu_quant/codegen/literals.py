"""Numbers and tables as C text. Every float literal is the shortest that gives the same float32."""

from __future__ import annotations

import math

import numpy as np

#: The C type of each dtype.
C_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "float32": "float",
    "bool": "uint8_t",
}

_INT32_MIN = -(2**31)


def integer(value: int) -> str:
    """A literal whose type is int where it fits into 32 bits, and that needs no wider type to negate."""
    if value == _INT32_MIN:
        return "INT32_MIN"
    if _INT32_MIN < value < 2**31:
        return str(value)
    if 0 < value < 2**32:
        return f"{value}u"
    return "INT64_MIN" if value == -(2**63) else f"{value}LL"


def real(value: float) -> str:
    """Infinities by math.h's name: no bound."""
    single = np.float32(value)
    if math.isinf(single):
        return "INFINITY" if single > 0 else "-INFINITY"
    assert not math.isnan(single), value
    text = np.format_float_positional(single, unique=True, trim="0")
    if len(text) > 14:
        text = np.format_float_scientific(single, unique=True, trim="0")
    return f"{text}f"


def number(value: int | float | np.generic) -> str:
    if isinstance(value, (float, np.floating)):
        return real(float(value))
    return integer(int(value))


def initializer(value: int | float | tuple[int, ...]) -> str:
    """What follows `.field = `."""
    return "{" + ", ".join(map(number, value)) + "}" if isinstance(value, tuple) else number(value)


def rows(data: np.ndarray) -> list[str]:
    """The lines of a table's initializer, 16 bytes or 12 wider numbers to a line, flat."""
    flat = data.reshape(-1)
    texts = [number(value) for value in flat.tolist()] if flat.dtype.kind != "f" else list(map(real, flat))
    width = 16 if flat.dtype.itemsize == 1 else 12
    return [", ".join(texts[i : i + width]) + "," for i in range(0, len(texts), width)]


def shape(sizes: tuple[int, ...]) -> str:
    """A shape in a comment: 1x49x10x1."""
    return "x".join(map(str, sizes)) or "scalar"
