"""What the layers of a model in training share: statistics that are gathered, and frozen."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from mcu_quant.training.arithmetic import KerasTensor

PACKAGE = "mcu_quant"


class StatisticsLayer(keras.layers.Layer):
    """A layer that averages something over the batches of training.

    momentum: the weight of the old average. freeze_after: batches after which the statistics stay as they
    are (None: never of themselves). They also stay where `freeze_statistics` or trainable=False says so.
    """

    def __init__(self, *, momentum: float, freeze_after: int | None, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"  # other precisions would not be those of the quantizer
        super().__init__(**kwargs)
        self.momentum, self.freeze_after = momentum, freeze_after

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["dtype"]
        return {**config, "momentum": self.momentum, "freeze_after": self.freeze_after}

    def add_counters(self, count: int = 1) -> None:
        """batches [count]: how many were seen. frozen: 1 if the statistics are to stay."""
        self.batches = self.add_weight(
            shape=(count,), dtype="int32", initializer="zeros", trainable=False, name="batches"
        )
        self.frozen = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="frozen"
        )

    def are_frozen(self) -> KerasTensor:
        """bool [count]."""
        frozen = ops.broadcast_to(ops.cast(self.frozen, "bool"), ops.shape(self.batches))
        if not self.trainable:
            frozen = ops.ones_like(frozen)
        if self.freeze_after is not None:
            frozen = ops.logical_or(frozen, self.batches >= self.freeze_after)
        return frozen

    def averaged(self, old: KerasTensor, new: KerasTensor) -> KerasTensor:
        return old + (1.0 - self.momentum) * (ops.stop_gradient(new) - old)


def set_frozen(model: keras.Model, frozen: bool) -> int:
    """Freeze or unfreeze all statistics of the model; returns how many layers have some."""
    layers = [layer for layer in model.layers if isinstance(layer, StatisticsLayer)]
    for layer in layers:
        if hasattr(layer, "frozen"):
            layer.frozen.assign(int(frozen))
    return len(layers)
