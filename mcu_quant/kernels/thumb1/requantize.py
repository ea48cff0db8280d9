"""The short requantization on thumb-1: constants, clamp table and instructions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.short_requantization import (
    Requantization,
    ShortRequantization,
    fit_digits,
    requantization_of,
)
from mcu_quant.ops.depthwise_conv_2d import OPERATOR as DEPTHWISE

#: Clamp tables are cut at multiples of this, so that layers share them.
_TABLE_STEP = 256
_LARGEST_TABLE = 4096


@dataclass(frozen=True, eq=False)
class Form:
    """How a layer's accumulators become bytes. An accumulator is sum(x * w), without bias or zero_point.

    folded_bias: what the true accumulator has more, int64 [channels]. digits: 2 or 3.
    """

    layer: Requantization
    short: ShortRequantization
    folded_bias: IntArray
    digits: int

    @property
    def constants(self) -> np.ndarray:
        """int32 [channels, 3 to 5]: digits from the lowest on, addend, and step where the layer is signed."""
        columns = [self.short.digits(self.digits), self.short.addend[:, None]]
        columns += [self.short.step[:, None]] if self.short.is_signed else []
        return wrapped(np.concatenate(columns, axis=1))

    @property
    def exact(self) -> np.ndarray:
        """int32 [n, 4]: channel, folded bias, multiplier, shift of the channels that are not proven."""
        channels = np.flatnonzero(~self.short.proven)
        rows = [
            channels,
            self.folded_bias[channels],
            self.layer.multiplier[channels],
            self.layer.shift[channels],
        ]
        return np.stack(rows, axis=1).astype(np.int32)

    @property
    def table_lowest(self) -> int:
        return min(self.short.lowest // _TABLE_STEP * _TABLE_STEP, 0)

    @property
    def has_small_table(self) -> bool:
        return self.short.highest - self.table_lowest < _LARGEST_TABLE

    @property
    def table(self) -> np.ndarray:
        """int8: the clamped output for each u >> shift, from table_lowest on."""
        size = -(-(self.short.highest + 1 - self.table_lowest) // _TABLE_STEP) * _TABLE_STEP
        values = np.arange(self.table_lowest, self.table_lowest + size) + self.short.origin
        return np.clip(values, self.layer.activation_min, self.layer.activation_max).astype(np.int8)

    def params(self) -> dict[str, int]:
        """The fields of mq_short_requantization_t."""
        return {
            "digits": self.digits,
            "digit_bits": self.short.digit_bits,
            "shift": self.short.shift,
            "is_signed": int(self.short.is_signed),
            "origin": self.short.origin,
            "output_zero_point": self.layer.zero_point,
            "activation_min": self.layer.activation_min,
            "activation_max": self.layer.activation_max,
        }


@lru_cache(maxsize=512)
def form_of(node: BoundNode) -> Form | None:
    """The form that leaves the fewest channels unproven: two digits if three are not better."""
    layer, folded = requantization_of(node), folded_bias(node)
    best: Form | None = None
    for digits in (2, 3):
        short = fit_digits(layer, folded, digits)
        if short is not None and (best is None or short.proven.sum() > best.short.proven.sum()):
            best = Form(layer, short, folded, digits)
        if best is not None and best.short.proven.all():
            break
    return best


def folded_bias(node: BoundNode) -> IntArray:
    """bias - zero_point(input) * sum of weights, int64 [channels]: accumulator - sum(x * w)."""
    weights, bias = node.input(1), node.optional_input(2)
    assert weights.data is not None
    axis = 3 if node.node.op == DEPTHWISE.name else 0
    sums = np.moveaxis(weights.data, axis, 0).reshape(weights.shape[axis], -1).astype(np.int64).sum(axis=1)
    folded = -node.input(0).zero_point * sums
    return folded if bias is None or bias.data is None else folded + bias.data


def wrapped(values: IntArray) -> np.ndarray:
    """The low 32 bits, as int32."""
    return values.astype(np.uint64).astype(np.uint32).view(np.int32)


def requantize(
    form: Form, a: str, constants: str, free: tuple[str, str, str], table: str | None
) -> list[str]:
    """Instructions that turn accumulator `a` into its output byte. constants: advances past the channel's.

    free: registers to use. table: holds the address of the clamp table's entry 0, or None to compare.
    """
    low, high, addend = free
    bits, short = form.short.digit_bits, form.short
    if form.digits == 2:
        lines = [f"ldm {constants}!, {{{low}, {high}, {addend}}}", f"muls {low}, {a}"]
    else:
        lines = [
            f"ldm {constants}!, {{{low}, {high}}}",
            f"muls {low}, {a}",
            f"asrs {low}, {low}, #{bits}",
            f"muls {high}, {a}",
            f"adds {low}, {low}, {high}",
            f"ldm {constants}!, {{{high}, {addend}}}",
        ]
    lines += [
        f"asrs {low}, {low}, #{bits}",
        f"muls {a}, {high}",
        f"adds {a}, {a}, {low}",
        f"adds {a}, {a}, {addend}",
    ]
    if short.is_signed:
        lines += [
            f"ldm {constants}!, {{{low}}}",
            f"asrs {high}, {a}, #31",
            f"bics {low}, {high}",
            f"adds {a}, {a}, {low}",
        ]
    lines += [f"asrs {a}, {a}, #{short.shift}"] if short.shift else []
    if table is not None:
        return [*lines, f"ldrsb {a}, [{table}, {a}]"]
    return lines + clamp(form, a, low)


def clamp(form: Form, a: str, free: str) -> list[str]:
    """Compare only with bounds that the layer can pass."""
    short, layer = form.short, form.layer
    least, most = short.lowest + short.origin, short.highest + short.origin
    lift, span = short.origin - layer.activation_min, layer.activation_max - layer.activation_min
    lines = [f"adds {a}, #{lift}"] if lift else []
    if least < layer.activation_min:
        lines += [f"asrs {free}, {a}, #31", f"bics {a}, {free}"]
    if most > layer.activation_max:
        lines += [f"cmp {a}, #{span}", "ble 7f", f"movs {a}, #{span}", "7:"]
    if layer.activation_min < 0:
        lines.append(f"subs {a}, #{-layer.activation_min}")
    elif layer.activation_min > 0:
        lines.append(f"adds {a}, #{layer.activation_min}")
    return lines
