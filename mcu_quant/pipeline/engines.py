"""Engines, and what is asked of them: outputs, comparison, profile, certificate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.errors import InvalidInputError
from mcu_quant.kernels.base import CORES
from mcu_quant.pipeline.deploying import board_named, core_named, deploy, emulated_board
from mcu_quant.pipeline.models import TfliteModel
from mcu_quant.pipeline.streaming import compare_with_windows

if TYPE_CHECKING:
    import numpy as np

    from mcu_quant.boards import Board
    from mcu_quant.verify.compare import Comparison
    from mcu_quant.verify.engine import Engine
    from mcu_quant.verify.serial_port import PortOptions


def engine_named(
    name: str, model: TfliteModel, options: GenerateOptions, port: PortOptions | None = None
) -> Engine:
    """`reference`, `host` (generic C, compiled here) or a board's name.

    A board is its image on QEMU, or with a port the board there.
    """
    if name == "reference":
        from mcu_quant.ops.support import require_supported
        from mcu_quant.verify.reference import ReferenceEngine

        require_supported(model.graph)
        return ReferenceEngine(model.graph)
    if name == "host":
        from mcu_quant.verify.host import HostEngine

        return HostEngine(deploy(model, CORES["generic"], options))
    from mcu_quant.boards import is_board, qemu_boards

    if not is_board(name):
        known = ", ".join(["reference", "host", *qemu_boards()])
        raise InvalidInputError("the engine must be a known one", value=name, hint=known)
    if port is not None:
        from mcu_quant.verify.serial_engine import SerialEngine

        board = board_named(name)
        return SerialEngine(deploy(model, core_named(board.core), options, board=board), board, port)
    from mcu_quant.verify.qemu import QemuEngine

    board = emulated_board(name)
    return QemuEngine(deploy(model, core_named(board.core), options, board=board), board)


def verify(
    model: TfliteModel,
    engines: Sequence[str],
    inputs: Sequence[np.ndarray],
    options: GenerateOptions,
    port: PortOptions | None = None,
    *,
    note: Callable[[str], None] = lambda text: None,
) -> list[Comparison]:
    """Each engine's outputs against the reference's: byte for byte, float layers within their tolerance.

    Of a model that streams, first the reference's against those of the window model on every window.
    port: where the board is; only one of the engines may then be a board. note: told how well the line was.
    """
    from mcu_quant.ops.tolerance import output_tolerances
    from mcu_quant.verify.compare import compare

    expected = engine_named("reference", model, options).run(inputs)
    tolerances = output_tolerances(model.graph)
    require_one_board(engines, port)
    results = [] if model.window is None else [compare_with_windows(model, inputs[0], expected)]
    for name in engines:
        engine = engine_named(name, model, options, port)
        results.append(compare(name, expected, engine.run(inputs), tolerances))
        if port is not None and (about := getattr(engine, "line", "")):
            note(about)
    return results


def require_one_board(engines: Sequence[str], port: PortOptions | None) -> None:
    """A port is of one board, and only of a board. Raises InvalidInputError."""
    boards = [name for name in engines if name not in ("reference", "host")]
    if port is not None and len(boards) != 1:
        raise InvalidInputError(
            "--port is where one board is",
            layer=port.port,
            value=", ".join(engines) or "no engine",
            hint="--on BOARD, once; `mcu-quant boards` lists them",
        )


def profile(
    model: TfliteModel,
    board: Board,
    inputs: Sequence[np.ndarray],
    options: GenerateOptions,
    port: PortOptions | None = None,
    *,
    note: Callable[[str], None] = lambda text: None,
) -> Mapping[str, Any]:
    """The JSON of `profile`: instructions and modelled cycles on QEMU, or with a port measured cycles.

    Memory and flash are of the linked image. note: told why cycles are left out, if they are.
    """
    deployment = deploy(model, core_named(board.core), options, board=board)
    return _profiled(deployment, board, inputs, port, note)


def certify(
    model: TfliteModel,
    board: Board,
    inputs: Sequence[np.ndarray],
    options: GenerateOptions,
    port: PortOptions | None = None,
    *,
    note: Callable[[str], None] = lambda text: None,
) -> tuple[Mapping[str, Any], dict[str, str | bytes]]:
    """The JSON of `profile`, and the files of the certificate. port, note: as in profile."""
    from mcu_quant.codegen.certificate import render_certificate

    deployment = deploy(model, core_named(board.core), options, board=board)
    facts = _profiled(deployment, board, inputs, port, note)
    return facts, {**render_certificate(deployment, facts)}


def _profiled(
    deployment: Deployment,
    board: Board,
    inputs: Sequence[np.ndarray],
    port: PortOptions | None,
    note: Callable[[str], None],
) -> dict[str, Any]:
    if port is not None:
        from mcu_quant.verify.serial_profile import profile_on_port

        return profile_on_port(deployment, board, inputs, port, note) | {"fitting": deployment.fitting()}
    from mcu_quant.verify.profile import profile_on_qemu

    return profile_on_qemu(deployment, board, inputs, note=note) | {"fitting": deployment.fitting()}
