"""Adaptive rounding: each weight is rounded up or down, whichever serves the layer's output, not the weight.

Per output channel, over the calibration rows x (of the float model) and x' (of the quantized one so far),
the rounding is sought that makes mean((w . x - w' . x')**2) least. With D = w' - w that is
D H D^T - 2 D g + const, H = mean(x' x'^T), g = mean(x' (w . (x - x'))): a quadratic over the choices. As in
the paper the choices are relaxed to a rectified sigmoid h(V) in [0, 1], descended with Adam under an annealed
regularizer that drives h to 0 or 1. Here the quadratic is used whole instead of samples of it (its gradient
is exact, nothing is drawn at random), the activation behind the sums is left out, and afterwards single
weights are flipped as long as that helps. A channel keeps plain rounding unless its error became smaller.
Source: M. Nagel et al., Up or Down? Adaptive Rounding for Post-Training Quantization (2020), sections 3, 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.ir import BoundNode, QuantParams
from mcu_quant.quantize.schemes import WEIGHT_LIMIT
from mcu_quant.quantize.taps import from_weight_rows, tap_rows, weight_rows

_STEPS = 200
_WARM_UP = 40
_LEARNING_RATE = 0.05
_REGULARIZER = 1.0
_BETA = (20.0, 2.0)
#: The rectified sigmoid's stretch (the paper's zeta and gamma).
_STRETCH = (1.1, -0.1)
_ADAM = (0.9, 0.999, 1e-8)


def rounded_weights(
    node: BoundNode, x: np.ndarray, x_quantized: np.ndarray, quant: QuantParams, centered: bool
) -> np.ndarray:
    """int8 weights of a float linear node under that scheme.

    x, x_quantized: float32 [N, *input shape], what the node reads in the float model and, dequantized, in the
    quantized one. centered: the bias takes the mean of the error (bias correction), so only the rest counts.
    """
    weights = node.input(1).data
    assert weights is not None
    rank = weights.ndim
    steps = weight_rows(node, weights / quant.broadcast_scale(rank))
    problem = _Problem.of(node, steps, x, x_quantized, centered)
    nearest = np.clip(np.rint(steps), -WEIGHT_LIMIT, WEIGHT_LIMIT)
    best = problem.better(problem.flipped(problem.descended()), problem.flipped(nearest))
    return from_weight_rows(node, problem.better(best, nearest)).astype(np.int8)


@dataclass(frozen=True)
class _Problem:
    """In steps of each weight's scale. steps [G, O, K] float; hessian [G, K, K]; slope [G, O, K] (g)."""

    steps: np.ndarray
    hessian: np.ndarray
    slope: np.ndarray

    @classmethod
    def of(
        cls, node: BoundNode, steps: np.ndarray, x: np.ndarray, x_quantized: np.ndarray, centered: bool
    ) -> _Problem:
        groups, _, taps = steps.shape
        hessian, cross = np.zeros((groups, taps, taps)), np.zeros((groups, taps, taps))
        sums = [np.zeros((groups, taps)), np.zeros((groups, taps))]
        count = 0
        for real, approximate in tap_rows(node, x, x_quantized):
            difference, transposed = real - approximate, approximate.transpose(0, 2, 1)
            hessian += transposed @ approximate
            cross += transposed @ difference
            sums[0] += approximate.sum(axis=1, dtype=np.float64)
            sums[1] += difference.sum(axis=1, dtype=np.float64)
            count += real.shape[1]
        hessian, cross, (mean, mean_difference) = hessian / count, cross / count, [s / count for s in sums]
        if centered:
            hessian = hessian - mean[:, :, None] * mean[:, None, :]
            cross = cross - mean[:, :, None] * mean_difference[:, None, :]
        return cls(steps, hessian, steps @ cross.transpose(0, 2, 1))

    def errors(self, q: np.ndarray) -> np.ndarray:
        """[G, O], but for a constant of each."""
        d = q - self.steps
        return np.asarray(((d @ self.hessian - 2 * self.slope) * d).sum(axis=2))

    def better(self, q: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Row by row the one with the smaller error; `other` among equals."""
        return np.where((self.errors(q) < self.errors(other))[..., None], q, other)

    def choices(self) -> tuple[np.ndarray, np.ndarray]:
        """(lower, upper) integers of each weight; the same one where there is no choice."""
        lower = np.clip(np.floor(self.steps), -WEIGHT_LIMIT, WEIGHT_LIMIT)
        return lower, np.clip(np.ceil(self.steps), -WEIGHT_LIMIT, WEIGHT_LIMIT)

    def descended(self) -> np.ndarray:
        """Adam on the relaxed choices, then the nearer of both."""
        lower, upper = self.choices()
        # float32 is exact enough to choose by, and twice as fast.
        hessian, linear = self.hessian.astype(np.float32), (self.slope + self.steps @ self.hessian)
        linear = (linear - lower @ self.hessian).astype(np.float32)
        share = np.clip(self.steps - lower, 0.01, 0.99)
        v = _inverse(share)
        # In units of what plain rounding costs with random signs: one step size then suits every row.
        unit = np.einsum("gkk,gok->go", self.hessian, share * (1 - share))[..., None] / self.steps.shape[2]
        unit = np.maximum(unit, np.finfo(np.float64).tiny)
        choice, first, second = upper - lower, np.zeros_like(v), np.zeros_like(v)
        for step in range(1, _STEPS + 1):
            h, slope = _rectified(v)
            gradient = 2 * ((h * choice).astype(np.float32) @ hessian - linear) * choice / unit
            gradient = (gradient + _regularizer_gradient(h, step)) * slope
            first = _ADAM[0] * first + (1 - _ADAM[0]) * gradient
            second = _ADAM[1] * second + (1 - _ADAM[1]) * gradient**2
            scaled = np.sqrt(second / (1 - _ADAM[1] ** step)) + _ADAM[2]
            v -= _LEARNING_RATE * first / (1 - _ADAM[0] ** step) / scaled
        return np.where(_rectified(v)[0] >= 0.5, upper, lower)

    def flipped(self, q: np.ndarray) -> np.ndarray:
        """Flip in each row the weight that gains most, until none gains."""
        lower, upper = self.choices()
        q = q.copy()
        diagonal = np.einsum("gkk->gk", self.hessian)[:, None]
        gradient = 2 * ((q - self.steps) @ self.hessian - self.slope)
        for _ in range(2 * q.shape[2]):
            move = np.where(q == lower, upper - lower, lower - upper)
            gain = move * gradient + move**2 * diagonal
            best = gain.argmin(axis=2)[..., None]
            change = np.where(
                np.take_along_axis(gain, best, 2) < -1e-12, np.take_along_axis(move, best, 2), 0.0
            )
            if not change.any():
                break
            np.put_along_axis(q, best, np.take_along_axis(q, best, 2) + change, 2)
            rows = np.take_along_axis(self.hessian, np.broadcast_to(best, (*best.shape[:2], q.shape[2])), 1)
            gradient += 2 * change * rows
        return q


def _rectified(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h(v) in [0, 1], its derivative)."""
    sigmoid = 1 / (1 + np.exp(-v))
    width = _STRETCH[0] - _STRETCH[1]
    h = sigmoid * width + _STRETCH[1]
    return np.clip(h, 0.0, 1.0), np.where((h > 0) & (h < 1), width * sigmoid * (1 - sigmoid), 0.0)


def _inverse(h: np.ndarray) -> np.ndarray:
    """v with h(v) = h, for h inside (0, 1)."""
    sigmoid = (h - _STRETCH[1]) / (_STRETCH[0] - _STRETCH[1])
    return np.asarray(np.log(sigmoid / (1 - sigmoid)))


def _regularizer_gradient(h: np.ndarray, step: int) -> np.ndarray:
    """Of _REGULARIZER * (1 - |2h - 1|**beta), beta annealed from the first of _BETA to the last."""
    if step <= _WARM_UP:
        return np.zeros_like(h)
    done = (step - _WARM_UP) / (_STEPS - _WARM_UP)
    beta = _BETA[1] + 0.5 * (_BETA[0] - _BETA[1]) * (1 + np.cos(done * np.pi))
    from_half = 2 * h - 1
    return np.asarray(-2 * _REGULARIZER * beta * np.abs(from_half) ** (beta - 1) * np.sign(from_half))
