"""Shapes that an imported model's inputs may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcu_quant.ops.keras import LayerRefused

MAX_ELEMENTS = 1 << 31


def input_problem(shape: Sequence[Any]) -> LayerRefused | None:
    """What is wrong with an input's shape, batch first and None where unknown; None if nothing is."""
    seen = list(shape)
    if shape[0] not in (None, 1):
        return LayerRefused(
            "the batch must be 1 or None: a microcontroller runs one sample at a time",
            value=f"batch {shape[0]}",
            hint="keras.Input(shape=…) without batch_size (stateful layers: batch_size=1), "
            "then new.set_weights(model.get_weights())",
        )
    if any(size is None for size in shape[1:]):
        return LayerRefused(
            "every size but the batch must be fixed",
            value=seen,
            hint="build the model again with a fixed keras.Input(shape=…) and copy the weights",
        )
    product = 1
    for size in shape[1:]:
        if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
            return LayerRefused("every size must be a positive number", value=seen)
        product *= size
    return LayerRefused("the input is too large", value=seen) if product > MAX_ELEMENTS else None
