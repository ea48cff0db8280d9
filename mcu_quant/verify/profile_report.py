"""The object that `profile --json` prints, whatever counted: QEMU, or the board itself."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcu_quant.boards import Board
from mcu_quant.deployment import Deployment
from mcu_quant.ops import OPERATORS
from mcu_quant.verify.image import ImageSizes


@dataclass(frozen=True)
class Figure:
    """What was counted, by its key: of one inference, and of each layer. None: it was not."""

    key: str
    whole: int | None
    layers: tuple[int, ...] | None

    def of_layer(self, index: int) -> int | None:
        return None if self.layers is None else self.layers[index]


NO_INSTRUCTIONS = Figure("instructions", None, None)
NO_CYCLES = Figure("modelled_cycles", None, None)


def report(
    deployment: Deployment,
    board: Board,
    figures: Sequence[Figure],
    sizes: ImageSizes,
    stack_bytes: int,
    outputs: bytes,
) -> dict[str, Any]:
    """outputs: of sample 0, raw."""
    plan = deployment.plan
    arena, fast, state = plan.arena_bytes, plan.fast_arena_bytes, plan.state_bytes
    return {
        "schema": 1,
        "model": deployment.name,
        "board": board.name,
        "core": board.core,
        "optimize": deployment.options.optimize,
        **{figure.key: figure.whole for figure in figures},
        "memory": {
            "arena_bytes": arena,
            "fast_arena_bytes": fast,
            "state_bytes": state,
            "static_bytes": sizes.static_bytes,
            "stack_bytes": stack_bytes,
            "ram_bytes": arena + fast + state + sizes.static_bytes + stack_bytes,
        },
        "flash": {
            "code_bytes": sizes.code_bytes,
            "const_bytes": sizes.const_bytes,
            "model_bytes": sizes.code_bytes + sizes.const_bytes,
            "image_bytes": sizes.image_bytes,
        },
        "layers": _layers(deployment, figures),
        "outputs_crc32": zlib.crc32(outputs),
    }


def _layers(deployment: Deployment, figures: Sequence[Figure]) -> list[dict[str, Any]]:
    plan = deployment.plan
    return [
        {
            "index": index,
            "name": node.name,
            "op": node.node.op,
            "kernel": deployment.kernels[index].name,
            "macs": OPERATORS[node.node.op].macs(node),
            **{figure.key: figure.of_layer(index) for figure in figures},
            "input_shape": list(node.input(0).shape),
            "output_shape": list(node.outputs[0].shape),
            "live_bytes": plan.live_bytes[index],
            "scratch_bytes": plan.scratch[index][1],
        }
        for index, node in enumerate(deployment.graph.bound_nodes())
    ]


def split_excess(whole: int, hooked: Sequence[int]) -> tuple[int, ...]:
    """Counts that add up to the whole: hooked, less even shares of what they have too much.

    None falls below 0: a layer shorter than its share gives all it has, and longer ones share the rest.
    """
    layers = list(hooked)
    excess = sum(hooked) - whole
    shortest_first = sorted(range(len(hooked)), key=lambda index: hooked[index])
    for done, index in enumerate(shortest_first):
        share = min(hooked[index], excess // (len(hooked) - done))
        layers[index] -= share
        excess -= share
    return tuple(layers)
