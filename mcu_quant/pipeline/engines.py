"""Engines, and what is asked of them: outputs, comparison, profile, certificate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.errors import InvalidInputError
from mcu_quant.kernels.base import CORES
from mcu_quant.pipeline.deploying import core_named, deploy
from mcu_quant.pipeline.models import TfliteModel
from mcu_quant.pipeline.streaming import compare_with_windows

if TYPE_CHECKING:
    import numpy as np

    from mcu_quant.boards import Board
    from mcu_quant.verify.compare import Comparison
    from mcu_quant.verify.engine import Engine


def engine_named(name: str, model: TfliteModel, options: GenerateOptions) -> Engine:
    """`reference`, `host` (generic C, compiled here) or a board's name (its image on QEMU)."""
    if name == "reference":
        from mcu_quant.ops.support import require_supported
        from mcu_quant.verify.reference import ReferenceEngine

        require_supported(model.graph)
        return ReferenceEngine(model.graph)
    if name == "host":
        from mcu_quant.verify.host import HostEngine

        return HostEngine(deploy(model, CORES["generic"], options))
    from mcu_quant.boards import load_board, qemu_boards
    from mcu_quant.verify.qemu import QemuEngine

    known = qemu_boards()
    if name not in known:
        raise InvalidInputError(
            "the engine must be a known one", value=name, hint=", ".join(["reference", "host", *known])
        )
    board = load_board(name)
    return QemuEngine(deploy(model, core_named(board.core), options, board=board), board)


def verify(
    model: TfliteModel,
    engines: Sequence[str],
    inputs: Sequence[np.ndarray],
    options: GenerateOptions,
) -> list[Comparison]:
    """Each engine's outputs against the reference's: byte for byte, float layers within their tolerance.

    Of a model that streams, first the reference's against those of the window model on every window.
    """
    from mcu_quant.ops.tolerance import output_tolerances
    from mcu_quant.verify.compare import compare

    expected = engine_named("reference", model, options).run(inputs)
    tolerances = output_tolerances(model.graph)
    windows = [] if model.window is None else [compare_with_windows(model, inputs[0], expected)]
    return windows + [
        compare(name, expected, engine_named(name, model, options).run(inputs), tolerances)
        for name in engines
    ]


def profile(
    model: TfliteModel,
    board: Board,
    inputs: Sequence[np.ndarray],
    options: GenerateOptions,
    *,
    note: Callable[[str], None] = lambda text: None,
) -> Mapping[str, Any]:
    """The JSON of `profile`: exact instructions, modelled cycles, memory and flash of the linked image.

    note: told why cycles are left out, if they are.
    """
    return _profiled(deploy(model, core_named(board.core), options, board=board), board, inputs, note)


def certify(
    model: TfliteModel,
    board: Board,
    inputs: Sequence[np.ndarray],
    options: GenerateOptions,
    *,
    note: Callable[[str], None] = lambda text: None,
) -> tuple[Mapping[str, Any], dict[str, str | bytes]]:
    """The JSON of `profile`, and the files of the certificate. note: as in profile."""
    from mcu_quant.codegen.certificate import render_certificate

    deployment = deploy(model, core_named(board.core), options, board=board)
    facts = _profiled(deployment, board, inputs, note)
    return facts, {**render_certificate(deployment, facts)}


def _profiled(
    deployment: Deployment, board: Board, inputs: Sequence[np.ndarray], note: Callable[[str], None]
) -> dict[str, Any]:
    from mcu_quant.verify.profile import profile_on_qemu

    return profile_on_qemu(deployment, board, inputs, note=note) | {"fitting": deployment.fitting()}
