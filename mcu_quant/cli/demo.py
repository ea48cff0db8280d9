"""mcu-quant demo: handwritten digits, from training to firmware on QEMU."""

from __future__ import annotations

from pathlib import Path

import click

from mcu_quant.cli import _options as options
from mcu_quant.cli._output import note, print_json, print_table


@click.command("demo")
@click.option(
    "-o",
    "--output",
    type=options.PATH,
    default=Path("mcu-quant-demo"),
    show_default=True,
    help="The directory to write.",
)
@click.option("--board", default="mps2_an386", show_default=True, help="The board to run on.")
@options.FORCE
@options.JSON
def command(output: Path, board: str, force: bool, as_json: bool) -> None:
    """Train on real handwritten digits, quantize, generate, and run every test image on QEMU."""
    from mcu_quant.demo import run_demo
    from mcu_quant.errors import BitsDifferError

    facts = run_demo(output, board, force=force, say=note)
    comparison = facts["comparison"]
    if as_json:
        print_json(facts)
    else:
        images = facts["test_images"]
        rows = [
            (f"accuracy, {where}", f"{correct} of {images} ({correct / images:.1%})")
            for where, correct in (
                ("float (Keras)", facts["float_correct"]),
                ("int8 reference (Python)", facts["reference_correct"]),
                (f"firmware ({board} on QEMU)", facts["board_correct"]),
            )
        ]
        same = comparison["elements"] - comparison["mismatches"]
        memory, flash = facts["memory"], facts["flash"]
        rows += [
            ("output bytes identical, firmware and reference", f"{same:,} of {comparison['elements']:,}"),
            (
                "RAM",
                f"{memory['ram_bytes']:,} bytes "
                f"(arena {memory['arena_bytes']:,}, stack {memory['stack_bytes']:,})",
            ),
            (
                "flash",
                f"{flash['model_bytes']:,} bytes "
                f"(code {flash['code_bytes']:,}, constants {flash['const_bytes']:,})",
            ),
            ("instructions per inference", f"{facts['instructions']:,}"),
            ("model", facts["model"]),
            ("firmware project", facts["project"]),
        ]
        print_table("", ("", ""), rows)
    if not comparison["identical"]:
        raise BitsDifferError(
            "the firmware must give the reference's bytes", value=f"{comparison['mismatches']} differ"
        )
