"""Product of two operands that broadcast on Helium, row by row: 8 elements at once.

Products of operands less their zero_points are formed from 16-bit lanes, even and odd ones apart. An
operand that is repeated along a row is in every lane of a vector.
"""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Assembly, Core, Kernel, KernelCall
from mcu_quant.kernels.mve import cost, requantize
from mcu_quant.kernels.mve.dots import load
from mcu_quant.kernels.mve.schedule import scheduled
from mcu_quant.kernels.portable.walk import in_place, walk_params
from mcu_quant.ops.mul import product_multiplier

_LANES = 8


class MulS8Mve(Kernel):
    name = "mul_s8_mve"
    family = "mve"
    ops = ("mul",)

    def refusal(self, node: BoundNode) -> str | None:
        limit = 0 if requantize.output_of(node).rounds_up else -1
        if product_multiplier(node)[1] > limit:
            return f"the multiplier's shift must be at most {limit}"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        path = walk_params(node, ("a", "b"))
        order = _order(node)
        output = requantize.output_of(node)
        multiplier, shift = product_multiplier(node)
        params = {name: path[name] for name in ("rows", "columns", "sizes")}
        for label, index in zip(("first", "second"), order, strict=True):
            params[f"{label}_steps"] = path[f"{'ab'[index]}_steps"]
            params[f"{label}_stride"] = path[f"{'ab'[index]}_stride"]
            params[f"{label}_zero_point"] = node.input(index).zero_point
        params |= {
            "output_zero_point": output.zero_point,
            "output_multiplier": multiplier,
            "output_shift": shift,
            "activation_min": output.low,
            "activation_max": output.high,
        }
        row = Assembly(
            "mul", "\n".join(_body(node)), requantize.GUARD, "mq_mul_s8_mve_function_t", "mq_mul_s8_mve_twin"
        )
        operands = (Activation(node.input(index).name) for index in order)
        return KernelCall(params, (row, *operands, Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place: eight elements are read, then written."""
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        rows, columns = _rows(node)
        block = cost.cycles(_block(node)) + 1
        return rows * (70 + -(-columns // _LANES) * block) + 30


def _rows(node: BoundNode) -> tuple[int, int]:
    path = walk_params(node, ("a", "b"))
    rows, columns = path["rows"], path["columns"]
    assert isinstance(rows, int) and isinstance(columns, int)
    return rows, columns


def _order(node: BoundNode) -> tuple[int, int]:
    """An operand that is repeated along rows is the second."""
    return (1, 0) if walk_params(node, ("a", "b"))["a_stride"] == 0 else (0, 1)


def _is_fixed(node: BoundNode) -> bool:
    path = walk_params(node, ("a", "b"))
    return 0 in (path["a_stride"], path["b_stride"])


def _body(node: BoundNode) -> list[str]:
    multiplier, shift = product_multiplier(node)
    first, second = (node.input(index) for index in _order(node))
    entry = [
        "/* r0 first operand, r1 second, r2 output */",
        "push {r4-r7, lr}",
        "vpush {d8-d11}",
        *load("r4", first.zero_point),
        *load("r5", second.zero_point),
        *load("r6", multiplier),
        *load("r7", shift),
    ]
    if _is_fixed(node):
        entry += ["ldrsb r3, [r1]", "subs r3, r3, r5", "vdup.16 q3, r3"]
    blocks, rest = divmod(_rows(node)[1], _LANES)
    loop = [*load("lr", blocks), "dls lr, lr", "1:", *_block(node), "le lr, 1b"]
    # What is left over is loaded and stored under a predicate: not more, as that goes by bytes of lanes.
    tail = []
    for line in _block(node):
        is_access = line.startswith(("vldr", "vstr"))
        tail += ["vpst", line.replace(".", "t.", 1)] if is_access else [line]
    tail = [f"mov r12, #{rest}", "vctp.16 r12", *tail]
    leave = ["vpop {d8-d11}", "pop {r4-r7, pc}"]
    return [*entry, *(loop if blocks else []), *(tail if rest else []), *leave]


def _block(node: BoundNode) -> list[str]:
    """Eight elements: q0 and q2 even and odd products, q3 the second operand, q1 work, q4 the results."""
    output = requantize.output_of(node)
    code = ["vldrb.s16 q0, [r0], #8"]
    if not _is_fixed(node):
        code += ["vldrb.s16 q3, [r1], #8", "vsub.i16 q3, q3, r5"]
    code += ["vsub.i16 q0, q0, r4", "vmullt.s16 q2, q0, q3", "vmullb.s16 q0, q0, q3"]
    for lanes, half in (("q0", "b"), ("q2", "t")):
        scaled, result = requantize.scale(lanes, "q1", "r6", "r7", output)
        code += [*scaled, requantize.narrow("q4", result, half, output)]
    code += requantize.to_bytes("q4", output, "r12", spare="q5")
    return scheduled([*code, "vstrb.16 q4, [r2], #8"])


KERNEL = MulS8Mve()
