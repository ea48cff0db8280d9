"""generate: a quantized model to C, and what can be asked of the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcu_quant import pipeline, samples
from mcu_quant.api.models import Array, FloatModel, Inputs, QuantizedModel, input_arrays, load, output_path
from mcu_quant.boards import Board
from mcu_quant.c_names import check_c_name
from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.errors import BitsDifferError, InvalidInputError
from mcu_quant.flashing.project import Flashed, FlashOptions, flash_project
from mcu_quant.outputs import check_directory, write_directory
from mcu_quant.sections import UNPLACED, Placement, placement_of, read_placement
from mcu_quant.verify.compare import Comparison
from mcu_quant.verify.serial_port import PortOptions


@dataclass(frozen=True)
class Generated:
    """A generated library or firmware project. path: its directory."""

    path: Path
    deployment: Deployment
    model: pipeline.TfliteModel
    board: str | None

    @property
    def arena_bytes(self) -> int:
        return self.deployment.plan.arena_bytes

    @property
    def fast_arena_bytes(self) -> int:
        """0 if the arena is in one piece."""
        return self.deployment.plan.fast_arena_bytes

    def verify(
        self,
        inputs: Inputs | None = None,
        engines: Sequence[str] | None = None,
        *,
        port: PortOptions | str | None = None,
    ) -> list[Comparison]:
        """Check engines against the reference; BitsDifferError if one differs.

        inputs: by default seeded random samples, all-min and all-max. Of a model that streams, the reference
        is checked against the window model, too. engines: by default `host`, and the board that the project
        is for, if it has a port or QEMU has it. port: the serial port where that board is; without it, QEMU
        is the board.
        """
        names = list(engines) if engines is not None else self._engines(port is not None)
        arrays = self._inputs(inputs, samples.enough_samples(self.model.graph, 8))
        results = pipeline.verify(self.model, names, arrays, self.deployment.options, _port(port))
        different = [str(result) for result in results if not result.passed]
        if different:
            raise BitsDifferError("all engines must give the reference's bytes", value="; ".join(different))
        return results

    def profile(
        self, inputs: Inputs | None = None, *, port: PortOptions | str | None = None
    ) -> dict[str, Any]:
        """Instructions, memory and flash on the project's board: the object of `profile --json`.

        port: the serial port where the board is, which then gives measured cycles instead of instructions.
        """
        board = self._board()
        arrays = [x[:1] for x in self._inputs(inputs, 1)]
        options = self.deployment.options
        return {"schema": 1, **pipeline.profile(self.model, board, arrays, options, _port(port))}

    def flash(self, program: str = "firmware", *, dry_run: bool = False, **options: Any) -> Flashed:
        """Build the project's main.c ("firmware") or serve.c ("serve"), and write it onto the board.

        options: of FlashOptions, as `mcu-quant flash` has them: tool, server, port, probe, drive. dry_run:
        only find the command, and make the files that it needs.
        """
        self._board()
        return flash_project(self.path, FlashOptions(program, **options), dry_run=dry_run)

    def certify(
        self, output_dir: str | Path, inputs: Inputs | None = None, *, force: bool = False
    ) -> dict[str, Any]:
        """Write the certificate (`profile --certificate`): JSON, C header and picture of the arena.

        Returns what profile() returns. force: replace what is there.
        """
        board = self._board()
        path = output_path(output_dir)
        check_directory(path, force=force)
        arrays = [x[:1] for x in self._inputs(inputs, 1)]
        facts, files = pipeline.certify(self.model, board, arrays, self.deployment.options)
        write_directory(path, files, {"model": facts["model"], "board": board.name}, force=force)
        return {"schema": 1, **facts}

    def _engines(self, has_port: bool) -> list[str]:
        runs = self.board is not None and (has_port or self._board().qemu is not None)
        return ["host", str(self.board)] if runs else ["host"]

    def _board(self) -> Board:
        if self.board is None:
            raise InvalidInputError(
                "a library for a core cannot be profiled or flashed",
                value=self.deployment.core.name,
                hint="generate(board=…)",
            )
        return pipeline.board_named(self.board)

    def _inputs(self, inputs: Inputs | None, count: int) -> list[Array]:
        graph = self.model.graph
        return samples.default_inputs(graph, count) if inputs is None else input_arrays(inputs, graph)


def generate(
    model: QuantizedModel | str | Path,
    *,
    output_dir: str | Path,
    board: str | None = None,
    hardware: bool = False,
    target: str | None = None,
    name: str | None = None,
    force: bool = False,
    format: str = "make",
    optimize: str = "balanced",
    kernels: str = "auto",
    keep_constant_channels: bool = False,
    keep_input: bool = False,
    ram: int | None = None,
    placement: str | Path | Mapping[str, str] | None = None,
    stream: int | None = None,
    hop: int | None = None,
) -> Generated:
    """Write a C library for a core (target) or a firmware project for a board into output_dir.

    hardware: the project is for the board itself, where QEMU has it, too.
    format: what comes with the C ("make", "cmake", "arduino", …), as --format on the command line.
    optimize ("time", "balanced", "size") to ram (the arena's limit in bytes): as on the command line.
    placement: the TOML file of --placement, or its table: layer name or pattern → linker section.
    stream: the axis of time of the input, of a model that is to stream; hop: frames that come at once, by
    default 1. Inputs of the result's methods are then hops, one after the other.
    """
    options = GenerateOptions(
        optimize, kernels, keep_constant_channels, keep_input, ram, _placement(placement), stream, hop
    )
    prefix = None if name is None else check_c_name(name)
    loaded = model if isinstance(model, (FloatModel, QuantizedModel)) else load(model)
    if isinstance(loaded, FloatModel):
        raise InvalidInputError("the model must be quantized", layer=loaded.name, hint="mcu_quant.quantize")
    if (board is None) == (target is None):
        raise InvalidInputError(
            "give either a board or a target core", value=f"board={board}, target={target}"
        )
    form = pipeline.format_named(format)
    path = output_path(output_dir)
    check_directory(path, force=force)
    chosen = None if board is None else pipeline.board_named(board, hardware=hardware)
    core = pipeline.core_named(chosen.core if chosen is not None else str(target))
    generated = pipeline.streamed(loaded.model, options)
    deployment = pipeline.deploy(generated, core, options, prefix, chosen)
    facts = pipeline.manifest_facts([deployment], chosen, form)
    files = pipeline.render([deployment], chosen, form)
    if chosen is not None and form.has_project:
        pipeline.linked_memory([deployment], chosen, files)
    write_directory(path, files, facts, force=force)
    return Generated(path, deployment, generated, board)


def _port(port: PortOptions | str | None) -> PortOptions | None:
    return PortOptions(port) if isinstance(port, str) else port


def _placement(source: str | Path | Mapping[str, str] | None) -> Placement:
    if source is None:
        return UNPLACED
    return placement_of(source) if isinstance(source, Mapping) else read_placement(Path(source))
