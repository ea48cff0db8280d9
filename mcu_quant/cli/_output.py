"""What every verb prints: results or one JSON object on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from mcu_quant.errors import McuQuantError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

SCHEMA = 1


def console() -> Console:
    """The console for prose and progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """Prose as it is: names with brackets and colons are not taken for markup."""
    console().print(text, markup=False, emoji=False)


def note_fitting(fitting: Mapping[str, Any], model: str = "") -> None:
    """What a limit of RAM changed (Deployment.fitting); nothing if nothing."""
    prefix = f"{model}: " if model else ""
    for bands in fitting["bands"]:
        count = len(bands["layers"])
        note(f"{prefix}{count} layers in {bands['bands']} bands of rows, so as to fit: {bands['name']}")
    if fitting["slowdown"] > 1:
        percent = 100 * (fitting["slowdown"] - 1)
        note(f"{prefix}about {percent:.1f} % more cycles than with RAM enough, by the kernels' own estimates")


def print_json(payload: dict[str, Any]) -> None:
    """The one object of --json."""
    print(json.dumps({"schema": SCHEMA, **payload}, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    """JSON's form of a numpy number, a tuple, a path."""
    return value.item() if hasattr(value, "item") else str(value)


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()
) -> None:
    """A table on stdout. Columns of numbers are set right, and those named in `right`."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    listed = [list(row) for row in rows]
    numeric = [
        bool(listed) and all(isinstance(row[i], (int, float)) for row in listed) for i in range(len(columns))
    ]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name, is_numeric in zip(columns, numeric, strict=True):
        justify: Literal["right", "left"] = "right" if is_numeric or name in right else "left"
        table.add_column(name, justify=justify, overflow="fold")
    for row in listed:
        table.add_row(*(Text(_shown(value)) for value in row))
    out = Console(highlight=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=160)
    out.print(table)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere. Yields a function that is told how much is done."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.progress import Progress

    with Progress(console=console(), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=done)


def report_error(error: McuQuantError, *, as_json: bool) -> None:
    """One paragraph on stderr; with --json also the object on stdout."""
    note(f"error: {error}")
    memory = getattr(error, "memory", ())
    for line in memory_lines(memory):
        note(line)
    if as_json:
        print_error(type(error).__name__, error.exit_code, str(error), error.problems, memory)


def memory_lines(rooms: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What takes the room of each memory, as lines. rooms: as "memory" of `build --json` has them."""
    for room in rooms:
        for part in room["parts"]:
            yield f"  {room['memory']:<8}{part['what']:<42}{part['bytes']:>12,}"
        spare = room["bytes"] - room["needed_bytes"]
        state = f"{spare:,} free" if spare >= 0 else f"{-spare:,} too many"
        yield f"  {room['memory']:<8}{'needed':<42}{room['needed_bytes']:>12,} of {room['bytes']:,}: {state}"


def print_error(
    kind: str,
    exit_code: int,
    message: str,
    problems: Sequence[Problem],
    memory: Sequence[Mapping[str, Any]] = (),
) -> None:
    """The one object of --json where something is wrong. memory: of what does not fit."""
    listed = [{"layer": p.layer, "rule": p.rule, "value": p.value, "hint": p.hint} for p in problems]
    facts = {"kind": kind, "exit_code": exit_code, "message": message, "problems": listed}
    print_json({"error": facts | ({"memory": memory} if memory else {})})


@contextmanager
def phases() -> Iterator[Callable[[str, int, int], None]]:
    """Yields a function that is told what is being done, how much of it is done, and how much there is.

    On a terminal each phase has a bar; elsewhere it is named once, when it begins.
    """
    if not sys.stderr.isatty():
        named: set[str] = set()

        def name(what: str, done: int, total: int) -> None:
            if what not in named:
                named.add(what)
                note(what)

        yield name
        return
    from rich.progress import Progress, TaskID

    with Progress(console=console(), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def update(what: str, done: int, total: int) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bar.update(task, visible=False)
                tasks[what] = bar.add_task(what, total=total or None)
            bar.update(tasks[what], completed=done)

        yield update
