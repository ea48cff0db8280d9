"""One technique's row of the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mcu_quant.evaluation.fidelity import Fidelity

STATUSES = ("ok", "needs_data", "unsupported", "does_not_fit")


@dataclass(frozen=True)
class Cost:
    """On the board, as `profile` measures it. flash_bytes: the library's code and tables (model_bytes).

    ram_bytes: arena, static data and stack. instructions: one inference.
    """

    flash_bytes: int
    const_bytes: int
    ram_bytes: int
    arena_bytes: int
    instructions: int
    modelled_cycles: int | None


@dataclass(frozen=True)
class Row:
    """name: the candidate's, or that of a finished model (whose options are None,
    as they are where the technique does not take them).

    status: one of STATUSES, with the reason in words. fidelity: None where nothing was run.
    cost: None without a board, or if it does not run there.
    """

    name: str
    technique: str
    options: Mapping[str, Any] | None = field(default=None, hash=False)
    status: str = "ok"
    reason: str = ""
    file_bytes: int | None = None
    fidelity: Fidelity | None = None
    cost: Cost | None = None

    def as_json(self) -> dict[str, Any]:
        quality = (
            {"output_sqnr_db": None, "agreement": None, "accuracy": None}
            if self.fidelity is None
            else self.fidelity.as_json()
        )
        cost = {f.name: None for f in fields(Cost)} if self.cost is None else asdict(self.cost)
        return {
            "name": self.name,
            "technique": self.technique,
            "options": None if self.options is None else dict(self.options),
            "status": self.status,
            "reason": self.reason,
            "file_bytes": self.file_bytes,
            **cost,
            **quality,
        }
