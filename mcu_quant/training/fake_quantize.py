"""The layer that rounds activations to int8 steps, and learns the range that they span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from mcu_quant.training.arithmetic import KerasTensor, activation_scheme, fake_quantized
from mcu_quant.training.statistics import PACKAGE, StatisticsLayer


@keras.saving.register_keras_serializable(package=PACKAGE)
class FakeQuantize(StatisticsLayer):
    """One scale and zero point for the tensors of an equal-scale group; called once for each of them.

    tensors: the graph's names of those whose range is observed (call argument `member` is the place in it;
    None: a tensor that only takes values of the others). include: a range that the constants of the group
    span. fixed: (scale, zero_point) that the specification sets, in place of a range. pass_in_training: a
    model output of fixed scale, which losses must see unrounded (the logarithm of 0 has no gradient).
    learned: ranges are trained by gradient; else they are moving averages of each batch's.
    Until a range has seen data, values pass as they are.
    """

    def __init__(
        self,
        *,
        tensors: Sequence[str] = (),
        include: Sequence[float] = (0.0, 0.0),
        fixed: Sequence[float] | None = None,
        pass_in_training: bool = False,
        learned: bool = False,
        momentum: float = 0.99,
        freeze_after: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(momentum=momentum, freeze_after=freeze_after, **kwargs)
        self.tensors, self.include = list(tensors), [float(end) for end in include]
        self.fixed = None if fixed is None else [float(value) for value in fixed]
        self.pass_in_training, self.learned = pass_in_training, learned
        self.sources: dict[int | None, LayerOf] = {}

    def get_config(self) -> dict[str, Any]:
        own = ("tensors", "include", "fixed", "pass_in_training", "learned")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def build(self, input_shape: Any) -> None:
        if self.fixed is None:
            count = len(self.tensors)
            self.ranges = self.add_weight(
                shape=(count, 2), initializer="zeros", trainable=self.learned, name="ranges"
            )
            self.add_counters(count)

    def compute_output_spec(self, x: Any, **kwargs: Any) -> keras.KerasTensor:
        return keras.KerasTensor(x.shape, x.dtype)

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """As Keras's; where the model is put together, it also learns whose sums it is to requantize."""
        if isinstance(x, keras.KerasTensor):
            operation = x._keras_history.operation
            if getattr(operation, "sums", False):
                self.sources[kwargs.get("member")] = LayerOf(operation)
        return super().__call__(x, *args, **kwargs)

    def call(self, x: KerasTensor, member: int | None = None, training: bool | None = None) -> KerasTensor:
        if self.fixed is not None:
            scale, zero_point = self.fixed
            return x if training and self.pass_in_training else fake_quantized(x, scale, zero_point)
        ranges, batches = ops.convert_to_tensor(self.ranges), ops.convert_to_tensor(self.batches)
        if training and member is not None:
            ranges, batches = self._observed(x, member, ranges, batches)
        low, high = self._span(ranges)
        scheme = activation_scheme(ops.stop_gradient(low), ops.stop_gradient(high))
        source = self.sources.get(member)
        step = None if source is None else source.layer.accumulator_step()
        rounded = fake_quantized(x, *scheme, (low, high) if self.learned else None, step)
        return ops.where(ops.all(batches > 0), rounded, x)

    def scale(self) -> tuple[KerasTensor, KerasTensor]:
        """(the scale as it is, whether it is of ranges that have seen data)."""
        if self.fixed is not None:
            return ops.convert_to_tensor(self.fixed[0], "float32"), ops.convert_to_tensor(True)
        scale, _ = activation_scheme(*self._span(ops.stop_gradient(ops.convert_to_tensor(self.ranges))))
        return scale, ops.all(ops.convert_to_tensor(self.batches) > 0)

    def _span(self, ranges: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
        """(range_min, range_max) of all tensors and constants."""
        low = ops.minimum(ops.min(ranges[:, 0]), self.include[0])
        return low, ops.maximum(ops.max(ranges[:, 1]), self.include[1])

    def _observed(
        self, x: KerasTensor, member: int, ranges: KerasTensor, batches: KerasTensor
    ) -> tuple[KerasTensor, KerasTensor]:
        """(ranges, batches) after this batch, also stored."""
        fresh, frozen = (batches == 0)[:, None], self.are_frozen()[:, None]
        here = (ops.arange(len(self.tensors)) == member)[:, None]
        batch = ops.stop_gradient(ops.stack([ops.min(x), ops.max(x)]))[None]
        later = ranges if self.learned else self.averaged(ranges, batch)
        new = ops.where(fresh, batch, ops.where(frozen, ops.stop_gradient(ranges), later))
        ranges = ops.where(here, new, ranges)
        batches = batches + ops.cast(here[:, 0], "int32")
        self.ranges.assign(ranges)
        self.batches.assign(batches)
        return ranges, batches


@dataclass(frozen=True)
class LayerOf:
    """Another layer of the model; in a class of its own, so that Keras does not count it as a part."""

    layer: Any


def quantizer_of(x: keras.KerasTensor) -> LayerOf:
    """The FakeQuantize that rounded a symbolic tensor, through operators that only move values."""
    while True:
        history = x._keras_history
        if isinstance(history.operation, FakeQuantize):
            return LayerOf(history.operation)
        sources = history.operation._inbound_nodes[history.node_index].input_tensors
        if not sources:
            raise ValueError(f"{history.operation.name} is not behind a FakeQuantize layer")
        x = sources[0]
