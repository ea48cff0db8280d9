"""C prefixes made from the names that files and models have."""

from __future__ import annotations

import re

from mcu_quant.errors import InvalidInputError

# fmt: off
_KEYWORDS = (
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
    "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short",
    "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile",
    "while",
    # C++, since public headers are read there too
    "alignas", "alignof", "and", "asm", "bool", "catch", "class", "delete", "explicit", "export", "false",
    "friend", "mutable", "namespace", "new", "not", "operator", "or", "private", "protected", "public",
    "template", "this", "throw", "true", "try", "typeid", "typename", "using", "virtual", "xor",
)
#: name.h or name.c would be taken for another file of the C library or of a firmware project.
_FILES = (
    "assert", "complex", "ctype", "errno", "fenv", "inttypes", "iso646", "limits", "locale", "math", "setjmp",
    "signal", "stdalign", "stdarg", "stdatomic", "stdbool", "stddef", "stdint", "stdio", "stdlib",
    "stdnoreturn", "string", "tgmath", "threads", "time", "uchar", "wchar", "wctype", "main", "validate",
    "startup", "board", "port", "frames", "uart", "arduino",
)
# fmt: on
_RESERVED = frozenset((*_KEYWORDS, *_FILES))


def c_name(text: str) -> str:
    """A C prefix made from a file's or a model's name."""
    name = re.sub(r"[^0-9a-z]+", "_", text.lower()).strip("_") or "network"
    if name[0].isdigit() or _is_reserved(name):
        name = f"net_{name}"
    return name


def check_c_name(name: str) -> str:
    """The name, if it can be a C prefix; InvalidInputError if not."""
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]*", name) or _is_reserved(name.lower()):
        raise InvalidInputError(
            "the name must be a C identifier that is not reserved and does not start with mq_",
            value=name,
            hint=c_name(name),
        )
    return name


def _is_reserved(name: str) -> bool:
    return name in _RESERVED or name == "mq" or name.startswith("mq_")
