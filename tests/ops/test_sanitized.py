"""The C checks of every operator's cases once more, under the address and undefined sanitizers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_kernels_are_silent_under_sanitizers() -> None:
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    found = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    library = found.stdout.strip()
    if not Path(library).is_absolute():
        pytest.skip("gcc has no address sanitizer here")
    environment = {
        **os.environ,
        "MCU_QUANT_SANITIZE": "1",
        "CC": "gcc",
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/ops"]
    wanted = "(c_equals_reference or c_overlapped or random or difference or 512)"
    command += ["-k", f"{wanted} and not oracle and not sanitize"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout
