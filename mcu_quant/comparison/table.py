"""The comparison as a table of text: for terminals and for documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mcu_quant.comparison.rows import Row

if TYPE_CHECKING:
    from mcu_quant.comparison import Comparison

QUALITY_COLUMNS = ["accuracy", "agreement", "sqnr_db"]
COST_COLUMNS = ["flash_bytes", "ram_bytes", "instructions"]


def cells(result: Comparison, columns: Sequence[str]) -> list[list[object]]:
    """A row for the float model, and one for each technique; the reason in place of figures that are not."""
    before = "" if result.float_accuracy is None else str(result.float_accuracy)
    listed: list[list[object]] = [["float (Keras)", before, *[""] * (len(columns) - 1)]]
    return listed + [[row.name, *(_cell(row, column) for column in columns)] for row in result.rows]


def markdown(result: Comparison) -> str:
    """A GitHub table, without the float model's row if there are no labels."""
    columns = [*QUALITY_COLUMNS, "file_bytes", *(COST_COLUMNS if result.board else [])]
    lines = [["technique", *(column.replace("_", " ") for column in columns)], ["---"] * (len(columns) + 1)]
    lines += [[str(cell) for cell in row] for row in cells(result, columns)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def unmeasured(result: Comparison) -> Iterator[str]:
    """Why a row has no figures, in full."""
    for row in result.rows:
        if row.status != "ok":
            yield f"{row.name}: {row.status.replace('_', ' ')}: {row.reason}"


def _cell(row: Row, column: str) -> str:
    if column == "file_bytes":
        return "" if row.file_bytes is None else f"{row.file_bytes:,}"
    if column in COST_COLUMNS:
        if row.cost is None:
            return row.status.replace("_", " ") if row.status != "ok" else ""
        return f"{getattr(row.cost, column):,}"
    if row.fidelity is None:
        return row.status.replace("_", " ") if row.status == "needs_data" else ""
    if column == "sqnr_db":
        exact = row.fidelity.noise_share == 0.0
        return "exact" if exact else "" if row.fidelity.sqnr_db is None else f"{row.fidelity.sqnr_db:.1f}"
    value = getattr(row.fidelity, column)
    return "" if value is None else str(value)
