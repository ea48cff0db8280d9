"""mcu-quant profile: exact instructions, modelled cycles, RAM, stack and flash of the linked image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import note, note_fitting, print_json, print_table

_COUNTED = ("instructions", "modelled_cycles", "measured_cycles")


@click.command("profile")
@options.MODEL
@click.option(
    "--board",
    "--on",
    "board",
    metavar="BOARD",
    required=True,
    help="The board to run on; `mcu-quant boards` lists them.",
)
@options.INPUTS
@options.porting
@options.generating
@options.quantizing
@click.option(
    "--certificate",
    type=options.PATH,
    metavar="DIR",
    help="Write there what the image takes at most, proven without running it: certificate.json, a C header "
    "with static asserts, and a picture of the arena.",
)
@options.FORCE
@options.JSON
def command(
    model: Path,
    board: str,
    inputs: Path | None,
    porting: dict[str, Any],
    generating: dict[str, Any],
    quantizing: dict[str, Any],
    certificate: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure one inference of MODEL on a board.

    Instructions are exact for the whole; their split per layer is right within a few instructions. Cycles
    are a model of the core with memory that never waits (docs/DESIGN.md), not a measurement. With --port, the
    board's own counter measures them.
    """
    from mcu_quant import pipeline, samples
    from mcu_quant.outputs import check_directory, write_directory

    port = options.port_options(porting)
    if certificate is not None:
        check_directory(certificate, force=force)
    target, chosen = pipeline.board_named(board), options.generate_options(generating)
    integer = options.load_to_generate(model, quantizing, chosen)
    if inputs is None:
        arrays = samples.default_inputs(integer.graph, 1)
    else:
        arrays = samples.read_inputs(inputs, integer.graph)
    facts, files = pipeline.certify(integer, target, [x[:1] for x in arrays], chosen, port, note=note)
    if certificate is not None:
        about = {"model": facts["model"], "board": board}
        write_directory(certificate, files, about, force=force)
    note_fitting(facts["fitting"])
    if as_json:
        print_json(dict(facts))
        return
    counted = [key for key in _COUNTED if facts.get(key) is not None]
    columns = (
        "index",
        "name",
        "op",
        "kernel",
        "macs",
        *counted,
        "live_bytes",
        "scratch_bytes",
    )
    print_table("", columns, ([layer[key] for key in columns] for layer in facts["layers"]))
    rows = [(key, facts[key]) for key in counted]
    rows += [(key, value) for part in ("memory", "flash") for key, value in facts[part].items()]
    rows += [(key, facts["certificate"][key]) for key in ("stack_bound_bytes", "stack_bound_with_hook_bytes")]
    print_table(
        f"{facts['model']} on {facts['board']} ({facts['core']}, {facts['optimize']})",
        ("", "one inference"),
        rows,
    )
