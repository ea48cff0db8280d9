"""Sum and difference of two operands of one shape on Cortex-M3 and later: a table for each operand.

A table has, for each byte, the operand's share of the output, zero_point and rounding included; see
sum_tables.py for the proof. Seven instructions an element.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.armv7m.dot import GUARD
from mcu_quant.kernels.armv7m.requantization import clamp_lines
from mcu_quant.kernels.base import Activation, Assembly, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import in_place
from mcu_quant.kernels.sum_tables import SumTables, fit_sum_tables


class AddS8Armv7m(Kernel):
    name = "add_s8_armv7m"
    family = "armv7m"
    ops = ("add", "sub")
    modes = ("time",)

    def refusal(self, node: BoundNode) -> str | None:
        if any(tensor is None or tensor.is_constant for tensor in node.inputs):
            return "both operands must vary"
        if any(tensor is None or tensor.shape != node.output.shape for tensor in node.inputs):
            return "operands that broadcast have no fast kernel"
        return "two tables do not give the exact bytes" if fit_sum_tables(node) is None else None

    def call(self, node: BoundNode) -> KernelCall:
        tables = fit_sum_tables(node)
        assert tables is not None
        size = node.output.elements
        params = {
            "size": size,
            "shift": tables.shift,
            "activation_min": tables.activation_min,
            "activation_max": tables.activation_max,
        }
        # All of the output's zero_point fits one of the tables: their range has room for 256 steps.
        first = tables.first + np.int32(tables.origin << tables.shift)
        constants = (Constant("first_table", first), Constant("second_table", tables.second))
        operands = (Activation(node.input(0).name), Activation(node.input(1).name))
        function = _function(tables, size)
        return KernelCall(params, (*operands, *constants, function, Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 10.0 * node.output.elements + 60


def _function(tables: SumTables, size: int) -> Assembly:
    body = "\n".join(_body(tables, size))
    return Assembly(f"add_{size}", body, GUARD, "mq_armv7m_add_function_t", "mq_armv7m_add_twin")


def _body(tables: SumTables, size: int) -> list[str]:
    """r0 first, r1 second, r2 output, r3 its end, r4 r5 tables; four elements at a time in r6 and up."""
    blocks, rest = divmod(size, 4)
    lines = ["push {r4-r12, lr}", "ldm r3, {r4, r5}"]
    if blocks:
        lines += [f"movw r3, #{4 * blocks & 0xFFFF}", f"movt r3, #{4 * blocks >> 16}", "add r3, r2, r3", "1:"]
        lines += _elements(tables, 4)
        lines += ["adds r0, #4", "adds r1, #4", "adds r2, #4", "cmp r2, r3", "bne 1b"]
    return [*lines, *_elements(tables, rest), "pop {r4-r12, pc}"]


def _elements(tables: SumTables, count: int) -> list[str]:
    first, second = ["r6", "r7", "r8", "r9"][:count], ["r10", "r11", "r12", "lr"][:count]
    lines = [f"ldrb {register}, [r0, #{i}]" for i, register in enumerate(first)]
    lines += [f"ldrb {register}, [r1, #{i}]" for i, register in enumerate(second)]
    lines += [f"ldr {register}, [r4, {register}, lsl #2]" for register in first]
    lines += [f"ldr {register}, [r5, {register}, lsl #2]" for register in second]
    for i, (sum_register, share) in enumerate(zip(first, second, strict=True)):
        lines += [f"add {sum_register}, {sum_register}, {share}"]
        lines += [f"ssat {sum_register}, #8, {sum_register}, asr #{tables.shift}"]
        lines += [
            *clamp_lines(sum_register, tables.activation_min, tables.activation_max),
            f"strb {sum_register}, [r2, #{i}]",
        ]
    return lines


KERNEL = AddS8Armv7m()
