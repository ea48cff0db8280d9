"""mcu-quant inspect: what a model is made of, and what will become of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import note, note_fitting, print_json, print_table

if TYPE_CHECKING:
    from mcu_quant.ir import Graph


@click.command("inspect")
@options.MODEL
@click.option(
    "--target", metavar="CORE", default="generic", show_default=True, help="The core to choose kernels for."
)
@options.generating
@options.quantizing
@options.JSON
def command(
    model: Path, target: str, generating: dict[str, Any], quantizing: dict[str, Any], as_json: bool
) -> None:
    """Show MODEL's layers, shapes, MACs, parameters, kernels, planned RAM and flash, and what is unsupported.

    A float model is shown as it will be after quantizing; its scales and zero_points are known only with
    --data. Exits with 2 if something is unsupported, with 3 if the arena is larger than --ram.
    """
    facts = {"model": str(model)} | _facts(model, target, generating, quantizing)
    if as_json:
        print_json(facts)
    else:
        _show(facts)
    if not facts.get("calibrated", True):
        note("scales and zero_points are not known without --data; sizes do not depend on them")
    if facts["unsupported"]:
        raise click.exceptions.Exit(2)
    note_fitting(facts["fitting"])
    _require_ram(facts, generating["ram"])


def _require_ram(facts: dict[str, Any], ram: int | None) -> None:
    from mcu_quant import pipeline
    from mcu_quant.errors import DoesNotFitError

    try:
        pipeline.require_ram(facts["model"], facts["memory"]["arena_bytes"], ram)
    except DoesNotFitError as error:
        note(f"error: {error}")
        raise click.exceptions.Exit(error.exit_code) from error


def _facts(path: Path, target: str, generating: dict[str, Any], quantizing: dict[str, Any]) -> dict[str, Any]:
    from mcu_quant import inspection, pipeline
    from mcu_quant.errors import UnsupportedModelError

    core, chosen = pipeline.core_named(target), options.generate_options(generating)
    try:
        loaded = pipeline.load(path)
        if isinstance(loaded, pipeline.TfliteModel):
            integer, kind, calibrated = options.load_integer_model(path, quantizing), "tflite", True
        else:
            integer, kind = _quantized(loaded, path, quantizing), "float"
            needs_none = options.quantize_options(quantizing).is_float or loaded.trained is not None
            calibrated = quantizing["data"] is not None or needs_none
        integer = pipeline.streamed(integer, chosen)
    except UnsupportedModelError as error:
        return {"unsupported": inspection.problems_json(error.problems)}
    facts = inspection.inspect_integer(integer, core, chosen)
    if not calibrated:
        facts = inspection.without_quantization(facts)
    return {"kind": kind, "calibrated": calibrated} | facts


def _quantized(graph: Graph, path: Path, quantizing: dict[str, Any]) -> Any:
    from mcu_quant import inspection, pipeline
    from mcu_quant.c_names import c_name

    chosen = options.quantize_options(quantizing)
    if quantizing["data"] is not None or chosen.is_float:
        return options.quantize_graph(graph, path, quantizing, c_name(path.stem))
    return pipeline.quantize(graph, inspection.synthetic_samples(graph), chosen)


def _count(facts: dict[str, Any], key: str) -> str:
    """What is computed, and of how much, where exact rewrites left something out."""
    before = facts.get(f"original_{key}", facts[key])
    rest = "" if before == facts[key] else f" of {before:,}: the rest changes no output"
    return f"{facts[key]:,}{rest}"


def _indices(tensor: dict[str, Any]) -> str:
    """Of an input of indices: within what they are."""
    return ", indices from {} to {}".format(*tensor["indices"]) if "indices" in tensor else ""


def _streaming(facts: dict[str, Any] | None) -> list[tuple[str, str]]:
    if facts is None:
        return []
    hop = f"{facts['hop']} of {facts['window_frames']} frames along axis {facts['axis']}"
    rows = [("streams, in each run", hop)]
    for index, part in enumerate(facts["output_rows"]):
        if part is not None:
            text = f"rows {part['first']} to {part['end'] - 1} of the window's, along axis {part['axis']}"
            rows.append((f"output {index}", text))
    return rows + [("computed over the whole window", name) for name in facts["whole_window"]]


def _show(facts: dict[str, Any]) -> None:
    from mcu_quant.errors import Problem

    if "layers" in facts:
        columns = [
            "index",
            "name",
            "op",
            "kernel",
            "type",
            "output_shape",
            "removed_channels",
            "macs",
            "parameters",
            "live_bytes",
            "const_bytes",
        ]
        columns = [key for key in columns if key in facts["layers"][0]] if facts["layers"] else columns
        print_table(facts["model"], columns, ([layer[key] for key in columns] for layer in facts["layers"]))
        rows = [(f"input {t['name']}", f"{t['type']} {t['shape']}{_indices(t)}") for t in facts["inputs"]]
        rows += [(f"output {t['name']}", f"{t['type']} {t['shape']}") for t in facts["outputs"]]
        rows += [
            (title, _count(facts, key)) for title, key in (("MACs", "macs"), ("parameters", "parameters"))
        ]
        if "memory" in facts:
            memory = facts["memory"]
            rows += [("planned arena (RAM)", f"{memory['arena_bytes']:,} bytes")]
            if fast := memory["fast_arena_bytes"]:
                rows += [("planned fast arena (RAM)", f"{fast:,} bytes")]
            if state := memory["state_bytes"]:
                rows += [("state from run to run (RAM)", f"{state:,} bytes")]
            gap = memory["arena_bytes"] + memory["fast_arena_bytes"] - memory["lower_bound"]
            rows += [
                ("no arena is below", f"{memory['lower_bound']:,} bytes, {gap:,} less"),
                ("largest set live at once without overlap", f"{memory['disjoint_bytes']:,} bytes"),
            ]
            rows += [("planned tables (flash)", f"{facts['flash']['const_bytes']:,} bytes")]
        rows += _streaming(facts.get("streaming"))
        print_table("", ("", ""), rows)
    for problem in facts["unsupported"]:
        note(f"unsupported: {Problem(**problem)}")
