"""Operators' attributes as plain data, for models that carry graph nodes in their config (training)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import ACTIVATIONS, PADDINGS
from mcu_quant.ops.pooling import MAX_WINDOW

_WORDS: Mapping[str, tuple[str, ...]] = {"activation": ACTIVATIONS, "padding": PADDINGS}


def attributes_as_json(attrs: Any) -> dict[str, Any]:
    """Numbers, strings and lists by field name; {} for None."""
    return {} if attrs is None else asdict(attrs)


def attributes_from_json(op: str, document: Mapping[str, Any]) -> Any:
    """The attributes that attributes_as_json wrote. Raises ValueError for what it cannot have written."""
    operator = OPERATORS.get(op)
    kind = None if operator is None else operator.attrs_type
    if operator is None or (kind is None and document):
        raise ValueError(f"operator {op} with attributes {sorted(document)}")
    if kind is None:
        return None
    known = {field.name for field in fields(kind)}
    if not set(document) <= known:
        raise ValueError(f"attributes {sorted(set(document) - known)} of {op}")
    if math.prod(document.get("filter_size", ())) > MAX_WINDOW:
        raise ValueError(f"windows of {document['filter_size']}")
    try:
        return kind(**{name: _value(name, value) for name, value in document.items()})
    except TypeError as error:
        raise ValueError(f"attributes of {op}: {error}") from error


def _value(name: str, value: Any) -> Any:
    """Lists as tuples, of numbers; strings only where they are one of the field's words."""
    if isinstance(value, list | tuple):
        return tuple(_value(name, entry) for entry in value)
    if isinstance(value, str):
        if value not in _WORDS.get(name, ()):
            raise ValueError(f"{name} {value!r}")
        return value
    if not isinstance(value, bool | int | float) or abs(value) > 2**31:
        raise ValueError(f"{name} {value!r}")
    return value
