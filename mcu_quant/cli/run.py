"""mcu-quant run: inference by one engine."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import note, print_json


@click.command("run")
@options.MODEL
@click.option(
    "--inputs",
    type=options.PATH,
    required=True,
    help=f"A .npz file: the inputs by name, or in0, in1, …. {options.RAW_OR_REAL}",
)
@click.option("--outputs", type=options.PATH, required=True, help="The .npz file to write: out0, out1, …")
@click.option(
    "--on",
    "engine",
    metavar="ENGINE",
    default="reference",
    show_default=True,
    help="reference, host, or a board's name.",
)
@click.option(
    "--float-outputs", is_flag=True, help="Write real values as float32 instead of raw quantized ones."
)
@options.porting
@options.generating
@options.quantizing
@options.FORCE
@options.JSON
def command(
    model: Path,
    inputs: Path,
    outputs: Path,
    engine: str,
    float_outputs: bool,
    porting: dict[str, Any],
    generating: dict[str, Any],
    quantizing: dict[str, Any],
    force: bool,
    as_json: bool,
) -> None:
    """Run MODEL on every sample of a .npz file."""
    import numpy as np

    from mcu_quant import pipeline, samples
    from mcu_quant.outputs import check_output, write_file

    check_output(outputs, force=force, sources=(inputs, *options.files_read(model, quantizing)))
    port = options.port_options(porting)
    pipeline.require_one_board((engine,), port)
    chosen = options.generate_options(generating)
    integer = options.load_to_generate(model, quantizing, chosen)
    arrays = samples.read_inputs(inputs, integer.graph)
    results = pipeline.engine_named(engine, integer, chosen, port).run(arrays)
    if float_outputs:
        results = [
            samples.dequantize(x, t) for x, t in zip(results, integer.graph.output_tensors(), strict=True)
        ]
    buffer = io.BytesIO()
    np.savez(buffer, **{f"out{k}": samples.without_batch(x) for k, x in enumerate(results)})  # type: ignore[arg-type]
    write_file(outputs, buffer.getvalue(), force=force)
    if as_json:
        shapes = {f"out{k}": list(samples.without_batch(x).shape) for k, x in enumerate(results)}
        print_json(
            {
                "model": str(model),
                "engine": engine,
                "samples": len(arrays[0]),
                "outputs": str(outputs),
                "shapes": shapes,
            }
        )
    else:
        note(f"{outputs}: {len(arrays[0])} samples by {engine}")
