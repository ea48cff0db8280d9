"""What <name>_reset writes: the initial value of every state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mcu_quant.codegen.names import comment
from mcu_quant.codegen.tables import Tables
from mcu_quant.deployment import Deployment


@dataclass(frozen=True)
class StateReset:
    """A state: `bytes` from `address` on in the state block.

    They are all `value`, or, where that is None, the table `symbol` of `period` bytes again and again.
    """

    title: str
    address: int
    bytes: int
    value: int | None
    symbol: str = ""
    period: int = 0

    @property
    def repeats(self) -> int:
        return self.bytes // self.period


def state_resets(deployment: Deployment, tables: Tables) -> list[StateReset]:
    """In the order of the states. tables: where initial values that are no single byte are put."""
    return list(_resets(deployment, tables))


def _resets(deployment: Deployment, tables: Tables) -> Iterator[StateReset]:
    for index, state in enumerate(deployment.graph.states):
        tensor = deployment.graph.tensors[state.before]
        facts = comment(tensor.name), deployment.plan.addresses[tensor.name], tensor.bytes
        data = np.frombuffer(np.ascontiguousarray(state.initial).tobytes(), np.uint8)
        if (data == data[0]).all():
            yield StateReset(*facts, int(data[0]))
            continue
        row = _repeated(state.initial)
        section = deployment.options.placement.default
        symbol = tables.add(f"state_{index}_initial", row, f"state {index} at reset", section)
        yield StateReset(*facts, None, symbol, row.nbytes)


def _repeated(initial: np.ndarray) -> np.ndarray:
    """The shortest row of trailing axes of which the whole is made."""
    flat = initial.reshape(-1)
    size = 1
    for axis in reversed(initial.shape):
        if (flat.reshape(-1, size) == flat[:size]).all():
            break
        size *= axis
    return np.ascontiguousarray(flat[:size])
