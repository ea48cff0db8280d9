"""Words of a model as words of C: identifiers that compile, and comments that stay comments.

Layer and tensor names come from files that anybody may have written.
"""

from __future__ import annotations

import re

from mcu_quant.errors import InvalidInputError

_KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int "
    "long register restrict return short signed sizeof static struct switch typedef union unsigned void "
    "volatile while alignas alignof and asm bool catch class delete explicit export false friend mutable "
    "namespace new not operator or private protected public template this throw true try typeid typename "
    "using virtual xor main".split()
)


def identifier(text: str, longest: int = 32) -> str:
    """Letters, digits and single underscores, for the middle or the end of an identifier."""
    words = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")
    return words[:longest].rstrip("_") or "unnamed"


def comment(text: str, longest: int = 200) -> str:
    """Text for the inside of a comment: printable ASCII that neither ends it nor is a trigraph."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in text)
    plain = re.sub(r"\?(?=\?)", "? ", plain).replace("*/", "* /").replace("/*", "/ *").replace("\\", "/")
    return plain if len(plain) <= longest else plain[: longest - 3].rstrip() + "..."


def require_identifier(name: str) -> str:
    """The name, if it can begin the name of every file, function and macro that is generated."""
    usable = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
    if not usable or name in _KEYWORDS or name.lower() == "mq" or name.lower().startswith("mq_"):
        raise InvalidInputError(
            "the name must be a C identifier that is no keyword and does not start with mq_",
            layer="--name",
            value=comment(name),
            hint=f"net_{identifier(name).lower()}",
        )
    return name


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
