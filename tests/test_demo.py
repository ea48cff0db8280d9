"""The README's demo, whole."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import only_json
from tests.conftest import Run

pytestmark = [pytest.mark.slow, pytest.mark.qemu]


def test_demo(tmp_path: Path, mcu_quant: Run) -> None:
    if not all(importlib.util.find_spec(name) for name in ("tensorflow", "sklearn")):
        pytest.skip("the demo's packages are not installed: pip install 'mcu-quant[demo]'")
    done = mcu_quant("demo", "-o", tmp_path / "demo", "--json", timeout=280)
    assert done.returncode == 0, done.stderr
    facts = only_json(done)
    assert facts["comparison"]["identical"] and facts["comparison"]["samples"] == facts["test_images"] == 360
    assert facts["board_correct"] == facts["reference_correct"]
    # Some 98 %; another TensorFlow trains another model, and 8 bits move an image or two.
    assert facts["float_correct"] >= 340 and facts["board_correct"] >= facts["float_correct"] - 7
    printed = subprocess.run(
        ["make", "-s", "-C", facts["project"], "run"], capture_output=True, text=True, check=True
    )
    # QEMU's console for semihosting is its stderr.
    assert printed.stderr.endswith("this looks like a 0\nthis looks like a 1\nthis looks like a 7\n")


def test_demo_says_what_to_install(tmp_path: Path, mcu_quant: Run) -> None:
    done = mcu_quant("demo", "-o", tmp_path / "demo", env={"PATH": str(tmp_path)})
    assert done.returncode == 5 and not (tmp_path / "demo").exists()
    assert "qemu-system-arm" in done.stderr and "arm-none-eabi-gcc" in done.stderr
