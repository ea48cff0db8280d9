"""Two engines' outputs: byte for byte, or within a tolerance where float layers are behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from mcu_quant.ops.tolerance import Tolerance


@dataclass(frozen=True)
class Comparison:
    """How an engine's outputs differ from the reference's.

    elements: how many were compared, over all outputs. mismatches: how many are wrong: have other bytes, or
    are outside the tolerance of their output. differing: how many have other bytes. tolerances: one for each
    output, None where bytes count.
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
    differing: int = 0
    tolerances: tuple[Tolerance | None, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether all bytes are the same."""
        return self.differing == 0

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong: the same bytes, or within the tolerance that the output has."""
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
            "passed": self.passed,
            "tolerances": [None if t is None else asdict(t) for t in self.tolerances],
            "differing": self.differing,
            "samples": self.samples,
            "elements": self.elements,
            "mismatches": self.mismatches,
            "mismatched_samples": self.mismatched_samples,
            "max_difference": self.max_difference,
            "first": first,
        }

    def _more(self) -> str:
        return " by more than the tolerance" if any(t is not None for t in self.tolerances) else ""

    def __str__(self) -> str:
        if self.first is None:
            how = "identical" if self.identical else f"within tolerance, {self.max_difference:g} off at most"
            return f"{self.engine}: {self.elements} values of {self.samples} samples {how}"
        output, sample, index = self.first
        where = f"output {output}, sample {sample}, index {index}"
        return (
            f"{self.engine}: {self.mismatches} of {self.elements} values differ{self._more()}, "
            f"in {self.mismatched_samples} of {self.samples} samples, by up to {self.max_difference:g}; "
            f"first at {where}: {self.actual:g} instead of {self.expected:g}"
        )


def compare(
    engine: str,
    expected: Sequence[np.ndarray],
    actual: Sequence[np.ndarray],
    tolerances: Sequence[Tolerance | None] | None = None,
) -> Comparison:
    """Shapes and dtypes must agree; float outputs, too, are compared by their bytes without a tolerance.

    tolerances: one for each output (ops.tolerance.output_tolerances), None for none.
    """
    samples = len(expected[0])
    allowed = [None] * len(expected) if tolerances is None else tolerances
    differs, bytes_differ = [], 0
    for one, other, tolerance in zip(expected, actual, allowed, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype, f"{engine}: {other.shape} {other.dtype}"
        different = _different_bytes(one, other).reshape(samples, -1)
        bytes_differ += int(different.sum())
        differs.append(different if tolerance is None else different & _outside(one, other, tolerance))
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
        np.abs(np.where(a == b, 0.0, b.astype(np.float64) - a.astype(np.float64))).max(initial=0.0)
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
        differing=bytes_differ,
        tolerances=tuple(allowed),
    )


def _outside(expected: np.ndarray, actual: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """bool [samples, elements]: further away than allowed, or NaN or infinite on one side only."""
    one, other = (x.reshape(len(x), -1).astype(np.float64) for x in (expected, actual))
    finite = np.isfinite(one)
    largest = np.abs(np.where(finite, one, 0.0)).max(axis=1, keepdims=True, initial=0.0)
    with np.errstate(invalid="ignore"):
        near = np.abs(one - other) <= tolerance.absolute + tolerance.relative * largest
    return ~(near | (one == other) | (np.isnan(one) & np.isnan(other)))


def _different_bytes(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    width = a.dtype.itemsize
    left = np.ascontiguousarray(a).view(np.uint8).reshape(*a.shape, width)
    right = np.ascontiguousarray(b).view(np.uint8).reshape(*b.shape, width)
    return (left != right).any(axis=-1)
