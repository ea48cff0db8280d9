"""Trained Keras models to exact, small, fast C for Arm Cortex-M.

import mcu_quant as mq
quantized = mq.quantize("model.keras", representative_dataset=x)
quantized.save("model.tflite")
firmware = mq.generate(quantized, board="mps2_an386", output_dir="firmware")
firmware.verify()
firmware.profile()
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "FloatModel",
    "Generated",
    "McuQuantError",
    "QuantizedModel",
    "affine",
    "compare",
    "diagnose",
    "freeze_statistics",
    "generate",
    "load",
    "load_qat",
    "prepare_qat",
    "quantize",
]

if TYPE_CHECKING:
    from mcu_quant import affine
    from mcu_quant.api import (
        FloatModel,
        Generated,
        QuantizedModel,
        compare,
        diagnose,
        freeze_statistics,
        generate,
        load,
        load_qat,
        prepare_qat,
        quantize,
    )
    from mcu_quant.errors import McuQuantError


def __getattr__(name: str) -> object:
    """The public names, imported when first used: `mcu-quant --help` needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name == "affine":
        return import_module("mcu_quant.affine")
    module = "mcu_quant.errors" if name == "McuQuantError" else "mcu_quant.api"
    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)


class _Package(ModuleType):
    """Importing the stage mcu_quant.quantize must not hide the function mcu_quant.quantize."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
