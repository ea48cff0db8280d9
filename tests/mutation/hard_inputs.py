"""Inputs that bring a case's sums and results where its arithmetic has the least room.

A linear operator's: windows whose sum is exactly the last or the first one of an output, those first
that are nearest to a tie; windows that give the largest and least sums, and any between. Operands of sums and
products: pairs of bytes whose exact result is nearly a tie.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, IntArray, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.linear import accumulator_range, channel_multipliers, filters_of
from tests.mutation.tuned import has_weights
from tests.ops.driver import Case

BINARY = ("add", "sub", "mul")
#: Sums of a channel that are nearest to a tie, and pairs of bytes.
_NEAREST_SUMS, _NEAREST_PAIRS = 12, 3_000
#: Windows of a sample that are placed at most, and places that are tried.
_WINDOWS, _PLACES = 6, 12
_PAIRS_TRIED = 24


def with_hard_inputs(
    rng: np.random.Generator, case: Case, samples: int, hard: int, nearest: int | None = _NEAREST_SUMS
) -> Case:
    """The case with `samples` random inputs, and twice `hard` hard ones where it has int8 weights and inputs.

    Of sums and products all inputs are hard. nearest: of the sums beside a step, how many are made, None for
    all: a kernel's own multiplier may be near a tie where the exact one is not.
    """
    if case.op == "quantize":
        return case  # its inputs are hard as they are
    case = replace(case, data=None, samples=samples)
    if case.output_dtype == "int16":
        return case  # its kernels' functions give sums, modulo 2**32: nothing is near a tie
    if case.op in BINARY:
        return replace(case, data=_near_ties(rng, case, samples))
    if not has_weights(case):
        return case
    (usual,) = case.samples_of_inputs()
    windows = _Windows.of(case.node(), nearest)
    placed = [windows.samples(rng, hard, spread) for spread in (False, True)]
    return replace(case, data=(np.concatenate([usual, *placed]),))


def _near_ties(rng: np.random.Generator, case: Case, samples: int) -> tuple[np.ndarray, ...]:
    """[N, *shape] for each activation, a quarter of the elements at random."""
    tensors = [t for t in case.node().inputs if t is not None]
    byte = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
    pairs = [q.reshape(-1) for q in np.meshgrid(byte, byte)]
    first, second = (t.scale * (q - t.zero_point) for t, q in zip(tensors, pairs, strict=True))
    real = {"add": first + second, "sub": first - second, "mul": first * second}[case.op]
    steps = real / case.output_quant.scale[0]
    distance = np.abs(steps - np.floor(steps) - 0.5)
    distance[np.abs(steps + case.output_quant.zero_point[0]) > INT8_MAX + 3] = 1.0
    nearest = np.argsort(distance, kind="stable")[:_NEAREST_PAIRS]
    shape = np.broadcast_shapes(*(t.shape for t in tensors))
    chosen = rng.choice(nearest, (samples, *shape))
    chosen = np.where(rng.random(chosen.shape) < 0.25, rng.integers(0, len(steps), chosen.shape), chosen)
    data = []
    for tensor, values in zip(tensors, pairs, strict=True):
        # Where an operand is repeated, what its first element is to be.
        cut = (slice(None), *[0] * (len(shape) - len(tensor.shape)), *(slice(n) for n in tensor.shape))
        data += [] if tensor.is_constant else [np.ascontiguousarray(values[chosen].astype(np.int8)[cut])]
    return tuple(data)


def sums_near_ties(node: BoundNode) -> IntArray:
    """Of each channel the sums beside a step of its output, nearest to a tie first; bias is part of them.

    int64 [sums, channels]. Whatever form a kernel's arithmetic has, it is there that it has the least room.
    """
    multiplier, shift = channel_multipliers(node)
    levels = np.arange(INT8_MIN + 1, INT8_MAX + 1)[:, None] - node.output.zero_point
    first = _least_sums(levels, multiplier, shift)
    sums = np.concatenate([first, first - 1])
    ties = np.concatenate([levels, levels]) - 0.5
    distance = np.abs(sums * (multiplier * np.exp2(shift - 31.0)) - ties)
    return np.take_along_axis(sums, np.argsort(distance, axis=0, kind="stable"), axis=0)


def _least_sums(levels: IntArray, multiplier: IntArray, shift: IntArray) -> IntArray:
    """The least sum that gives a level or more, before zero_point: int64 [levels, channels]."""
    end = np.broadcast_to((1 << 30) >> np.maximum(shift, 0), (len(levels), len(multiplier)))
    low, high = -end, end
    while (low < high).any():
        middle = (low + high) >> 1
        reached = requantize(middle, multiplier, shift) >= levels
        low, high = np.where(reached, low, np.minimum(middle + 1, high)), np.where(reached, middle, high)
    return low


@dataclass(frozen=True, eq=False)
class _Windows:
    """Windows of a linear operator's input, as images [height, width, channels].

    filters: [output channels, filter_h, filter_w, depth]; channels: which inputs each depth reads; targets:
    sums worth having of each output channel; low, high: its least and largest one. All without its bias.
    """

    node: BoundNode
    filters: IntArray
    channels: IntArray
    targets: list[IntArray]
    low: IntArray
    high: IntArray

    @classmethod
    def of(cls, node: BoundNode, nearest: int | None) -> _Windows:
        filters, channels = filters_of(node)
        bias = node.optional_input(2)
        start = 0 if bias is None or bias.data is None else bias.data.astype(np.int64)
        near = sums_near_ties(node)
        low, high = accumulator_range(node)
        within = (near >= low) & (near <= high)
        near = near - start
        targets = [near[within[:, o], o][:nearest] for o in range(len(filters))]
        channels = np.broadcast_to(channels, (len(filters), channels.shape[1]))
        return cls(node, filters, channels, targets, low - start, high - start)

    def samples(self, rng: np.random.Generator, count: int, spread: bool) -> np.ndarray:
        """int8 [count, *shape]. spread: sums anywhere in their range, not the targets."""
        shape = self.node.input(0).shape
        columns = self.filters.shape[3] if self.node.node.op == "fully_connected" else shape[-1]
        image = (-1, 1, columns) if self.node.node.op == "fully_connected" else shape[1:]
        return np.stack([self._sample(rng, image, spread).reshape(shape) for _ in range(count)]).astype(
            np.int8
        )

    def _sample(self, rng: np.random.Generator, image: tuple[int, ...], spread: bool) -> IntArray:
        zero_point = self.node.input(0).zero_point
        count = self.node.input(0).elements
        x = rng.integers(INT8_MIN, INT8_MAX + 1, count).reshape(image)
        if rng.random() < 0.3:
            x[...] = zero_point
        taken = np.zeros(x.shape, bool)
        placed = 0
        for rows, columns, taps in self._places(rng, x.shape):
            for output in self._outputs_at(rng):
                place = np.ix_(rows, columns, self.channels[output])
                if taken[place].any():
                    continue
                weights = self.filters[output][taps]
                x[place] = self._filled(rng, x[place], weights, output, spread)
                taken[place] = True
            placed += 1
            if placed == _WINDOWS:
                break
        return x

    def _places(
        self, rng: np.random.Generator, image: tuple[int, ...]
    ) -> Iterator[tuple[IntArray, IntArray, tuple[np.ndarray, ...]]]:
        """(rows, columns, which taps those are) of random windows."""
        if self.node.node.op == "fully_connected":
            for row in rng.permutation(image[0])[:_PLACES]:
                yield np.array([row]), np.array([0]), np.ix_([0], [0])
            return
        axes = axes_of(self.node)
        for _ in range(_PLACES):
            inside = []
            for axis in axes:
                taps = np.arange(axis.filter_size) * axis.dilation - axis.before
                places = int(rng.integers(axis.output_size)) * axis.stride + taps
                keep = (places >= 0) & (places < axis.input_size)
                inside.append((places[keep], np.flatnonzero(keep)))
            (rows, tap_rows), (columns, tap_columns) = inside
            yield rows, columns, np.ix_(tap_rows, tap_columns)

    def _outputs_at(self, rng: np.random.Generator) -> IntArray:
        """The output channels that a window is made for: all where they read channels of their own."""
        order = rng.permutation(len(self.filters))
        return order if self.node.node.op == "depthwise_conv_2d" else order[:1]

    def _filled(
        self, rng: np.random.Generator, x: IntArray, weights: IntArray, output: int, spread: bool
    ) -> IntArray:
        """Inputs of a window: for one of the channel's targets, for any sum, or for its largest or least."""
        targets = self.targets[output]
        if not spread and (rng.random() < 0.2 or not len(targets)):
            return np.where((weights > 0) == (rng.random() < 0.5), INT8_MAX, INT8_MIN)
        target = rng.integers(self.low[output], self.high[output] + 1) if spread else rng.choice(targets)
        flat, zero_point = x.reshape(-1).copy(), self.node.input(0).zero_point
        target = int(target) + zero_point * int(weights.sum())
        return solved(rng, flat, weights.reshape(-1), target).reshape(x.shape)


def solved(rng: np.random.Generator, x: IntArray, weights: IntArray, target: int) -> IntArray:
    """int8 inputs with sum(x * weights) == target, from `x` on; as near to it as a few steps lead."""
    used = rng.permutation(np.flatnonzero(weights))
    missing = target - int(x @ weights)
    for i in used:
        if missing == 0:
            return x
        step = int(np.clip(round(missing / int(weights[i])), INT8_MIN - x[i], INT8_MAX - x[i]))
        x[i] += step
        missing -= step * int(weights[i])
    if missing == 0 or len(used) < 2:
        return x
    for _ in range(_PAIRS_TRIED):
        i, j = rng.choice(used, 2, replace=False)
        steps = np.arange(INT8_MIN, INT8_MAX + 1) - x[i]
        others, left = np.divmod(missing - steps * weights[i], weights[j])
        fits = np.flatnonzero((left == 0) & (others >= INT8_MIN - x[j]) & (others <= INT8_MAX - x[j]))
        if len(fits):
            k = int(rng.choice(fits))
            x[i] += steps[k]
            x[j] += others[k]
            return x
    return x
