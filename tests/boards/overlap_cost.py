"""What it costs that outputs lie over inputs: instructions on QEMU with and without, in mode balanced.

    python -m tests.boards.overlap_cost

Without overlap, the same kernels run with every block of the arena by itself. "Free" are kernels that may
also forget what overlap asks of them: depthwise convolutions make as large bands as their planes allow.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcu_quant.boards import Board, load_board
from mcu_quant.deployment import Deployment
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Kernel
from mcu_quant.kernels.dsp.depthwise_planar_s8 import DepthwisePlanarS8
from mcu_quant.memory import plan_memory
from mcu_quant.samples import default_inputs
from mcu_quant.verify.profile import profile_on_qemu
from tests.boards.models import deploy, published
from tests.conftest import SHARED

MODELS = ("ad01_int8", "kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "str_ww_ref_model")
BOARD = "mps2_an386"


class Apart:
    """A kernel whose output and scratch are nowhere over its input; otherwise as it is."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernel, name)

    def overlap(self, node: BoundNode) -> tuple[None, ...]:
        return (None,) * len(node.inputs)

    def scratch_overlap(self, node: BoundNode) -> None:
        return None

    def in_place(self, node: BoundNode) -> bool:
        return False


@dataclass(frozen=True)
class Cost:
    """Instructions of an inference and bytes of the arena: as planned, apart, and apart with free kernels."""

    instructions: tuple[int, int, int]
    arena_bytes: tuple[int, int, int]

    @property
    def ratios(self) -> tuple[float, float]:
        """Of the instructions as planned to the other two."""
        planned, *others = self.instructions
        return planned / others[0], planned / others[1]


def measure(planned: Deployment, board: Board, inputs: Sequence[np.ndarray]) -> Cost:
    free = [_free(kernel) for kernel in planned.kernels]
    ways = [planned, apart(planned, planned.kernels), apart(planned, free)]
    facts = [profile_on_qemu(way, board, inputs) for way in ways]
    assert len({fact["outputs_crc32"] for fact in facts}) == 1
    instructions, arenas = ([get(fact) for fact in facts] for get in (_instructions, _arena_bytes))
    return Cost((instructions[0], instructions[1], instructions[2]), (arenas[0], arenas[1], arenas[2]))


def apart(planned: Deployment, kernels: Sequence[Kernel]) -> Deployment:
    wrapped: list[Any] = [Apart(kernel) for kernel in kernels]
    return replace(planned, kernels=tuple(kernels), plan=plan_memory(planned.graph, wrapped))


def _free(kernel: Kernel) -> Kernel:
    if not isinstance(kernel, DepthwisePlanarS8):
        return kernel
    free = copy.copy(kernel)
    plane_bytes, _, _ = kernel._limits
    free._limits = (plane_bytes, 1 << 30, None)
    return free


def _instructions(facts: dict[str, Any]) -> int:
    return int(facts["instructions"])


def _arena_bytes(facts: dict[str, Any]) -> int:
    return int(facts["memory"]["arena_bytes"])


def main() -> None:
    board = load_board(BOARD)
    print("| model | arena | apart | instructions | apart | ratio | apart, free | ratio |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name in MODELS:
        planned = deploy(published(SHARED, name), board)
        cost = measure(planned, board, default_inputs(planned.graph, 1))
        arena, instructions = cost.arena_bytes, cost.instructions
        print(
            f"| {name} | {arena[0]:,} | {arena[1]:,} | {instructions[0]:,} | {instructions[1]:,} "
            f"| {cost.ratios[0]:.4f} | {instructions[2]:,} | {cost.ratios[1]:.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
