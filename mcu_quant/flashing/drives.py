"""The drive that a board in its UF2 boot loader is: a file copied there is flashed."""

from __future__ import annotations

import os
import shutil
import string
import sys
from collections.abc import Iterator
from pathlib import Path

from mcu_quant.errors import DeviceError

#: Every UF2 drive has this file (UF2 specification).
_INFO = "INFO_UF2.TXT"


def find_drive(volume: str, dry_run: bool) -> Path:
    """Where it is mounted; for a dry run where it would be. volume: its label. Raises DeviceError."""
    places = list(_places(volume))
    for place in places:
        if (place / _INFO).is_file():
            return place
    if dry_run:
        return places[0]
    raise DeviceError(
        f"the board's drive {volume} must be mounted",
        value=f"no {_INFO} in {', '.join(map(str, places[:3]))}",
        hint="plug the board in with BOOTSEL held (or press reset twice); --drive PATH if it is elsewhere",
    )


def copy_to_drive(image: Path, place: Path) -> None:
    """Flash a UF2 file. Raises DeviceError where no boot loader's drive is, or it does not take the file."""
    hint = "plug the board in with BOOTSEL held (or press reset twice); --drive is where it is mounted then"
    if not (place / _INFO).is_file():
        raise DeviceError(
            "the drive must be that of a UF2 boot loader",
            layer=str(place),
            value=f"no {_INFO} in it",
            hint=hint,
        )
    try:
        shutil.copyfile(image, place / image.name)
    except OSError as error:
        raise DeviceError(
            "the drive must take the file", layer=str(place), value=error.strerror or error, hint=hint
        ) from error


def _places(volume: str) -> Iterator[Path]:
    if sys.platform == "win32":
        yield from (Path(f"{letter}:\\") for letter in string.ascii_uppercase[3:])
    elif sys.platform == "darwin":
        yield Path("/Volumes") / volume
    else:
        user = os.environ.get("USER", "root")
        yield from (
            Path(place) / volume for place in (f"/media/{user}", f"/run/media/{user}", "/media", "/mnt")
        )
