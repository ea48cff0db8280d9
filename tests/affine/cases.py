"""Cases for mcu_quant.affine, as plain data: the child process with TensorFlow and the test read the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

RANGES = {
    "unit": (-1.0, 1.0),
    "one sided": (0.0, 6.0),
    "all positive": (1.0, 2.0),
    "all negative": (-2.0, -1.0),
    "lopsided": (-0.1, 37.3),
    "other lopsided": (-913.7, 0.3),
    "only 0": (0.0, 0.0),
    "a point": (0.5, 0.5),
    "a negative point": (-3.25, -3.25),
    "narrow": (0.999, 1.0),
    "tiny": (-1e-20, 1e-20),
    "huge": (-3e30, 1e30),
    "halves": (-128.0, 127.0),
    "byte": (0.0, 255.0),
}
QTYPES = ("qint8", "quint8", "qint16", "quint16", "qint32")
MODES = ("MIN_COMBINED", "MIN_FIRST", "SCALED")
BITS = (2, 3, 4, 8, 15, 16)


def values(low: float, high: float) -> np.ndarray:
    """float32 [n] in, at and beyond the range, halves of 8-bit steps and their neighbours among them."""
    rng = np.random.default_rng(5)
    width = max(high - low, 0.01)
    steps = np.concatenate([low + np.arange(-4, 520) * (width / 510), np.arange(-260, 260) / 2])
    exact = np.float32(steps)
    near = [np.nextafter(exact, np.float32(end)) for end in (-np.inf, np.inf)]
    inside = np.float32(rng.uniform(low - 0.1 * width, high + 0.1 * width, 500))
    special = np.float32([0, -0.0, low, high, 1, -1, 3e38, -3e38, np.inf, -np.inf])
    return np.concatenate([exact, *near, inside, special])


def quantize_cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, keyword arguments of quantize)."""
    for range_name, (low, high) in RANGES.items():
        for dtype in QTYPES:
            for mode in MODES:
                settings: list[dict[str, Any]] = [{}, {"ensure_minimum_range": 0.5}]
                if mode == "SCALED":
                    settings += [{"narrow_range": True}]
                    settings += [{"round_mode": "HALF_TO_EVEN"}] if dtype != "qint32" else []
                for index, more in enumerate(settings):
                    arguments = {"x": values(low, high), "min_range": low, "max_range": high, "mode": mode}
                    yield f"{range_name}/{dtype}/{mode}/{index}", {**arguments, "dtype": dtype, **more}
    x = np.random.default_rng(6).normal(size=(5, 3, 7)).astype(np.float32)
    low3, high3 = np.float32([-1, 0, -0.5]), np.float32([0.3, 2, -0.1])
    for dtype in QTYPES[:4]:
        for mode in ("MIN_COMBINED", "SCALED"):
            arguments = {
                "x": x,
                "min_range": low3,
                "max_range": high3,
                "mode": mode,
                "dtype": dtype,
                "axis": 1,
            }
            yield f"axis/{dtype}/{mode}", arguments


def dequantize_cases() -> Iterator[tuple[str, dict[str, Any]]]:
    rng = np.random.default_rng(7)
    for range_name, (low, high) in RANGES.items():
        for qtype in QTYPES:
            limits = np.iinfo(qtype[1:])
            q = rng.integers(limits.min, limits.max, 300, endpoint=True).astype(qtype[1:])
            q[:2] = limits.min, limits.max
            for mode in MODES if qtype != "qint32" else MODES[:2]:
                for narrow in (False, True):
                    yield (
                        f"{range_name}/{qtype}/{mode}/{narrow}",
                        {"q": q, "min_range": low, "max_range": high, "mode": mode, "narrow_range": narrow},
                    )
    q = rng.integers(-128, 127, (4, 3, 2)).astype(np.int8)
    for mode in ("MIN_COMBINED", "SCALED"):
        arguments = {"q": q, "min_range": np.float32([-1, 0, -2]), "max_range": np.float32([1, 2, 0])}
        yield f"axis/{mode}", {**arguments, "mode": mode, "axis": 1}


def fake_quant_cases() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(name, args | vars | vars_per_channel, keyword arguments)."""
    for range_name, (low, high) in RANGES.items():
        if low == high != 0:
            continue
        for bits in BITS:
            for narrow in (False, True):
                more = {"num_bits": bits, "narrow_range": narrow}
                arguments = {"x": values(low, high), "min": low, "max": high, **more}
                if low < high:
                    yield f"args/{range_name}/{bits}/{narrow}", "args", arguments
                yield f"vars/{range_name}/{bits}/{narrow}", "vars", arguments
    low4, high4 = np.float32([-1, 0, 0.5, -7]), np.float32([0.3, 0, 2, -0.1])
    for shape in ((4,), (9, 4), (2, 3, 4), (2, 3, 5, 4)):
        x = 2 * np.random.default_rng(8).normal(size=shape).astype(np.float32)
        for narrow in (False, True):
            arguments = {"x": x, "min": low4, "max": high4, "num_bits": 8, "narrow_range": narrow}
            yield f"channels/{shape}/{narrow}", "vars_per_channel", arguments
