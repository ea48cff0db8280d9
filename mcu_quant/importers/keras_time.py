"""TimeDistributed: one layer at each step of time, with the same weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcu_quant.importers.keras_functions.shapes import sliced, stack
from mcu_quant.importers.keras_layers import IDENTITIES, ImportBuilder
from mcu_quant.ops.keras import LayerRefused

#: Steps up to it become as many nodes.
MAX_STEPS = 64
#: Layers of one element, or along the last axis alone: they do the same to all steps at once.
ANY_RANK = (
    *IDENTITIES,
    "Activation",
    "BatchNormalization",
    "Dense",
    "ELU",
    "LeakyReLU",
    "ReLU",
    "Rescaling",
)
#: Layers that only change the shape.
RESHAPES = ("Flatten", "Reshape")


def reshaped_steps(builder: ImportBuilder, name: str, x: str, config: Mapping[str, Any]) -> str:
    """Flatten or Reshape of each step."""
    target = [builder.shape(x)[1], *config.get("target_shape", [-1])]
    return builder.layer("Reshape", name, [x], {"target_shape": target})


def steps_of(builder: ImportBuilder, name: str, x: str) -> list[str]:
    """x at each index of its axis 1. Raises LayerRefused where they are too many."""
    steps = builder.shape(x)[1]
    if steps > MAX_STEPS:
        raise LayerRefused(
            f"a layer that is not pointwise may be distributed over up to {MAX_STEPS} steps",
            value=steps,
            hint="Conv2D with a kernel of 1 along time",
        )
    return [sliced(builder, f"{name}/step", x, 1, step) for step in range(steps)]


def stacked_steps(builder: ImportBuilder, name: str, steps: Sequence[str]) -> str:
    """The inverse."""
    return stack(builder, name, steps, 1)
