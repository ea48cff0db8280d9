"""The tables of cases of every operator, by form: what the matrix of SUPPORTED_OPS.md rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from mcu_quant.ir import BoundNode, Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.interpreter import run_graph
from tests.ops import test_float_forms, test_int16, test_plain
from tests.ops.driver import Case, operands


@dataclass(frozen=True)
class TableCase:
    """One case as a graph of one node. inputs: [N, *shape] of each. oracle: whose bits it is held to."""

    op: str
    form: str
    name: str
    graph: Graph
    inputs: tuple[np.ndarray, ...]
    oracle: str | None

    def expected(self) -> list[np.ndarray]:
        """The reference's outputs, [N, *shape]."""
        return run_graph(self.graph, self.inputs)


def table_cases() -> list[TableCase]:
    """Every case of every operator's table, in every form that the tests give it."""
    return [*_integer_cases(), *_int16_cases(), *_float_cases(), *_plain_cases()]


def _integer_cases() -> Iterator[TableCase]:
    for op in OPERATORS:
        for case in _own_table(op):
            form = "int8" if _is_quantized(case) else "plain"
            if form not in OPERATORS[op].absent_forms:
                yield _from_case(case, form)


def _int16_cases() -> Iterator[TableCase]:
    for table in (*test_int16.TABLES.values(), test_int16.TO_FLOATS):
        for case in table:
            yield _from_case(case, "int16")


def _float_cases() -> Iterator[TableCase]:
    for parameter in test_float_forms.CASES:
        case, stored = parameter.values
        node, arrays = test_float_forms.prepared(case, stored)
        form = "hybrid" if stored == "hybrid" else "float"
        yield TableCase(
            case.op,
            form,
            f"{case.name}_{stored}",
            test_float_forms.graph_of(node),
            _varying(node, arrays),
            OPERATORS[case.op].oracles.get("float", "LiteRT"),
        )


def _plain_cases() -> Iterator[TableCase]:
    for table in test_plain.TABLES.values():
        for case in table:
            yield _from_case(case, "plain")


def _own_table(op: str) -> list[Case]:
    try:
        table = import_module(f"tests.ops.test_{op}")
    except ModuleNotFoundError:  # an operator that a pass makes
        return []
    return [case for case in getattr(table, "CASES", []) if case.op == op]


def _is_quantized(case: Case) -> bool:
    return any(t is not None and t.dtype in ("int8", "uint8") for t in (*case.inputs, case.node().output))


def _from_case(case: Case, form: str) -> TableCase:
    node, arrays = operands(case)
    return TableCase(case.op, form, case.name, case.graph(), _varying(node, arrays), case.oracle)


def _varying(node: BoundNode, arrays: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
    """The inputs, without states."""
    states = OPERATORS[node.node.op].state_inputs
    triples = zip(range(len(arrays)), node.inputs, arrays, strict=True)
    return tuple(x for i, t, x in triples if t and x is not None and not t.is_constant and i not in states)
