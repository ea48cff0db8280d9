"""The whole way through, and the only place where stages meet.

load → prepare and quantize → .tflite → deploy (rewrites, kernels, memory plan) → files, engines, profile
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcu_quant.c_names import c_name
from mcu_quant.choices import (
    DYNAMIC_RANGES,
    FLOAT_TECHNIQUES,
    IO_TYPES,
    REPAIRS,
    TECHNIQUES,
    WEIGHTS_CALIBRATIONS,
    require_choice,
    split_calibration,
)
from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.errors import (
    DoesNotFitError,
    InvalidInputError,
    InvalidModelError,
)
from mcu_quant.ir import Graph
from mcu_quant.kernels.base import CORES, Core
from mcu_quant.recipe import NO_RECIPE, Recipe, check_recipe
from mcu_quant.sections import RAM, Placement, check_placement

if TYPE_CHECKING:
    import numpy as np

    from mcu_quant.boards import Board
    from mcu_quant.verify.compare import Comparison
    from mcu_quant.verify.engine import Engine

#: Larger model files are refused unread.
MAX_MODEL_BYTES = 512 * 2**20

#: Kernels are chosen again so often where weights share a memory with the arena: what they leave of it
#: depends on the kernels.
_ROUNDS = 3

#: The type of activations, by technique; the others have float32.
_ACTIVATIONS = {"int8": "int8", "int16x8": "int16"}

#: Told how many samples are done, and how many there are (None if that is not known).
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class QuantizeOptions:
    """The options of `quantize`, and of every verb that is given a float model.

    input_type, output_type: None is the type of the activations, int8 or int16.
    calibration: a method, or percentile=99.9. repairs: names of choices.REPAIRS.
    recipe: the technique of layers by name; technique is that of the others. allow_float: layers without an
    integer form are computed in float32, instead of an error.
    """

    technique: str = "int8"
    calibration: str = "minmax"
    per_tensor: bool = False
    input_type: str | None = None
    output_type: str | None = None
    weights_calibration: str = "minmax"
    repairs: tuple[str, ...] = ()
    dynamic_range: str | None = None
    recipe: Recipe | None = None
    allow_float: bool = False

    def __post_init__(self) -> None:
        require_choice("technique", self.technique, TECHNIQUES)
        split_calibration(self.calibration)
        require_choice("weights' calibration", self.weights_calibration, WEIGHTS_CALIBRATIONS)
        for repair in self.repairs:
            require_choice("repair", repair, REPAIRS)
        for what, value in (("input type", self.input_type), ("output type", self.output_type)):
            if value is not None:
                require_choice(what, value, IO_TYPES)
        require_choice("dynamic range", self.dynamic_range or DYNAMIC_RANGES[0], DYNAMIC_RANGES)
        if self.is_float:
            self._require_float_options()
        if self.per_tensor and not set(self.techniques) - {"float32", "float16"}:
            self._refuse("per_tensor", True)
        if self.dynamic_range is not None and "dynamic" not in self.techniques:
            self._refuse("dynamic_range", self.dynamic_range)

    @property
    def techniques(self) -> tuple[str, ...]:
        """All that layers can have."""
        return (self.recipe or NO_RECIPE).techniques(self.technique)

    @property
    def is_float(self) -> bool:
        """Whether all activations stay in float32, so that there is nothing to calibrate."""
        return set(self.techniques) <= set(FLOAT_TECHNIQUES)

    @property
    def is_mixed(self) -> bool:
        """Whether not every layer need have the same technique."""
        return self.recipe is not None or self.allow_float

    def _require_float_options(self) -> None:
        """Refuse what is about integer activations, and what is not done to other weights."""
        for name, value in (("input_type", self.input_type), ("output_type", self.output_type)):
            if value not in (None, "float32"):
                self._refuse(name, value)
        for name in ("calibration", "weights_calibration"):
            if getattr(self, name) != "minmax":
                self._refuse(name, getattr(self, name))
        if self.repairs:
            self._refuse("repairs", ",".join(self.repairs))
        if self.allow_float:
            self._refuse("allow_float", True)

    def _refuse(self, option: str, value: object) -> None:
        raise InvalidInputError(
            "an option must have a meaning for the technique",
            value=f"{option}={value} with {', '.join(self.techniques)}",
            hint="leave it out, or another technique",
        )


@dataclass(frozen=True)
class TfliteModel:
    """A .tflite file in memory, and the graph that was read from these very bytes."""

    name: str
    data: bytes
    graph: Graph

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def load(source: str | Path | object, name: str | None = None) -> Graph | TfliteModel:
    """A float Graph from .keras, .h5, a SavedModel or a keras.Model; a TfliteModel from .tflite."""
    if not isinstance(source, (str, Path)):
        from mcu_quant.importers.keras_model import load_keras_model

        return load_keras_model(source)
    if not str(source):
        raise InvalidInputError("the model's path must not be empty", hint="the path of a model file")
    path = Path(source)
    kind = model_kind(path)
    if kind == "tflite":
        return _read_file(path, name or c_name(path.stem))
    if kind == "saved_model":
        from mcu_quant.importers.saved_model import load_saved_model

        return load_saved_model(path)
    from mcu_quant.importers.keras_file import load_keras_file

    return load_keras_file(path)


def _read_file(path: Path, name: str) -> TfliteModel:
    """read_model, with the file named where it is damaged."""
    try:
        return read_model(path.read_bytes(), name)
    except InvalidModelError as error:
        (problem,) = error.problems
        layer = f"{path}: {problem.layer}" if problem.layer else str(path)
        raise InvalidModelError(problem.rule, layer=layer, value=problem.value, hint=problem.hint) from error


def read_model(data: bytes, name: str) -> TfliteModel:
    from mcu_quant.importers.tflite import read_tflite

    return TfliteModel(name, data, read_tflite(data, name))


def model_kind(path: Path) -> str:
    """ "tflite", "keras" (.keras or .h5) or "saved_model", by content and then by suffix."""
    hint = "a .keras, .h5 or .tflite file, or a SavedModel directory"
    if not path.exists():
        raise InvalidInputError("there is no such model", layer=str(path), hint=hint)
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "saved_model"
        raise InvalidInputError(
            "a directory must be a SavedModel", layer=str(path), value="no saved_model.pb", hint=hint
        )
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(8)
    except OSError as error:
        raise InvalidInputError("the model cannot be read", layer=str(path), value=error.strerror) from error
    if size > MAX_MODEL_BYTES:
        raise InvalidModelError(
            f"a model file may have {MAX_MODEL_BYTES} bytes", layer=str(path), value=f"{size} bytes"
        )
    if head[4:8] == b"TFL3" or path.suffix == ".tflite":
        return "tflite"
    if head == b"\x89HDF\r\n\x1a\n" or head[:4] == b"PK\x03\x04" or path.suffix in (".keras", ".h5", ".hdf5"):
        return "keras"
    raise InvalidModelError(
        "the file must be a model", layer=str(path), value=f"starts with {head!r}", hint=hint
    )


def quantize(
    graph: Graph, samples: Iterable[Any], options: QuantizeOptions, *, progress: Progress | None = None
) -> TfliteModel:
    """Quantize a float graph. samples: one item after another, each with an array per input.

    They are not looked at by techniques that keep activations in float32, nor if the graph was trained with
    quantization.
    """
    from mcu_quant.exporters.tflite import write_tflite

    return read_model(write_tflite(_quantized(graph, samples, options, progress)), c_name(graph.name))


def _quantized(
    graph: Graph, samples: Iterable[Any], options: QuantizeOptions, progress: Progress | None
) -> Graph:
    from mcu_quant.passes import prepare
    from mcu_quant.quantize import quantize_float, quantize_int8, quantize_trained

    if graph.trained is not None and options.is_mixed:
        raise InvalidInputError(
            "a model that was trained with quantization becomes int8 in all layers",
            layer=graph.name,
            value="a recipe" if options.recipe is not None else "allow_float",
            hint="the float model that prepare_qat was given",
        )
    if options.is_mixed:
        return _mixed(prepare(graph), samples, options, progress)
    if options.is_float:
        return quantize_float(
            prepare(graph),
            options.technique,
            per_tensor=options.per_tensor,
            dynamic_range=options.dynamic_range or DYNAMIC_RANGES[0],
        )
    shared: dict[str, Any] = {
        "calibration": options.calibration,
        "weights_calibration": options.weights_calibration,
        "per_tensor": options.per_tensor,
        "input_type": options.input_type,
        "output_type": options.output_type,
        "repairs": options.repairs,
    }
    if graph.trained is not None:
        return quantize_trained(graph, technique=options.technique, **shared)
    return quantize_int8(
        prepare(graph), samples, activations=_ACTIVATIONS[options.technique], progress=progress, **shared
    )


def _mixed(
    graph: Graph, samples: Iterable[Any], options: QuantizeOptions, progress: Progress | None
) -> Graph:
    from mcu_quant.quantize import MixedOptions, quantize_mixed

    recipe, layers = options.recipe or NO_RECIPE, [node.name for node in graph.nodes]
    check_recipe(recipe, layers)
    usual = _ACTIVATIONS.get(options.technique, "float32")
    return quantize_mixed(
        graph,
        samples,
        {layer: recipe.technique_of(layer, options.technique) for layer in layers},
        MixedOptions(
            input_type=options.input_type or usual,
            output_type=options.output_type or usual,
            calibration=options.calibration,
            per_tensor=options.per_tensor,
            weights_calibration=options.weights_calibration,
            repairs=options.repairs,
            dynamic_range=options.dynamic_range or DYNAMIC_RANGES[0],
            allow_float=options.allow_float,
        ),
        progress,
    )


def core_named(name: str) -> Core:
    if name not in CORES:
        raise InvalidInputError("the core must be a known one", value=name, hint=", ".join(CORES))
    return CORES[name]


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


def render(deployments: Sequence[Deployment], board: Board | None = None) -> dict[str, str | bytes]:
    """The files of a C library, or with a board those of a firmware project and its test vectors.

    Raises InvalidInputError for names that clash, DoesNotFitError for models that cannot fit the board.
    """
    _require_distinct([deployment.name for deployment in deployments])
    if board is not None:
        from mcu_quant.codegen.project import render_project, render_vectors
        from mcu_quant.samples import default_inputs
        from mcu_quant.verify.image import check_fits

        check_fits(board, deployments)
        project: dict[str, str | bytes] = {**render_project(board, deployments)}
        for deployment in deployments:
            project |= render_vectors(deployment, default_inputs(deployment.graph, 4))
        return project
    from mcu_quant.codegen.library import render_library

    files: dict[str, str | bytes] = {}
    for deployment in deployments:
        for file, text in render_library(deployment).items():
            assert files.setdefault(file, text) == text, f"two models render {file} differently"
    return files


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


def manifest_facts(deployments: Sequence[Deployment], board: Board | None) -> dict[str, object]:
    """What a generated directory says of itself: no dates, no paths."""
    from mcu_quant import __version__

    models = [
        {"name": d.name, "fingerprint": d.fingerprint, "arena_bytes": d.plan.arena_bytes} for d in deployments
    ]
    return {
        "tool": __version__,
        "board": None if board is None else board.name,
        "core": deployments[0].core.name,
        "options": deployments[0].options.canonical(),
        "models": models,
    }


def board_named(name: str) -> Board:
    from mcu_quant.boards import load_board

    return load_board(name)


def board_facts() -> list[dict[str, Any]]:
    """What `boards --json` says of each board."""
    from mcu_quant.boards import list_boards, load_board

    return [load_board(name).as_json() for name in list_boards()]


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
    from mcu_quant.boards import list_boards, load_board
    from mcu_quant.verify.qemu import QemuEngine

    known = list_boards()
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
    """Each engine's outputs against the reference's: byte for byte, float layers within their tolerance."""
    from mcu_quant.ops.tolerance import output_tolerances
    from mcu_quant.verify.compare import compare

    expected = engine_named("reference", model, options).run(inputs)
    tolerances = output_tolerances(model.graph)
    return [
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
