"""The options of our custom operators: a map of conditions as a FlexBuffer (docs/CUSTOM_OPERATORS.md)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from flatbuffers import flexbuffers

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.ops.base import TfliteNode

#: More than all options take. A FlexBuffer is read one level deep, so this bounds the work, too.
_MAX_BYTES = 256
_CORRUPTION = (
    struct.error,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
)
_NEWER = "a newer mcu_quant, or the version of it that wrote the file"


def write_options(options: Mapping[str, bool]) -> bytes:
    """The map's bytes: the same for the same options."""
    builder = flexbuffers.Builder()
    with builder.Map():
        for key, value in sorted(options.items()):
            builder.Bool(key, value)
    return bytes(builder.Finish())


def read_options(node: TfliteNode, version: int, keys: Sequence[str]) -> dict[str, bool]:
    """The options of a custom operator of that version, which has exactly those.

    Raises UnsupportedModelError for another version or other options, InvalidModelError for damaged bytes.
    """
    if node.version != version:
        rule = f"the version of {node.builtin} must be {version}"
        raise UnsupportedModelError([Problem(rule, node.name, str(node.version), _NEWER)])
    data = bytes(node.options or b"")
    try:
        found = _read(data)
    except _CORRUPTION as error:
        rule = f"the options of {node.builtin} must be a map of conditions"
        raise InvalidModelError(
            rule, layer=node.name, value=f"{len(data)} bytes: {error}", hint="export the model again"
        ) from error
    if sorted(found) != sorted(keys):
        rule = f"the options of {node.builtin} must be {' and '.join(keys) or 'none'}"
        value = ", ".join(found) or "none"
        raise UnsupportedModelError([Problem(rule, node.name, value, _NEWER)])
    return found


def _read(data: bytes) -> dict[str, bool]:
    if not 3 <= len(data) <= _MAX_BYTES:
        raise ValueError(f"at least 3 and at most {_MAX_BYTES} are expected")
    root = flexbuffers.GetRoot(data)
    if not root.IsMap:
        raise ValueError("no map")
    fields = root.AsMap
    if len(fields) > _MAX_BYTES:
        raise ValueError(f"{len(fields)} options")
    keys, values = fields.Keys, fields.Values
    found = {}
    for index in range(len(fields)):
        key, value = keys[index], values[index]
        if not value.IsBool:
            raise ValueError("an option is no condition")
        found[_text(key.AsKey)] = bool(value.AsBool)
    return found


def _text(key: str) -> str:
    text = str(key)
    return "".join(c if c.isprintable() else "_" for c in text)
