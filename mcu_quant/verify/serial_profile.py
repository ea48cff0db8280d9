"""What one inference costs on the board itself: cycles by its counter; memory and flash of the image."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np

from mcu_quant.boards import Board
from mcu_quant.deployment import Deployment
from mcu_quant.verify.certificate import certify
from mcu_quant.verify.image import build_images, read_sizes, usage_files
from mcu_quant.verify.profile_report import NO_CYCLES, NO_INSTRUCTIONS, Figure, report, split_excess
from mcu_quant.verify.serial_engine import SerialEngine
from mcu_quant.verify.serial_port import PortOptions

#: Key of what only a board can give: cycles as they passed, memory that waits and all.
MEASURED = "measured_cycles"


def profile_on_port(
    deployment: Deployment,
    board: Board,
    inputs: Sequence[np.ndarray],
    port: PortOptions,
    note: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """The object that `profile --json` prints, with measured_cycles, and without instructions.

    inputs: raw [N, *shape]; sample 0 is run. stack_bytes is the proven bound. note: told if the cycles are
    QEMU's. Raises as SerialEngine and
    build_images.
    """
    with tempfile.TemporaryDirectory(prefix="mcu_quant_") as text:
        folder = Path(text)
        program, server = build_images(board, deployment, ("main", "serve"), folder)
        certificate = certify(deployment, board, program, server, usage_files(folder))
        sizes = read_sizes(program)
    runs, layered, outputs = SerialEngine(deployment, board, port).measure(inputs)
    if board.qemu is not None and layered.timer_hz != board.timer.hz:
        note(f"measured_cycles are QEMU's: on {board.name} itself, generate with --hardware")
    whole = layered.cycles(median_low(run.ticks for run in runs))
    layers = split_excess(whole, [layered.cycles(ticks) for ticks in layered.layers])
    figures = (NO_INSTRUCTIONS, NO_CYCLES, Figure(MEASURED, whole, layers))
    stack_bytes = certificate["stack_bound_bytes"]
    facts = report(deployment, board, figures, sizes, stack_bytes, outputs)
    return facts | {"certificate": certificate}
