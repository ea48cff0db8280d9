"""Compare the techniques on the published models and put the tables into docs/QUANTIZATION.md.

    python tools/quantization_tables.py [--board BOARD] [--techniques LIST] [--qat DIRECTORY] [MODEL ...]

Models and data are at ../shared. --qat: a directory with MODEL_qat.keras, made by
tools/train_quantized.py; it is a row named "QAT". Each model is calibrated with 200 training samples.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from measure import ROOT, SHARED, versions, write_between
from quantization_data import MODELS

import mcu_quant as mq
from mcu_quant.comparison import Comparison
from mcu_quant.comparison.table import markdown, unmeasured

BEGIN, END = "<!-- measured by tools/quantization_tables.py -->", "<!-- end -->"


def compare(model: str, board: str, techniques: list[str] | None, qat: Path | None) -> Comparison:
    calibration, _, (x, y) = MODELS[model]()
    also: dict[str, Path] = {}
    if qat is not None and (trained := qat / f"{model}_qat.keras").exists():
        also["QAT"] = trained
    return mq.compare(
        SHARED / "models" / f"{model}.keras",
        calibration,
        test={"x": x, "y": y},
        board=board,
        techniques=techniques,
        also=also,
        progress=lambda what, done, total: done or print(model, what, file=sys.stderr),
    )


def section(model: str, result: Comparison) -> str:
    lines = [f"**{model}** on {result.board} ({result.core}), {result.samples:,} test samples:", ""]
    lines += [markdown(result), *(f"{text}  " for text in unmeasured(result)), " ".join(result.advice.steps)]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(MODELS))
    parser.add_argument("--board", default="mps2_an386")
    parser.add_argument("--techniques", help="as for `mcu-quant compare`")
    parser.add_argument("--qat", type=Path)
    parser.add_argument("--print", action="store_true", help="print the tables and change no file")
    arguments = parser.parse_args()
    chosen = None if arguments.techniques is None else arguments.techniques.split(",")
    models = arguments.models or list(MODELS)
    results = {m: compare(m, arguments.board, chosen, arguments.qat) for m in models}
    body = "\n".join([*(section(m, r) for m, r in results.items()), f"{versions()}."])
    if arguments.print:
        print(body)
    else:
        write_between(ROOT / "docs" / "QUANTIZATION.md", BEGIN, END, body)


if __name__ == "__main__":
    main()
