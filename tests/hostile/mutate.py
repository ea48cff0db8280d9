"""Damage that gets past the first check: words of a flatbuffer, members of an archive, values of a config."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from typing import Any

#: Sizes, counts and positions that overflow something, or nothing.
EXTREME_WORDS = [
    struct.pack("<I", word)
    for word in (0, 1, 2, 0x7F, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
]
EXTREME_VALUES: list[Any] = [
    *(None, True, False, "", "\x00", "none", "channels_first", [], {}, [[]], -1, 0, 1, 2, 3, 7, 1000),
    *(2**31, 2**63, -(2**63), 10**400, 1e308, -1e308, 0.5, 1e-320, float("nan"), float("inf")),
    *([None], [1, 2, 3, 4, 5, 6, 7], [2**31, 2**31], {"class_name": "Dense", "config": {}}),
]


def mutated(data: bytes, kind: str, rng: random.Random) -> bytes:
    """One to three changes of a file. Never raises: what is no archive any more is changed as bytes."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        is_archive = kind in ("keras", "npz") and rng.random() < 0.8
        data = _archive(data, rng) if is_archive else _bytes(data, rng)
    return data


def _bytes(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return b"\x00"
    changed = bytearray(data)
    position = rng.randrange(len(changed))
    kind = rng.randrange(8)
    if kind == 0:
        return data[:position]
    if kind == 1:  # a piece again, elsewhere or over something
        start = rng.randrange(len(changed))
        piece = changed[start : start + rng.randrange(1, 65)]
        changed[position : position + rng.choice((0, len(piece)))] = piece
    elif kind == 2:
        del changed[position : position + rng.randrange(1, 17)]
    elif kind in (3, 4):
        changed[position] = rng.choice((0, 1, 2, 3, 5, 127, 128, 255, rng.randrange(256)))
    elif kind == 5:
        changed[position] ^= 1 << rng.randrange(8)
    else:
        aligned = position // 4 * 4
        changed[aligned : aligned + 4] = rng.choice(EXTREME_WORDS)
    return bytes(changed)


def _archive(data: bytes, rng: random.Random) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # whatever a damaged archive makes of zipfile
        return _bytes(data, rng)
    if not members:
        return _bytes(data, rng)
    name = rng.choice(sorted(members))
    content = members.pop(name)
    if rng.random() < 0.9:
        json_like = name.endswith(".json") and rng.random() < 0.9
        members[name] = _config(content, rng) if json_like else _bytes(content, rng)
    memory = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(memory, "w", method) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return memory.getvalue()


def _config(text: bytes, rng: random.Random) -> bytes:
    """A value of the document, anywhere in it, replaced, dropped, doubled or nested deeply."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return _bytes(text, rng)
    places = list(_places(document))
    if not places:
        return _bytes(text, rng)
    holder, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), holder[key])
    elif kind == 2:
        other, at = rng.choice(places)
        holder[key] = json.loads(json.dumps(other[at]))
    elif kind == 3 and rng.random() < 0.1:
        return json.dumps(document).encode().replace(b"[", b"[" * 3000, 1)
    else:
        holder[key] = rng.choice(EXTREME_VALUES)
    return json.dumps(document).encode()


def _places(value: Any) -> Any:
    """(holder, key or index) of everything in a document."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])
