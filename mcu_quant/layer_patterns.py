"""What files and tables say of layers: names, or patterns of names as a shell has them (*, ?, [...]).

Of several patterns that match a layer, the first holds; one that matches none is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mcu_quant.errors import InvalidInputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: (pattern, what it says of the layers that it matches), in order.
Rules = tuple[tuple[str, str], ...]

_MOST_SHOWN, _LONGEST_SHOWN = 40, 60


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The tables of the file. what: its name in errors. Raises InvalidInputError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(
            f"the {what} file cannot be read", layer=str(path), value=error.strerror
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInputError(f"the {what} must be readable TOML", layer=str(path), value=error) from error


def matches(pattern: str, layer: str) -> bool:
    return pattern == layer or fnmatchcase(layer, pattern)


def first_match(rules: Rules, layer: str, default: str) -> str:
    """What the first pattern that matches says; default if none does."""
    return next((value for pattern, value in rules if matches(pattern, layer)), default)


def require_matches(what: str, patterns: Iterable[str], layers: Sequence[str]) -> None:
    """Refuse patterns that match none of the layers; the error lists the layers, the nearest names first.

    what: what has these patterns as its lines. Raises InvalidInputError.
    """
    for pattern in patterns:
        if not any(matches(pattern, layer) for layer in layers):
            raise InvalidInputError(
                f"a line of the {what} must match a layer", value=pattern, hint=_listed(pattern, layers)
            )


def _listed(pattern: str, layers: Sequence[str]) -> str:
    """All layers in order, or of very many those whose names are nearest to the pattern."""
    nearest = sorted(layers, key=lambda layer: SequenceMatcher(None, pattern, layer).ratio(), reverse=True)
    closest = f"{_short(nearest[0])} is the nearest; " if nearest else ""
    rest = f" and {len(layers) - _MOST_SHOWN} more" if len(layers) > _MOST_SHOWN else ""
    kept = set(nearest[:_MOST_SHOWN])
    return f"{closest}the layers are {', '.join(_short(name) for name in layers if name in kept)}{rest}"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}..."
