"""mcu-quant diagnose: what quantization did to each layer, which are to blame, and what helps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import note, phases, print_json, print_table

if TYPE_CHECKING:
    from mcu_quant.diagnosis import Diagnosis
    from mcu_quant.diagnosis.search import Search


@click.command("diagnose")
@options.MODEL
@options.quantizing
@options.TEST
@options.METRIC
@click.option(
    "--html", type=options.PATH, metavar="FILE", help="Write a report with plots there, in one file."
)
@click.option("--auto", is_flag=True, help="Try remedies on calibration data, and show which are worth it.")
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=12,
    show_default=True,
    help="How many remedies --auto may try.",
)
@click.option("--board", help="The board that --auto measures on; without it, cycles are estimated.")
@options.FORCE
@options.JSON
def command(
    model: Path,
    quantizing: dict[str, Any],
    test: Path | None,
    metric: str | None,
    html: Path | None,
    auto: bool,
    budget: int,
    board: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Quantize a float MODEL and show what that did to each layer.

    Figures are of the samples of --test, or of the calibration samples without it. Faults name the layers
    that cost accuracy, and what helps; docs/QUANTIZATION.md has the rules.
    """
    from mcu_quant import api
    from mcu_quant.errors import InvalidInputError
    from mcu_quant.outputs import check_output

    if html is not None:
        check_output(html, force=force, sources=(test, *options.files_read(model, quantizing)))
    if board is not None and not auto:
        raise InvalidInputError(
            "--board is what --auto measures on", value=board, hint="--auto too, or no --board"
        )
    arguments = dict(quantizing)
    data = arguments.pop("data")
    source = options.float_model(model)
    calibrated = source.graph.trained is None and not options.quantize_options(quantizing).is_float
    if data is None and (calibrated or auto or test is None):
        raise options.needs_data(model)
    with phases() as progress:
        found = api.diagnose(
            source,
            data,
            test=test,
            metric=metric,
            auto=auto,
            budget=budget,
            board=board,
            progress=progress,
            **arguments,
        )
    if html is not None:
        found.save_html(html, force=force)
        note(f"{html}: the report")
    if as_json:
        print_json(found.as_json() | {"model": str(model)})
    else:
        _show(str(model), found)
        if found.search is not None:
            _show_search(found.search)


def _show(model: str, found: Diagnosis) -> None:
    columns = ["layer", "op", "sqnr_db", "cosine", "max_error", "saturated", "dead", "constant"]
    columns += ["weights_spread", "alone_db", "noise"]
    rows = [
        (
            layer.name,
            layer.op,
            _number(layer.sqnr_db, ".1f"),
            _number(layer.cosine, ".4f"),
            f"{layer.max_error:.3g}",
            _percent(layer.saturation),
            str(len(layer.dead)),
            str(len(layer.constant)),
            _number(None if layer.weights is None else layer.weights.spread, ".1f"),
            _number(layer.output_sqnr_db, ".1f"),
            _percent(layer.noise_share),
        )
        for layer in found.layers
    ]
    print_table(_title(model, found), columns, rows, right=columns[2:])
    _show_output(found)
    faults = [(f.layer or "the model", f.rule, f.evidence, f.remedy) for f in found.faults]
    if faults:
        print_table("Likely culprits", ("layer", "rule", "evidence", "remedy"), faults)
    else:
        click.echo("No layer is at fault.")
    for finding in found.findings:
        if finding.severity == "note":
            note(f"{finding.layer}: {finding.rule.replace('_', ' ')}: {finding.evidence}")


def _show_output(found: Diagnosis) -> None:
    fidelity, before = found.observed.fidelity, found.observed.float_accuracy
    rows = [("SQNR, dB", _number(fidelity.sqnr_db, ".1f") or "exact")]
    if fidelity.agreement is not None:
        rows.append(("the float model's class", str(fidelity.agreement)))
    if fidelity.accuracy is not None:
        rows.append((f"{fidelity.accuracy.metric}, float", str(before)))
        rows.append((f"{fidelity.accuracy.metric}, quantized", str(fidelity.accuracy)))
    worst = [str(sample["index"]) for sample in found.observed.worst]
    rows.append(("worst samples", ", ".join(worst)))
    print_table("", ("output", ""), rows)


def _show_search(search: Search) -> None:
    columns = ["remedy", "best", "sqnr_db", "agreement", "accuracy", "file_bytes", search.cost_name]
    rows = [
        (
            trial.name,
            "*" if trial.name in search.front else "",
            _number(trial.fidelity.sqnr_db, ".1f"),
            "" if trial.fidelity.agreement is None else str(trial.fidelity.agreement),
            "" if trial.fidelity.accuracy is None else str(trial.fidelity.accuracy),
            f"{trial.file_bytes:,}",
            "" if trial.cost is None else f"{trial.cost:,}",
        )
        for trial in search.trials
    ]
    print_table(
        f"Remedies, on {search.samples:,} calibration samples that were not calibrated with",
        columns,
        rows,
        right=["sqnr_db", "file_bytes", search.cost_name],
    )
    click.echo("* nothing that was tried is better in accuracy, bytes and time at once")


def _title(model: str, found: Diagnosis) -> str:
    from mcu_quant.evaluation.candidates import name_of

    count, source = found.observed.samples, found.measured_on
    return f"{model} as {name_of(found.options)}, {count:,} samples of {source} data"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share else "0"
