"""Words of a model as words of C: identifiers that compile, and comments that stay comments.

Layer and tensor names come from files that anybody may have written.
"""

from __future__ import annotations

import re


def identifier(text: str, longest: int = 32) -> str:
    """Letters, digits and single underscores, for the middle or the end of an identifier."""
    words = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")
    return words[:longest].rstrip("_") or "unnamed"


def comment(text: str, longest: int = 200) -> str:
    """Text for the inside of a comment: printable ASCII that neither ends it nor is a trigraph."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in text).replace("\\", "|")
    plain = re.sub(r"\?(?=\?)", "? ", plain).replace("*/", "* /").replace("/*", "/ *")
    return plain if len(plain) <= longest else plain[: longest - 3].rstrip() + "..."


class UniqueNames:
    """Gives each name once; the second of a name gets _2, and so on."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def take(self, name: str) -> str:
        candidate, count = name, 1
        while candidate in self._used:
            count += 1
            candidate = f"{name}_{count}"
        self._used.add(candidate)
        return candidate
