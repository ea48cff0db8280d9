"""The one tree of errors that users see.

A user error names the layer (by its Keras name), the rule that is broken, the value seen, and
what to try. Anything that is not a McuQuantError is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One broken rule.

    layer: the name of the layer, tensor or file at fault ("" if none).
    rule: what must hold, as a sentence. value: what was seen. hint: what to try.
    """

    rule: str
    layer: str = ""
    value: str = ""
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.layer}: {self.rule}" if self.layer else self.rule
        if self.value:
            text += f" (seen: {self.value})"
        text += "" if text.endswith((".", "!", "?")) else "."
        if self.hint:
            text += f" Try: {self.hint}"
            text += "" if text.endswith((".", "!", "?")) else "."
        return text


class McuQuantError(Exception):
    """Base of every error that is the user's to mend. exit_code is the command line's."""

    exit_code = 2

    def __init__(self, rule: str, *, layer: str = "", value: object = "", hint: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(rule, layer, str(value), hint),)
        super().__init__(str(self.problems[0]))


class InvalidInputError(McuQuantError):
    """A path, an option, or data (npz, calibration samples) that cannot be used."""


class InvalidModelError(McuQuantError):
    """A model or board file that is malformed, truncated, or not finite."""


class UnsupportedModelError(McuQuantError):
    """A well-formed model that has something we have no form for; lists all such things."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "1 thing is" if count == 1 else f"{count} things are"
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        Exception.__init__(self, f"{head} unsupported in this model:{lines}")


class DoesNotFitError(McuQuantError):
    """The model needs more memory than there is.

    memory: what takes the room of the board's memories, where that is known: objects as "memory" of
    `build --json` has them.
    """

    exit_code = 3

    def __init__(
        self,
        rule: str,
        *,
        layer: str = "",
        value: object = "",
        hint: str = "",
        memory: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(rule, layer=layer, value=value, hint=hint)
        self.memory = tuple(memory)


class BitsDifferError(McuQuantError):
    """Two engines gave different bytes."""

    exit_code = 4


class ToolMissingError(McuQuantError):
    """A program that this step needs is not installed."""

    exit_code = 5


class DeviceError(McuQuantError):
    """A board, probe or port that is not there, silent, closed to the user, or runs other firmware."""


class EngineFailedError(McuQuantError):
    """Generated code crashed, hung or gave no output where it ran: it did not give the reference's bits."""

    exit_code = 4
