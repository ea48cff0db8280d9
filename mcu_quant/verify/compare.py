"""Two engines' outputs, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Comparison:
    """How an engine's outputs differ from the reference's.

    elements: how many were compared, over all outputs. mismatches: how many have other bytes.
    first: (output, sample, position in the flattened output) of the first of them, or None, with
    expected and actual the two values there. max_difference: the largest |actual - expected|.
    """

    engine: str
    samples: int
    elements: int
    mismatches: int
    mismatched_samples: int
    max_difference: float
    first: tuple[int, int, int] | None = None
    expected: float | None = None
    actual: float | None = None

    @property
    def identical(self) -> bool:
        return self.mismatches == 0

    def as_json(self) -> dict[str, object]:
        names = ("output", "sample", "index")
        first: dict[str, object] | None = None
        if self.first is not None:
            where = dict(zip(names, self.first, strict=True))
            first = {**where, "expected": self.expected, "actual": self.actual}
        return {
            "engine": self.engine,
            "identical": self.identical,
            "samples": self.samples,
            "elements": self.elements,
            "mismatches": self.mismatches,
            "mismatched_samples": self.mismatched_samples,
            "max_difference": self.max_difference,
            "first": first,
        }

    def __str__(self) -> str:
        if self.first is None:
            return f"{self.engine}: {self.elements} values of {self.samples} samples identical"
        output, sample, index = self.first
        where = f"output {output}, sample {sample}, index {index}"
        return (
            f"{self.engine}: {self.mismatches} of {self.elements} values differ, "
            f"in {self.mismatched_samples} of {self.samples} samples, by up to {self.max_difference:g}; "
            f"first at {where}: {self.actual:g} instead of {self.expected:g}"
        )


def compare(engine: str, expected: Sequence[np.ndarray], actual: Sequence[np.ndarray]) -> Comparison:
    """Shapes and dtypes must agree; float outputs are compared by their bytes too."""
    samples = len(expected[0])
    differs = []
    for one, other in zip(expected, actual, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype, f"{engine}: {other.shape} {other.dtype}"
        differs.append(_different_bytes(one, other).reshape(samples, -1))
    bad_samples = np.any([mask.any(axis=1) for mask in differs], axis=0)
    first = None
    values: tuple[float, float] | tuple[None, None] = (None, None)
    if bad_samples.any():
        sample = int(np.argmax(bad_samples))
        output = next(k for k, mask in enumerate(differs) if mask[sample].any())
        index = int(np.argmax(differs[output][sample]))
        first = (output, sample, index)
        values = tuple(float(x[output].reshape(samples, -1)[sample, index]) for x in (expected, actual))  # type: ignore
    gaps = [
        np.abs(b.astype(np.float64) - a.astype(np.float64)).max(initial=0.0)
        for a, b in zip(expected, actual, strict=True)
    ]
    return Comparison(
        engine=engine,
        samples=samples,
        elements=sum(mask.size for mask in differs),
        mismatches=sum(int(mask.sum()) for mask in differs),
        mismatched_samples=int(bad_samples.sum()),
        max_difference=float(max(gaps)),
        first=first,
        expected=values[0],
        actual=values[1],
    )


def _different_bytes(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    width = a.dtype.itemsize
    left = np.ascontiguousarray(a).view(np.uint8).reshape(*a.shape, width)
    right = np.ascontiguousarray(b).view(np.uint8).reshape(*b.shape, width)
    return (left != right).any(axis=-1)
