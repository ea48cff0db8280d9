"""What the affine primitives take: types, numbers and ranges, checked and shaped to be used together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcu_quant.errors import InvalidInputError

#: TensorFlow's quantized types, and numpy's that hold them.
QTYPES = {"qint8": "int8", "quint8": "uint8", "qint16": "int16", "quint16": "uint16", "qint32": "int32"}

f32 = np.float32


@dataclass(frozen=True)
class IntegerType:
    """An integer type and its limits."""

    name: str

    @property
    def low(self) -> int:
        return int(np.iinfo(self.name).min)

    @property
    def high(self) -> int:
        return int(np.iinfo(self.name).max)

    @property
    def half_range(self) -> np.float32:
        """What moves a signed type's integers to where an unsigned one's are."""
        return f32((self.high - self.low + 1) / 2 if self.low else 0)

    def cast(self, values: np.ndarray) -> np.ndarray:
        """Whole float32 numbers as integers: beyond int32, its lowest value, as x86 converts them."""
        inside = (values >= -(2.0**31)) & (values < 2.0**31)
        return np.where(inside, values, f32(-(2.0**31))).astype(np.int64).astype(self.name)


def round_half_away(values: np.ndarray) -> np.ndarray:
    """The nearest whole numbers, halves away from zero, in the type of the values."""
    whole = np.trunc(values)
    with np.errstate(invalid="ignore"):  # infinity less itself: no half
        return whole + np.copysign(np.abs(values - whole) >= 0.5, values).astype(values.dtype)


def real_numbers(x: Any) -> np.ndarray:
    real = np.asarray(x)
    if real.dtype.kind not in "iuf":
        raise InvalidInputError("what is quantized must be numbers", value=f"dtype {real.dtype}")
    if np.isnan(real).any():
        raise InvalidInputError("what is quantized must not be NaN", value=f"{np.isnan(real).sum()} NaN")
    return real.astype(np.float32)


def integer_type(dtype: Any) -> IntegerType:
    """From "qint8", "int8", np.int8 or tf.qint8, whose `name` is "qint8"."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", None) or np.dtype(dtype).name
    name = QTYPES.get(name, name)
    require_known("type", name, tuple(QTYPES.values()))
    return IntegerType(name)


def require_known(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidInputError(f"the {what} must be a known one", value=value, hint=", ".join(known))


def real_ranges(
    low: Any, high: Any, x: np.ndarray, axis: int | None, *, equal: bool, zeros: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Both as float32, shaped to be used with x. equal: they may be the same; zeros: if they are 0."""
    pair = [along_axis(value, x, axis, name) for value, name in ((low, "min"), (high, "max"))]
    if not all(np.isfinite(part).all() for part in pair):
        raise InvalidInputError("a range must be finite", value=f"{low}..{high}")
    fine = pair[0] <= pair[1] if equal else pair[0] < pair[1]
    if zeros:
        fine |= (pair[0] == 0) & (pair[1] == 0)
    if not fine.all():
        rule = "not be above" if equal else "be below"
        raise InvalidInputError(f"a range's min must {rule} its max", value=f"{low}..{high}")
    return pair[0], pair[1]


def along_axis(value: Any, x: np.ndarray, axis: int | None, what: str, dtype: Any = np.float32) -> np.ndarray:
    """One number, or one for each index of the axis, shaped to be used with x."""
    values = np.asarray(value, dtype)
    if axis is None:
        if values.size != 1:
            raise InvalidInputError(f"{what} must be one number where there is no axis", value=values.shape)
        return values.reshape(())
    if not -x.ndim <= axis < x.ndim:
        raise InvalidInputError(f"the axis must be one of the {x.ndim} that there are", value=axis)
    if values.shape != (x.shape[axis],):
        raise InvalidInputError(
            f"{what} must be one number for each of the {x.shape[axis]} indices of axis {axis}",
            value=values.shape,
        )
    return values.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])
