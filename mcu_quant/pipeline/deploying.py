"""deploy and render: rewrites, kernels and the memory plan, then the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.errors import DoesNotFitError, InvalidInputError, ToolMissingError
from mcu_quant.kernels.base import CORES, Core
from mcu_quant.pipeline.models import TfliteModel
from mcu_quant.sections import RAM, Placement, check_placement

if TYPE_CHECKING:
    from mcu_quant.boards import Board
    from mcu_quant.formats import Format

#: Kernels are chosen again so often where weights share a memory with the arena: what they leave of it
#: depends on the kernels.
_ROUNDS = 3


def core_named(name: str) -> Core:
    if name not in CORES:
        raise InvalidInputError("the core must be a known one", value=name, hint=", ".join(CORES))
    return CORES[name]


def board_named(name: str, *, hardware: bool = False) -> Board:
    """hardware: the board itself, where QEMU has it, too."""
    from mcu_quant.boards import load_board

    board = load_board(name)
    return board.itself if hardware else board


def emulated_board(name: str) -> Board:
    """board_named, of one that runs on QEMU. Raises InvalidInputError, for one that does not, too."""
    from mcu_quant.boards import require_qemu

    board = board_named(name)
    require_qemu(board)
    return board


def board_facts() -> list[dict[str, Any]]:
    """What `boards --json` says of each board."""
    from mcu_quant.boards import list_boards, load_board

    return [load_board(name).as_json() for name in list_boards()]


def new_board(name: str, core: str, flash: tuple[int, int], ram: tuple[int, int]) -> dict[str, str]:
    """The files of a board to be filled in. flash, ram: address and bytes. Raises InvalidInputError."""
    from mcu_quant.boards import MemoryRegion
    from mcu_quant.codegen.new_board import render_new_board

    return render_new_board(name, core, MemoryRegion(*flash), MemoryRegion(*ram))


def deploy(
    model: TfliteModel,
    core: Core,
    options: GenerateOptions,
    name: str | None = None,
    board: Board | None = None,
) -> Deployment:
    """Optimize, choose kernels and plan memory. name: the C prefix, the model's by default.

    Where the arena would exceed options.ram, or what the board has, kernels that need less scratch take
    over, and layers run in bands of rows. Raises UnsupportedModelError, InvalidInputError for a placement
    that does not match the model or the board, and DoesNotFitError for options.ram; check_fits asks for the
    board.
    """
    deployment = deploy_smallest(model, core, options, name, board)
    require_ram(model.name, deployment.plan.arena_bytes, options.ram)
    return deployment


def deploy_smallest(
    model: TfliteModel,
    core: Core,
    options: GenerateOptions,
    name: str | None = None,
    board: Board | None = None,
) -> Deployment:
    """deploy, with the smallest arena that is found where none fits options.ram."""
    from mcu_quant.fitting import choose_and_plan
    from mcu_quant.ops.support import require_supported
    from mcu_quant.optimize import optimize

    graph = optimize(require_supported(model.graph), options)
    check_placement(
        options.placement,
        [node.name for node in graph.nodes],
        None if board is None else [section.name for section in board.sections],
        "" if board is None else board.name,
    )

    def deployed(limit: int | None) -> Deployment:
        ram = min((most for most in (options.ram, limit) if most is not None), default=None)
        fit = choose_and_plan(graph, core, options, ram)
        facts = (fit.graph, core, fit.kernels, fit.plan, options, model.fingerprint)
        return Deployment(name or model.name, *facts, source=model.graph, slowdown=fit.slowdown)

    if board is None:
        return deployed(None)
    room = _room(board, options.placement)
    deployment = deployed(room)
    for _ in range(_ROUNDS):
        left = room - _weights_beside(deployment)
        if deployment.plan.arena_bytes <= left:
            break
        deployment = deployed(max(left, 0))
    return deployment


def _room(board: Board, placement: Placement) -> int:
    """What the board has for the main arena, and for weights placed where it is."""
    main, fast = placement.arena_sections
    room = {section.name: section.region.bytes for section in board.sections}
    room[RAM] = board.ram_bytes - board.stack_bytes
    room[fast] -= placement.fast_bytes or 0
    return max(room[main], 0)


def _weights_beside(deployment: Deployment) -> int:
    """Bytes of the weights that are placed in the section of the main arena, as the kernels pack them."""
    placement = deployment.options.placement
    main, _ = placement.arena_sections
    if main not in placement.sections:
        return 0
    from mcu_quant.codegen.library import library_tables

    return sum(table.bytes for table in library_tables(deployment) if table.section == main)


def require_ram(name: str, arena_bytes: int, ram: int | None) -> None:
    """Raise DoesNotFitError if the arena is larger than the limit that was given."""
    if ram is not None and arena_bytes > ram:
        raise DoesNotFitError(
            "the arena must fit into the RAM given",
            layer=name,
            value=f"{arena_bytes} bytes is the least found, {ram} given",
            hint="more --ram, smaller layers or inputs; `mcu-quant inspect` shows which layer needs most "
            "(the least is what a search found, it is no bound)",
        )


def format_named(name: str) -> Format:
    from mcu_quant.formats import load_format

    return load_format(name)


def render(
    deployments: Sequence[Deployment],
    board: Board | None = None,
    form: Format | None = None,
    package: str | None = None,
) -> dict[str, str | bytes]:
    """The files of a C library, or with a board those of a firmware project and its test vectors.

    form: the format, by default that of make; one without projects gives a library for the board's core.
    package: the library's name, by default made of the models'. Raises InvalidInputError for names that
    clash, DoesNotFitError for models that cannot fit the board.
    """
    from mcu_quant.formats import USUAL

    form = form or format_named(USUAL)
    _require_distinct([deployment.name for deployment in deployments])
    if board is not None:
        from mcu_quant.verify.image import check_fits

        check_fits(board, deployments)
        if form.has_project:
            return _render_project(board, deployments, form)
    from mcu_quant.codegen.packages import render_package

    return {**render_package(form, deployments, package)}


def linked_memory(
    deployments: Sequence[Deployment], board: Board, files: Mapping[str, str | bytes]
) -> list[dict[str, Any]] | None:
    """What the project's program takes of each memory of the board, from a linked image.

    files: of render. None without a compiler. Raises DoesNotFitError.
    """
    from mcu_quant.verify.image import linked_rooms

    try:
        return [room.as_json() for room in linked_rooms(board, deployments, files)]
    except ToolMissingError:
        return None


def _render_project(board: Board, deployments: Sequence[Deployment], form: Format) -> dict[str, str | bytes]:
    from mcu_quant.codegen.project import render_project, render_vectors
    from mcu_quant.samples import default_inputs

    project: dict[str, str | bytes] = {**render_project(board, deployments, form)}
    for deployment in deployments if board.qemu is not None else ():
        project |= render_vectors(deployment, default_inputs(deployment.graph, 4))
    return project


def _require_distinct(names: Sequence[str]) -> None:
    """Each model has files and macros of its own: NAME and NAME_weights, where case is no difference."""
    taken: dict[str, str] = {}
    for name in names:
        for claim in (name.upper(), f"{name.upper()}_WEIGHTS"):
            if claim in taken:
                raise InvalidInputError(
                    "models in one program must have names that give different files and macros",
                    value=f"{taken[claim]} and {name} would both have {claim.lower()}.h and {claim}_H",
                    hint="rename one of the files",
                )
            taken[claim] = name


def manifest_facts(
    deployments: Sequence[Deployment], board: Board | None, form: Format | None = None
) -> dict[str, object]:
    """What a generated directory says of itself: no dates, no paths."""
    from mcu_quant import __version__
    from mcu_quant.formats import USUAL

    models = [
        {"name": d.name, "fingerprint": d.fingerprint, "arena_bytes": d.plan.arena_bytes} for d in deployments
    ]
    return {
        "tool": __version__,
        "format": USUAL if form is None else form.name,
        "board": None if board is None else board.name,
        "core": deployments[0].core.name,
        "options": deployments[0].options.canonical(),
        "models": models,
    }
