"""mcu-quant generate: C for a core, or a firmware project for a board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import memory_lines, note, note_fitting, print_json, print_table
from mcu_quant.formats import USUAL, library_name, list_formats, load_format


@click.command("generate")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=options.PATH)
@click.option("--target", metavar="CORE", help="Write a C library for this core (generic, cortex-m4, …).")
@click.option("--board", help="Write a firmware project for this board: of `mcu-quant boards`, or a path.")
@click.option(
    "--hardware",
    is_flag=True,
    help="Of a board that QEMU has, too: the project is for the chip, its console and its counter. Else "
    "programs talk by semihosting, and count by what QEMU has.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list_formats()),
    default=USUAL,
    show_default=True,
    help="What is written beside the C. "
    + "; ".join(f"{name}: {load_format(name).description}" for name in list_formats())
    + ".",
)
@click.option("-o", "--output", type=options.PATH, required=True, help="The directory to write.")
@click.option(
    "--name",
    help="The C prefix, else made from the file's name. Of several models in a --format that is a library, "
    "the library's name, else made of theirs.",
)
@options.generating
@options.quantizing
@options.FORCE
@options.JSON
def command(
    models: tuple[Path, ...],
    target: str | None,
    board: str | None,
    hardware: bool,
    format_name: str,
    output: Path,
    name: str | None,
    generating: dict[str, Any],
    quantizing: dict[str, Any],
    force: bool,
    as_json: bool,
) -> None:
    """Generate C for one MODEL, or for several that share one set of kernels."""
    from mcu_quant import pipeline
    from mcu_quant.c_names import check_c_name
    from mcu_quant.outputs import check_directory, write_directory

    if (target is None) == (board is None):
        raise click.UsageError("give either --target CORE or --board BOARD")
    if hardware and board is None:
        raise click.UsageError("--hardware belongs to --board BOARD")
    form = load_format(format_name)
    if name is not None:
        if len(models) > 1 and not form.names_library(for_board=board is not None):
            raise click.UsageError("--name is for one model, or for a library")
        check_c_name(name)
    if generating["placement"] is not None and len(models) > 1:
        raise click.UsageError("--placement is for one model")
    check_directory(output, force=force)
    chosen = None if board is None else pipeline.board_named(board, hardware=hardware)
    core = pipeline.core_named(target or chosen.core)  # type: ignore[union-attr]
    wanted = options.generate_options(generating)
    deployments = [
        pipeline.deploy(
            options.load_to_generate(path, quantizing, wanted, name if len(models) == 1 else None),
            core,
            wanted,
            board=chosen,
        )
        for path in models
    ]
    facts = pipeline.manifest_facts(deployments, chosen, form)
    files = pipeline.render(deployments, chosen, form, name)
    memory = None
    if chosen is not None and form.has_project:
        memory = pipeline.linked_memory(deployments, chosen, files)
        if memory is None:
            note("without arm-none-eabi-gcc nobody knows yet how much flash the program takes")
    write_directory(output, files, facts, force=force)
    for deployment in deployments:
        note_fitting(deployment.fitting(), deployment.name)
    if as_json:
        fitting = {deployment.name: deployment.fitting() for deployment in deployments}
        print_json(
            {"output": str(output), **facts, "fitting": fitting, "memory": memory, "files": sorted(files)}
        )
        return
    print_table(
        "",
        ("model", "layers", "arena bytes", "state bytes"),
        ((d.name, len(d.graph.nodes), d.plan.arena_bytes, d.plan.state_bytes) for d in deployments),
    )
    for line in memory_lines(memory or ()):
        note(line)
    package = name or library_name([deployment.name for deployment in deployments])
    advice = form.advice(output, package, for_board=chosen is not None)
    note(f"{output}: {len(files)} files" + (f"; {advice}" if advice else ""))
