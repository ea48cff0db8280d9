"""mcu-quant verify: every engine against the reference, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import note, print_json


@click.command("verify")
@options.MODEL
@options.INPUTS
@click.option(
    "--on",
    "engines",
    metavar="ENGINE",
    multiple=True,
    help="host or a board's name; may be repeated.  [default: host]",
)
@click.option(
    "--random",
    "count",
    type=click.IntRange(min=0),
    default=8,
    show_default=True,
    help="Without --inputs: this many random samples, and all-min and all-max; with --stream, two windows"
    " at least.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random samples.")
@options.porting
@options.generating
@options.quantizing
@options.JSON
def command(
    model: Path,
    inputs: Path | None,
    engines: tuple[str, ...],
    count: int,
    seed: int,
    porting: dict[str, Any],
    generating: dict[str, Any],
    quantizing: dict[str, Any],
    as_json: bool,
) -> None:
    """Check that engines give the reference's bytes for MODEL (exit 4 if not).

    A board runs on QEMU; with --port it is the board itself, which must run the firmware that was generated
    of MODEL with the same options.
    """
    from mcu_quant import pipeline, samples
    from mcu_quant.errors import BitsDifferError

    port = options.port_options(porting)
    pipeline.require_one_board(engines, port)
    chosen = options.generate_options(generating)
    integer = options.load_to_generate(model, quantizing, chosen)
    if inputs is None:
        arrays = samples.default_inputs(integer.graph, samples.enough_samples(integer.graph, count), seed)
    else:
        arrays = samples.read_inputs(inputs, integer.graph)
    results = pipeline.verify(integer, engines or ("host",), arrays, chosen, port, note=note)
    different = [result for result in results if not result.passed]
    if as_json:
        comparisons = [result.as_json() for result in results]
        print_json(
            {
                "model": str(model),
                "samples": len(arrays[0]),
                "identical": all(result.identical for result in results),
                "passed": not different,
                "engines": comparisons,
            }
        )
    else:
        for result in results:
            print(result)
    if different:
        hint = "please report it, with the model: engines must never differ"
        error = BitsDifferError(
            "all engines must give the reference's bytes",
            value=", ".join(r.engine for r in different),
            hint=hint,
        )
        note(f"error: {error}")
        raise click.exceptions.Exit(error.exit_code)
