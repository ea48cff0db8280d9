"""`python -m tests.hunter --n 1000`: exit 0 if every engine agreed on every case, else 1."""

from __future__ import annotations

import argparse
import concurrent.futures
import multiprocessing
import os
import sys
import time

from tests.hunter.hunt import Plan, Report, describe, hunt


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.hunter", description="Random models, every engine."
    )
    parser.add_argument("--n", type=int, default=1000, help="cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--qemu-share", type=float, default=0.02, help="of the cases, on QEMU too")
    parser.add_argument(
        "--keras-share", type=float, default=0.02, help="of the Keras models, run by Keras too"
    )
    parser.add_argument("--no-host", action="store_true", help="leave out the C on this machine")
    options = parser.parse_args()
    plans = [
        Plan(
            cases=options.n // options.jobs + (job < options.n % options.jobs),
            seed=options.seed * 1000 + job,
            host=not options.no_host,
            qemu_share=options.qemu_share,
            keras_share=options.keras_share,
        )
        for job in range(options.jobs)
    ]
    start = time.perf_counter()
    report = Report()
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        for part in pool.map(hunt, plans):
            report.update(part)
    print(describe(report, time.perf_counter() - start))
    return 1 if report.failed() else 0


if __name__ == "__main__":
    sys.exit(main())
