"""One process of atheris: `python -m tests.hostile.target KIND RUNS FOLDER SEED`.

FOLDER has `corpus`; `found` gets what went wrong, a file and its traceback each, and `tally.json` the counts.
A file that takes more than SECONDS or MEGABYTES ends the process: libFuzzer keeps it there, too.
"""

from __future__ import annotations

import random
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import atheris

#: What reads files, and what is made of them: the parts of mcu_quant whose branches guide the fuzzer.
#: (Those that run in child processes import TensorFlow or HDF5.)
_GUIDING = ("importers", "passes", "quantize", "optimize", "ops", "cli", "pipeline", "npz", "samples")

with atheris.instrument_imports(include=["mcu_quant"]):
    for _name in _GUIDING:
        _part = import_module(f"mcu_quant.{_name}")
        for _module in walk_packages(getattr(_part, "__path__", ()), f"mcu_quant.{_name}."):
            if not _module.name.endswith("_reader"):
                import_module(_module.name)

from tests.hostile.judge import MEGABYTES, SECONDS, Target  # noqa: E402
from tests.hostile.mutate import mutated  # noqa: E402


def main() -> None:
    kind, runs, folder, seed = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    rng = random.Random(seed)

    def mutator(data: bytes, max_size: int, mutation_seed: int) -> bytes:
        rng.seed(mutation_seed ^ seed)
        return mutated(bytes(data), kind, rng)[:max_size]

    work = folder / "work"
    work.mkdir(exist_ok=True)
    target = Target(kind, folder, work)
    options = [
        f"-runs={runs}",
        f"-seed={seed + 1}",
        f"-timeout={SECONDS}",
        f"-rss_limit_mb={MEGABYTES}",
        "-max_len=65536",
        "-verbosity=0",
        f"-artifact_prefix={folder / 'found'}/",
    ]
    atheris.Setup([sys.argv[0], *options, str(folder / "corpus")], target, custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
