"""One file given to the command line, in this process: what comes of it, and what is kept of it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import resource
import sys
import traceback
from collections import Counter
from pathlib import Path

import mcu_quant.cli
from tests import tiny_models

SECONDS, MEGABYTES = 10, 1024
#: 0 done, 2 refused, 3 does not fit: all else is a defect.
EXPECTED = (0, 2, 3)
#: So many findings of one kind are kept.
_KEPT = 3
_TALLY_EVERY = 10


class Target:
    """folder: for findings. The commands that are run change with the file, by its bytes."""

    def __init__(self, kind: str, folder: Path, work: Path) -> None:
        self.kind, self.folder, self.work = kind, folder, work
        self.tally: Counter[str] = Counter()
        self.findings: Counter[str] = Counter()
        self.model = tiny_models.dense(work / "dense.keras")
        (folder / "found").mkdir(exist_ok=True)

    def __call__(self, data: bytes) -> None:
        path = self.work / f"file.{self.kind}"
        path.write_bytes(data)
        arguments = command(self.kind, path, self.model, self.work, len(data))
        code, said, error = run(arguments)
        self.tally["files"] += 1
        self.tally[f"exit {code}"] += 1
        if code not in EXPECTED or (code and not said.strip()) or error:
            self.keep(data, arguments, f"exit {code}\n{said[-2000:]}\n{error}")
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        if children > MEGABYTES * 1024:
            self.keep(data, arguments, f"a child process took {children} KiB")
        if self.tally["files"] % _TALLY_EVERY == 0:
            self.write_tally()

    def keep(self, data: bytes, arguments: list[str], what: str) -> None:
        lines = [line for line in what.strip().splitlines() if line.strip()]
        where = [line for line in lines if line.lstrip().startswith("File ")]
        sort = f"{where[-1] if where else ''} {lines[-1].split(':')[0] if lines else ''}"
        self.findings[sort] += 1
        self.tally["findings"] += 1
        if self.findings[sort] <= _KEPT:
            path = self.folder / "found" / f"{self.kind}_{hashlib.sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            path.with_suffix(".txt").write_text(f"{' '.join(arguments)}\n{what}\n", encoding="utf-8")

    def write_tally(self) -> None:
        (self.folder / "tally.json").write_text(json.dumps(self.tally), encoding="utf-8")


def command(kind: str, path: Path, model: Path, work: Path, turn: int) -> list[str]:
    """What a user would do with a file of that kind first, or second. turn: which of these."""
    out = work / "out"
    if kind == "npz":
        data = ["quantize", model, "-o", out.with_suffix(".tflite"), "--data", path, "--force"]
        inputs = ["inspect", model, "--data", path]
        return [str(part) for part in (data if turn % 2 else inputs)]
    if kind == "tflite" and turn % 2:
        return ["generate", str(path), "--target", "cortex-m4", "-o", str(out), "--name", "net", "--force"]
    if kind != "tflite" and turn % 4 == 0:
        return ["quantize", str(path), "-o", f"{out}.tflite", "--technique", "float32", "--force"]
    return ["inspect", str(path), *(["--json"] if turn % 3 == 0 else [])]


def run(arguments: list[str]) -> tuple[int, str, str]:
    """(exit code, what was said, the traceback of what was not caught) of the command line."""
    said = io.StringIO()
    saved, sys.argv = sys.argv, ["mcu-quant", *arguments]
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            mcu_quant.cli.main()
    except SystemExit as done:
        return int(done.code or 0), said.getvalue(), ""
    except BaseException:
        return 1, said.getvalue(), traceback.format_exc()
    finally:
        sys.argv = saved
    raise AssertionError("main returns")
