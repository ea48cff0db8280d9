"""Zip archives that we do not trust: .keras and .npz."""

from __future__ import annotations

import struct
import zipfile
import zlib

#: What zipfile and zlib make of damage, while an archive is opened and while its members are read.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, OverflowError),
    *(NotImplementedError, RuntimeError, LookupError, MemoryError),
)
