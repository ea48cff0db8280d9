"""mcu-quant quantize: a float model to an integer .tflite file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import note, print_json


@click.command("quantize")
@options.MODEL
@click.option("-o", "--output", type=options.PATH, required=True, help="The .tflite file to write.")
@options.quantizing
@options.FORCE
@options.JSON
def command(model: Path, output: Path, quantizing: dict[str, Any], force: bool, as_json: bool) -> None:
    """Quantize a Keras MODEL to a standard .tflite file."""
    from mcu_quant.c_names import c_name
    from mcu_quant.outputs import check_output, write_file

    check_output(output, force=force, sources=(model, quantizing["data"]))
    quantized = options.quantize_graph(
        options.float_model(model).graph, model, quantizing, c_name(model.stem)
    )
    write_file(output, quantized.data, force=force)
    facts = {
        "model": str(model),
        "output": str(output),
        "bytes": len(quantized.data),
        "fingerprint": quantized.fingerprint,
        "technique": quantizing["technique"],
        "layers": len(quantized.graph.nodes),
    }
    if as_json:
        print_json(facts)
    else:
        note(f"{output}: {len(quantized.data):,} bytes, {len(quantized.graph.nodes)} layers")
