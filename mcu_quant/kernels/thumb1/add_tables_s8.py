"""Sum and difference on thumb-1: a table for each operand and one for the clamp, no multiplication."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Assembly, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import in_place
from mcu_quant.kernels.sum_tables import SumTables, fit_sum_tables
from mcu_quant.kernels.thumb1.registers import GUARD, loop

_LARGEST_TABLE = 4096
#: Elements from which on three tables of together 2.5 kB are in proportion.
_WORTH_TABLES = 1024


class AddTablesS8(Kernel):
    name = "add_tables_s8"
    family = "thumb1"
    ops = ("add", "sub")
    modes = ("time", "balanced")

    def refusal(self, node: BoundNode) -> str | None:
        if any(tensor is None or tensor.shape != node.output.shape for tensor in node.inputs):
            return "operands must have the output's shape"
        if node.output.elements < _WORTH_TABLES:
            return "the sum must be worth its tables"
        tables = fit_sum_tables(node)
        if tables is None or tables.highest - tables.lowest >= _LARGEST_TABLE:
            return "the sum must have tables"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        tables = _tables(node)
        outputs = np.arange(tables.lowest, tables.highest + 1) + tables.origin
        params = {"elements": node.output.elements, "shift": tables.shift, "table_lowest": tables.lowest}
        arguments = (
            Activation(node.input(0).name),
            Activation(node.input(1).name),
            Constant("first_table", tables.first),
            Constant("second_table", tables.second),
            Constant("table", outputs.clip(tables.activation_min, tables.activation_max).astype(np.int8)),
            _sum_function(tables.shift, _unrolled(node)),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return (16 + 7.0 / _unrolled(node)) * node.output.elements


def _tables(node: BoundNode) -> SumTables:
    tables = fit_sum_tables(node)
    assert tables is not None, node.name
    return tables


def _unrolled(node: BoundNode) -> int:
    return next(n for n in (8, 4, 2, 1) if node.output.elements % n == 0)


def _sum_function(shift: int, unrolled: int) -> Assembly:
    """mq_thumb1_sum_function_t.

    r0, r1 operands, r2 and r3 work, r4 output, r5 and r6 tables of the operands, r7 clamp table,
    r12 end of the output.
    """
    body = []
    for i in range(unrolled):
        body += [
            f"ldrb r2, [r0, #{i}]",
            f"ldrb r3, [r1, #{i}]",
            "lsls r2, r2, #2",
            "lsls r3, r3, #2",
            "ldr r2, [r5, r2]",
            "ldr r3, [r6, r3]",
            "adds r2, r2, r3",
            f"asrs r2, r2, #{shift}",
            "ldrsb r2, [r7, r2]",
            f"strb r2, [r4, #{i}]",
        ]
    body += [f"adds r{n}, #{unrolled}" for n in (0, 1, 4)]
    lines = [
        "push {r4-r7, lr}",
        "movs r4, r2",
        "ldm r3, {r3, r5-r7}",
        "adds r3, r3, r4",
        "mov r12, r3",
        "1:",
        *body,
        "cmp r4, r12",
        *loop(1, "ne", "eq", len(body) + 1, 2),
        "pop {r4-r7, pc}",
    ]
    stem = f"sum_{unrolled}_{shift}"
    return Assembly(stem, "\n".join(lines), GUARD, "mq_thumb1_sum_function_t", "mq_thumb1_sum_twin")


KERNEL = AddTablesS8()
