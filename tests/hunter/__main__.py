"""`python -m tests.hunter --n 1000`: exit 0 if every engine agreed on every case, else 1."""

from __future__ import annotations

import argparse
import concurrent.futures
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence

from mcu_quant.kernels.base import CORES
from tests.hunter.check import BOARDS
from tests.hunter.hunt import (
    HOST_CORES,
    KINDS,
    QEMU_CORES,
    Plan,
    Report,
    describe,
    hunt,
    never_used,
    plans_for,
)


def main() -> int:
    options = _options()
    plan = Plan(
        cases=0,
        seed=options.seed,
        host_cores=() if options.no_host else options.cores or HOST_CORES,
        qemu_cores=tuple(core for core in options.cores or QEMU_CORES if core in BOARDS),
        qemu_share=options.qemu_share,
        keras_share=options.keras_share,
        ram_share=options.ram_share,
        most_failures=options.failures,
        only=options.only,
    )
    start = time.perf_counter()
    report = _run(plans_for(options.n, plan), options.jobs)
    print(describe(report, time.perf_counter() - start))
    unused = never_used(report, plan)
    print(f"kernels that no case used: {', '.join(unused) or 'none'}")
    return 1 if report.failed() else 0


def _run(plans: Sequence[Plan], jobs: int) -> Report:
    report, done = Report(), 0
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context) as pool:
        parts = {pool.submit(hunt, plan): plan for plan in plans}
        for part in concurrent.futures.as_completed(parts):
            done += parts[part].cases
            print(f"{done} cases, {len(part.result().mismatches)} mismatches here", file=sys.stderr)
        for part in parts:
            report.update(part.result())
    return report


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.hunter", description="Random models, every engine."
    )
    parser.add_argument("--n", type=int, default=1000, help="cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument(
        "--cores", type=_cores, help=f"of {', '.join(CORES)}; these on QEMU too: {', '.join(QEMU_CORES)}"
    )
    parser.add_argument("--qemu-share", type=float, default=0.25, help="of the cases, on QEMU too")
    parser.add_argument(
        "--keras-share", type=float, default=0.02, help="of the Keras models, run by Keras too"
    )
    parser.add_argument(
        "--ram-share", type=float, default=0.25, help="of the cases, once more with a limit of RAM"
    )
    parser.add_argument("--only", choices=list(KINDS), help="cases of this kind alone")
    parser.add_argument("--no-host", action="store_true", help="leave out the C on this machine")
    parser.add_argument("--failures", type=int, default=10, help="end some hundred cases after so many")
    return parser.parse_args()


def _cores(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in CORES]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no core {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
