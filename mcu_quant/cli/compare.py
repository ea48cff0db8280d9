"""mcu-quant compare: the techniques side by side, and which to take."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcu_quant.choices import IO_TYPES
from mcu_quant.cli import _options as options
from mcu_quant.cli._output import note, phases, print_json, print_table

if TYPE_CHECKING:
    from mcu_quant.comparison import Comparison


@click.command("compare")
@options.MODEL
@options.DATA
@options.TEST
@click.option("--board", help="The board to measure on; `mcu-quant boards` lists them.")
@click.option(
    "--techniques",
    metavar="LIST",
    help="What to compare, separated by commas: TECHNIQUE[+per-tensor][+CALIBRATION][+REPAIR…], as in "
    "int8,int8+per-tensor. By default all techniques.",
)
@options.METRIC
@click.option(
    "--also",
    type=options.PATH,
    multiple=True,
    metavar="FILE",
    help="A .tflite file to compare too, or a .keras model that was trained with quantization.",
)
@click.option(
    "--max-loss",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="PERCENT",
    help="What accuracy may be lost, in points of top-1 or AUC, or in percent of MSE.",
)
@options.generating
@click.option("--input-type", type=click.Choice(IO_TYPES), help="By default that of the activations.")
@click.option("--output-type", type=click.Choice(IO_TYPES), help="By default that of the activations.")
@options.JSON
def command(
    model: Path,
    data: Path | None,
    test: Path | None,
    board: str | None,
    techniques: str | None,
    metric: str | None,
    also: tuple[Path, ...],
    max_loss: float,
    generating: dict[str, Any],
    input_type: str | None,
    output_type: str | None,
    as_json: bool,
) -> None:
    """Quantize a float MODEL by each technique and show what each costs and keeps.

    Ends with advice: which one to take, and why, with its numbers. Accuracy is measured on --test; without
    it, agreement with the float model on the calibration samples.
    """
    from mcu_quant import api

    with phases() as progress:
        result = api.compare(
            options.float_model(model),
            data,
            test=test,
            board=board,
            techniques=None if techniques is None else techniques.split(","),
            metric=metric,
            also=options.named_files(also),
            max_loss=max_loss,
            input_type=input_type,
            output_type=output_type,
            generating=options.generate_options(generating),
            progress=progress,
        )
    if as_json:
        print_json(result.as_json() | {"model": str(model)})
    else:
        _show(str(model), result)


def _show(model: str, result: Comparison) -> None:
    from mcu_quant.comparison.table import COST_COLUMNS, QUALITY_COLUMNS, cells, unmeasured

    columns = ["", *QUALITY_COLUMNS, "file_bytes"]
    columns += [] if result.board is None else COST_COLUMNS
    print_table(_title(model, result), columns, cells(result, columns[1:]))
    for text in unmeasured(result):
        note(text)
    _say(result.advice.steps)


def _say(steps: Iterable[str]) -> None:
    click.echo()
    for step in steps:
        click.echo(step)


def _title(model: str, result: Comparison) -> str:
    source = result.measured_on
    measured = "" if source is None else f", {result.samples:,} samples of {source} data"
    board = "" if result.board is None else f" on {result.board} ({result.core})"
    return f"{model}{board}{measured}"
