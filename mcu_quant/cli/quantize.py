"""mcu-quant quantize: a float model to an integer .tflite file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import note, print_json

if TYPE_CHECKING:
    from mcu_quant.ir import Graph


@click.command("quantize")
@options.MODEL
@click.option("-o", "--output", type=options.PATH, required=True, help="The .tflite file to write.")
@options.quantizing
@options.streaming
@options.FORCE
@options.JSON
def command(
    model: Path,
    output: Path,
    quantizing: dict[str, Any],
    stream: int | None,
    hop: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Quantize a Keras MODEL to a standard .tflite file.

    With --stream the file takes frame after frame and keeps what it needs of earlier ones in variables; then
    MODEL may be a .tflite file, too.
    """
    from mcu_quant import pipeline
    from mcu_quant.c_names import c_name
    from mcu_quant.deployment import GenerateOptions
    from mcu_quant.outputs import check_output, write_file

    check_output(output, force=force, sources=options.files_read(model, quantizing))
    chosen = GenerateOptions(stream=stream, hop=hop)
    if stream is not None:
        quantized = pipeline.streaming_file(options.load_integer_model(model, quantizing), chosen)
    else:
        graph = options.float_model(model).graph
        quantized = options.quantize_graph(graph, model, quantizing, c_name(model.stem))
    write_file(output, quantized.data, force=force)
    facts: dict[str, Any] = {
        "model": str(model),
        "output": str(output),
        "bytes": len(quantized.data),
        "fingerprint": quantized.fingerprint,
        "technique": quantizing["technique"],
        "layers": len(quantized.graph.nodes),
        "float_layers": _float_layers(quantized.graph),
    }
    if quantizing["allow_float"]:
        note(f"in float32: {', '.join(facts['float_layers']) or 'no layer'}")
    if as_json:
        print_json(facts)
    else:
        note(f"{output}: {len(quantized.data):,} bytes, {len(quantized.graph.nodes)} layers")


def _float_layers(graph: Graph) -> list[str]:
    """Their names; what the user sees in another type has a type behind its name."""
    from mcu_quant.ops.forms import FLOAT_FORMS, form_of

    return [
        node.name.removesuffix("/float32") for node in graph.bound_nodes() if form_of(node) in FLOAT_FORMS
    ]
