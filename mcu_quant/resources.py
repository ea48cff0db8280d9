"""Where templates, boards and examples are: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_data"


def directory(name: str) -> Path:
    """The directory of that name: "templates", "boards" or "firmware_examples"."""
    root = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
    path = root / name
    if not path.is_dir():
        raise FileNotFoundError(f"mcu_quant is installed without its {name} directory ({path})")
    return path
