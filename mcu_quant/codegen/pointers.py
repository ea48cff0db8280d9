"""Where calls through pointers can go: C kernels are handed functions in assembly, and nothing else.

Read from the headers: which lines call a pointer of which type, and which functions do so themselves or by
what they call, for the compiler may have inlined that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mcu_quant.codegen.library import assembly_of_layers, kernel_headers
from mcu_quant.deployment import Deployment

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_DEFINITION = re.compile(r"^[A-Za-z][^;{}=#]*?\b(\w+)\([^;{}]*\)\s*\{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
_POINTER = re.compile(r"\b(\w+_function_t)\s*\*\s*(?:const\s+)?(\w+)")
_CALLED = re.compile(r"\b(\w+)\s*\(")
_INCLUDE = re.compile(r'^#include "(mq_\w+\.h)"', re.MULTILINE)


@dataclass(frozen=True)
class PointerCalls:
    """Symbols that a call through a pointer may reach.

    of_function: by the C function that it is in; functions that are not known are left out. of_line: by
    the line of a header, counted from 1.
    """

    of_function: Mapping[str, frozenset[str]]
    of_line: Mapping[tuple[str, int], frozenset[str]]

    @property
    def all(self) -> frozenset[str]:
        return frozenset[str]().union(*self.of_function.values())


def pointer_calls(deployment: Deployment) -> PointerCalls:
    """Of a deployment's library."""
    headers = {name: _without_comments(text) for name, text in kernel_headers(deployment.kernels).items()}
    includes = {name: set(_INCLUDE.findall(text)) for name, text in headers.items()}
    bodies = {name: dict(_DEFINITION.findall(text)) for name, text in headers.items()}
    kinds = _kinds(headers.values())
    types = _pointer_types(kinds, {f: body for found in bodies.values() for f, body in found.items()})
    of_function: dict[str, frozenset[str]] = {}
    handed: dict[str, set[tuple[str, str]]] = {name: set() for name in headers}
    for layer in assembly_of_layers(deployment):
        of_function[layer.function] = frozenset(name for _, name in layer.given)
        for header in _closure(f"{layer.kernel}.h", includes):
            handed[header].update(layer.given)
    of_line: dict[tuple[str, int], frozenset[str]] = {}
    for header, text in headers.items():
        for function in bodies[header]:
            _note(of_function, function, types[function], handed[header])
        for number, line in enumerate(text.splitlines(), start=1):
            called = {kind for name in _CALLED.findall(line) for kind in kinds.get(name, ())}
            _note(of_line, (header, number), called, handed[header])
    return PointerCalls(of_function, of_line)


def _note(where: dict[Any, frozenset[str]], key: Any, kinds: set[str], handed: set[tuple[str, str]]) -> None:
    """The functions of those types, if any was handed over."""
    if names := frozenset(name for kind, name in handed if kind in kinds):
        where[key] = names


def _without_comments(text: str) -> str:
    """With the lines where they were."""
    return _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)


def _closure(start: str, edges: Mapping[str, Iterable[str]]) -> set[str]:
    """start, and all that it leads to."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += edges.get(name, ())
    return found


def _kinds(headers: Iterable[str]) -> dict[str, set[str]]:
    """Names of pointers to the types that they have somewhere."""
    kinds: dict[str, set[str]] = {}
    for text in headers:
        for kind, name in _POINTER.findall(text):
            kinds.setdefault(name, set()).add(kind)
    return kinds


def _pointer_types(kinds: Mapping[str, set[str]], bodies: Mapping[str, str]) -> dict[str, set[str]]:
    """Function → the types of pointers that it calls, or that what it calls calls."""
    called = {function: set(_CALLED.findall(body)) for function, body in bodies.items()}
    inside = {function: _closure(function, called) for function in bodies}
    return {
        function: {kind for name in names if name not in bodies for kind in kinds.get(name, ())}
        for function, names in inside.items()
    }
