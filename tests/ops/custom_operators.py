"""The custom operators of docs/CUSTOM_OPERATORS.md and ARITHMETIC section 26, written down once more.

Slow, one number at a time, in Python's integers (floats: its double precision), from the .tflite file itself:
neither LiteRT nor TFLM can run these operators, so this is their oracle. It shares nothing with mcu_quant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
from flatbuffers import flexbuffers

_TYPES = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64, 7: np.int16, 9: np.int8}
_INT32_MAX = 2**31 - 1

Matrix = list[list[Any]]


@dataclass(frozen=True)
class _Tensor:
    data: np.ndarray
    scales: list[float]
    zero_point: int


def definition(model: bytes, inputs: Sequence[np.ndarray], *, sequence: bool = False) -> list[np.ndarray]:
    """The output of a file whose one operator is one of these (DEQUANTIZE of constants apart).

    inputs: [N, 1, T, I]. sequence: the N samples are consecutive runs that keep the state.
    """
    layer = _Layer(tflite.Model.GetRootAs(model, 0))
    results, state = [], layer.start()
    for sample in inputs[0]:
        rows, after = layer.run(
            sample[0].tolist(), state if sequence and layer.keeps_state else layer.start()
        )
        state = after
        results.append([rows])
    return [np.array(results, inputs[0].dtype)]


class _Layer:
    def __init__(self, model: Any) -> None:
        self.model, self.graph = model, model.Subgraphs(0)
        self.stored = {}
        for index in range(self.graph.OperatorsLength()):
            op = self.graph.Operators(index)
            code = model.OperatorCodes(op.OpcodeIndex())
            if code.BuiltinCode() == tflite.BuiltinOperator.DEQUANTIZE:
                self.stored[op.Outputs(0)] = op.Inputs(0)
                continue
            assert (code.BuiltinCode(), code.Version()) == (32, 1)
            self.gates = {b"MCU_QUANT_GRU": 3, b"MCU_QUANT_SIMPLE_RNN": 1}[code.CustomCode()]
            options = flexbuffers.Loads(bytearray(op.CustomOptionsAsNumpy().tobytes()))
            assert set(options) == ({"reset_after"} if self.gates == 3 else set())
            self.reset_after = options.get("reset_after")
            self.op = op
        places = [self.op.Inputs(i) for i in range(self.op.InputsLength())]
        places += [-1] * (6 - len(places))
        self.x, self.w, self.v, self.b, self.c, hidden = (self.tensor(place) for place in places)
        self.keeps_state = hidden is not None
        assert hidden is None or self.graph.Tensors(places[5]).IsVariable()
        self.y = self.tensor(self.op.Outputs(0))
        self.is_float = self.y.data.dtype == np.float32
        self.units = self.v.data.shape[1]

    def tensor(self, place: int) -> Any:
        if place < 0:
            return None
        if place in self.stored:
            stored = self.tensor(self.stored[place])
            scales = np.array(stored.scales or [1.0], np.float32)[:, None]
            return _Tensor(stored.data.astype(np.float32) * (scales if stored.data.ndim == 2 else 1), [], 0)
        tensor = self.graph.Tensors(place)
        dtype, shape = _TYPES[tensor.Type()], tensor.ShapeAsNumpy()
        raw = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        data = np.zeros(shape, dtype) if isinstance(raw, int) else raw.view(dtype).reshape(shape)
        quant = tensor.Quantization()
        if quant is None or quant.ScaleLength() == 0:
            return _Tensor(data, [], 0)
        return _Tensor(data, quant.ScaleAsNumpy().tolist(), int(quant.ZeroPoint(0)))

    def start(self) -> list[Any]:
        return [0.0 if self.is_float else 0] * self.units

    def run(self, x: Matrix, h: list[Any]) -> tuple[Matrix, list[Any]]:
        rows = []
        for values in x:
            h = self.step(values, h)
            rows.append([self.output(value) for value in h])
        return rows, h

    def step(self, x: list[Any], h: list[Any]) -> list[Any]:
        units, arithmetic = self.units, self
        u = [self.part(x, self.x, self.w, self.b, row) for row in range(self.gates * units)]
        shown = [self.output(value) for value in h]

        def v(values: list[Any], row: int) -> Any:
            return arithmetic.part(values, self.y, self.v, self.c, row)

        if self.gates == 1:
            return [self.tanh(u[i] + v(shown, i)) for i in range(units)]
        z = [self.sigmoid(u[i] + v(shown, i)) for i in range(units)]
        r = [self.sigmoid(u[units + i] + v(shown, units + i)) for i in range(units)]
        if self.reset_after:
            inner = [self.times(r[i], self.limit(v(shown, 2 * units + i))) for i in range(units)]
        else:
            scaled = [self.output(self.times(r[i], h[i])) for i in range(units)]
            inner = [v(scaled, 2 * units + i) for i in range(units)]
        n = [self.tanh(u[2 * units + i] + inner[i]) for i in range(units)]
        return [self.between(z[i], h[i], n[i]) for i in range(units)]

    def part(self, values: list[Any], of: _Tensor, weights: _Tensor, bias: Any, row: int) -> Any:
        row_weights = weights.data[row].tolist()
        total = 0 if bias is None else bias.data[row].item()
        total += sum((value - of.zero_point) * w for value, w in zip(values, row_weights, strict=True))
        if self.is_float:
            return total
        scale = weights.scales[row if len(weights.scales) > 1 else 0]
        ratio = of.scales[0] * scale / 2.0**-12
        return _once(total, ratio) if of.data.dtype == np.int16 else _twice(total, ratio)

    def output(self, h: Any) -> Any:
        if self.is_float:
            return h
        limits = np.iinfo(self.y.data.dtype)
        q = _twice(h, 2.0**-15 / self.y.scales[0]) + self.y.zero_point
        return max(int(limits.min), min(int(limits.max), q))

    def sigmoid(self, a: Any) -> Any:
        if self.is_float:
            return 1 / (1 + math.exp(-a)) if a > -700 else 0.0
        d = 3 * max(-32768, min(32767, a))
        entry, part = abs(d) >> 9, abs(d) & 511
        y = 0x7FFF << 10
        if entry < 255:
            y = (_TABLE[entry] << 9) + part * (_TABLE[entry + 1] - _TABLE[entry])
        return (y + 512 if d >= 0 else (1 << 25) - y + 511) >> 10

    def tanh(self, a: Any) -> Any:
        if self.is_float:
            return math.tanh(a)
        d = 3 * max(-32768, min(32767, a))
        entry, part = abs(d) >> 8, abs(d) & 255
        y = 0xFFFF << 8
        if entry < 255:
            y = (_TABLE[entry] << 8) + part * (_TABLE[entry + 1] - _TABLE[entry])
        return (y - (1 << 23) + 128 if d >= 0 else -y + (1 << 23) + 127) >> 8

    def times(self, a: Any, b: Any) -> Any:
        return a * b if self.is_float else (a * b + 2**14) >> 15

    def limit(self, a: Any) -> Any:
        return a if self.is_float else max(-65535, min(65535, a))

    def between(self, z: Any, h: Any, n: Any) -> Any:
        return z * h + (1 - z) * n if self.is_float else (z * h + (2**15 - z) * n + 2**14) >> 15


def _multiplier(ratio: float) -> tuple[int, int]:
    mantissa, shift = math.frexp(ratio)
    multiplier = math.floor(mantissa * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def _twice(acc: int, ratio: float) -> int:
    """Rounded to Q0.31 products, then by a power of two, halves away from zero."""
    multiplier, shift = _multiplier(ratio)
    high = ((acc << max(shift, 0)) * multiplier + 2**30) >> 31
    assert abs(acc << max(shift, 0)) <= _INT32_MAX
    right = max(-shift, 0)
    size = (abs(high) + ((1 << right) >> 1)) >> right
    return size if high >= 0 else -size


def _once(acc: int, ratio: float) -> int:
    multiplier, shift = _multiplier(ratio)
    reduced = 0x7FFF if multiplier >= 0x7FFF0000 else (multiplier + 2**15) >> 16
    return (acc * reduced + (1 << (14 - shift))) >> (15 - shift)


def _curve(of: Callable[[float], float]) -> list[int]:
    entries = []
    for i in range(255):
        here, middle, there = of(i), of(i + 0.5), of(i + 1)
        entries.append(math.floor(here + (middle - (here + there) / 2) / 2 + 0.5))
    return [*entries, 65535]


_TABLE = _curve(lambda i: 2**16 / (1 + math.exp(-i / 24)))
