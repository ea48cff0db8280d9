"""`python -m tests.hostile --n 20000`: exit 0 if every damaged file was read, or refused in words, else 1."""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.seeds import write_seeds

#: Of the files. Those with HDF5 in them are read by a child process each, which takes its time.
SHARES = {"tflite": 0.64, "npz": 0.2, "keras": 0.12, "h5": 0.04}
#: Files of one process of atheris, and how often one that was ended by a finding is started again.
PART, RESTARTS = 1500, 5
REGRESSIONS = Path(__file__).with_name("regressions")
#: The most memory that a process has taken counts for the program that it turns into: a large one would leave
#: the target no room (pytest with TensorFlow). A shell, which forks first, forgets it.
_FROM_A_SMALL_PROCESS = ("sh", "-c", '"$@"; exit $?', "sh")
_ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Outcome:
    """tally: what became of how many files. findings: the kept ones, by name, with what was said."""

    tally: Counter[str] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)


def main() -> int:
    options = _options()
    start = time.perf_counter()
    outcome = hunt(options.n, options.seed, options.jobs, options.kinds)
    print(f"{outcome.tally['files']} files in {time.perf_counter() - start:.0f} s")
    for name, count in sorted(outcome.tally.items()):
        print(f"  {count:7} {name}")
    for name, said in outcome.findings.items():
        print(f"FOUND {name} (kept in {REGRESSIONS}):\n{said}")
    print(f"{outcome.tally['findings']} findings, {len(outcome.findings)} kept")
    return 1 if outcome.findings or outcome.tally["findings"] else 0


def hunt(count: int, seed: int, jobs: int, kinds: tuple[str, ...], keep: Path = REGRESSIONS) -> Outcome:
    """So many damaged files of those kinds in all. keep: the directory for those that were not refused."""
    shares = {kind: SHARES[kind] / sum(SHARES[k] for k in kinds) for kind in kinds}
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as text, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        parts = []
        for kind, share in shares.items():
            corpus = Path(text) / kind
            corpus.mkdir()
            write_seeds(kind, corpus)
            files = round(count * share)
            for turn, first in enumerate(range(0, files, PART)):
                folder = Path(text) / f"{kind}_{turn}"
                part = min(PART, files - first)
                parts.append(pool.submit(_part, kind, part, corpus, folder, seed * 1000 + turn))
        for done in concurrent.futures.as_completed(parts):
            tally, found = done.result()
            outcome.tally.update(tally)
            for path, said in found.items():
                keep.mkdir(exist_ok=True)
                shutil.copy(path, keep / path.name)
                outcome.findings[path.name] = said
    return outcome


def _part(
    kind: str, runs: int, corpus: Path, folder: Path, seed: int
) -> tuple[Counter[str], dict[Path, str]]:
    """One process of atheris, and more where a file ends it. Raises CalledProcessError if it cannot run."""
    shutil.copytree(corpus, folder / "corpus")
    tally: Counter[str] = Counter()
    for restart in range(RESTARTS):
        (folder / "tally.json").unlink(missing_ok=True)
        arguments = ["tests.hostile.target", kind, runs - tally["files"], folder, seed + 100_000 * restart]
        done = subprocess.run(
            [*_FROM_A_SMALL_PROCESS, sys.executable, "-m", *map(str, arguments)],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if not (folder / "tally.json").is_file():
            raise RuntimeError(f"atheris did not run:\n{done.stderr[-3000:]}")
        tally.update(json.loads((folder / "tally.json").read_text(encoding="utf-8")))
        if done.returncode == 0:
            break
        tally["findings"] += 1
        (folder / "found" / f"{kind}_process_{restart}.txt").write_text(done.stderr[-4000:], encoding="utf-8")
    return tally, _found(kind, folder / "found")


def _found(kind: str, folder: Path) -> dict[Path, str]:
    """Kept files and what was said of each; libFuzzer's own by their names, with the process's last words."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix != ".txt"]
    processes = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*_process_*.txt")))
    found = {}
    for path in files:
        note = path.with_suffix(".txt")
        said = note.read_text(encoding="utf-8") if note.is_file() else processes
        named = path if path.name.startswith(kind) else path.rename(path.with_name(f"{kind}_{path.name}"))
        found[named] = said
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description="Damaged files.")
    parser.add_argument("--n", type=int, default=20_000, help="files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--kinds", type=_kinds, default=tuple(SHARES), help=f"of {', '.join(SHARES)}")
    return parser.parse_args()


def _kinds(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(SHARES):
        raise argparse.ArgumentTypeError(f"there is no kind {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    sys.exit(main())
