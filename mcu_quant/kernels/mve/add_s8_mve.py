"""Sum of two tensors of one shape on Helium: 8 elements at once, no tables.

The operand of the larger scale has multiplier 2**30 and shift 0: (q - zero_point) << 19 exactly.
"""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Assembly, Core, Kernel, KernelCall
from mcu_quant.kernels.mve import cost, requantize
from mcu_quant.kernels.mve.dots import load
from mcu_quant.kernels.mve.schedule import scheduled
from mcu_quant.kernels.portable.walk import in_place
from mcu_quant.ops.add import sum_multipliers

_HALF = (2**30, 0)
_LANES = 8


class AddS8Mve(Kernel):
    name = "add_s8_mve"
    family = "mve"
    ops = ("add",)

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(0).shape != node.input(1).shape:
            return "operands of one shape only"
        _, other, output = _multipliers(node)
        limit = 0 if requantize.output_of(node).rounds_up else -1
        if other[1] > 0 or output[1] > limit:
            return f"the multipliers' shifts must be at most {limit}"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        larger, (multiplier, shift), (output_multiplier, output_shift) = _multipliers(node)
        wide, other = node.input(larger), node.input(1 - larger)
        output = requantize.output_of(node)
        params = {
            "elements": node.output.elements,
            "wide_zero_point": wide.zero_point,
            "other_zero_point": other.zero_point,
            "other_multiplier": multiplier,
            "other_shift": shift,
            "output_multiplier": output_multiplier,
            "output_shift": output_shift,
            "output_zero_point": output.zero_point,
            "activation_min": output.low,
            "activation_max": output.high,
        }
        function = Assembly(
            "add", _body(node), requantize.GUARD, "mq_add_s8_mve_function_t", "mq_add_s8_mve_twin"
        )
        tensors = (Activation(wide.name), Activation(other.name))
        return KernelCall(params, (*tensors, function, Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        block = cost.cycles(_block(node)) + 1
        return 40 + -(-node.output.elements // _LANES) * block


def _multipliers(node: BoundNode) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """(the operand of the larger scale, (multiplier, shift) of the other one, of the output)."""
    multipliers = sum_multipliers(node)
    if multipliers.first == _HALF:
        return 0, multipliers.second, multipliers.output
    return 1, multipliers.first, multipliers.output


def _body(node: BoundNode) -> str:
    larger, (multiplier, shift), (output_multiplier, output_shift) = _multipliers(node)
    entry = [
        "/* r0 the operand of the larger scale, r1 the other, r2 output, r3 elements */",
        "push {r4-r9, lr}",
        "vpush {d8-d11}",
        *load("r4", node.input(larger).zero_point),
        *load("r5", node.input(1 - larger).zero_point),
        *load("r6", multiplier),
        *load("r7", shift),
        *load("r8", output_multiplier),
        *load("r9", output_shift),
    ]
    leave = ["vpop {d8-d11}", "pop {r4-r9, pc}"]
    blocks, rest = divmod(node.output.elements, _LANES)
    loop = [f"lsr r12, r3, #{_LANES.bit_length() - 1}", "dls lr, r12", "1:", *_block(node), "le lr, 1b"]
    # What is left over is loaded and stored under a predicate: not more, as that goes by bytes of lanes.
    tail = []
    for line in _block(node):
        is_access = line.startswith(("vldr", "vstr"))
        tail += ["vpst", line.replace(".", "t.", 1)] if is_access else [line]
    tail = [f"mov r12, #{rest}", "vctp.16 r12", *tail]
    return "\n".join([*entry, *(loop if blocks else []), *(tail if rest else []), *leave])


def _block(node: BoundNode) -> list[str]:
    """Eight elements."""
    _, (_, shift), _ = _multipliers(node)
    output = requantize.output_of(node)
    widened = [
        "/* q0, q1: even and odd elements of the one, << 19; q2, q3: of the other, << 20 */",
        "vldrb.s16 q0, [r0], #8",
        "vsub.i16 q0, q0, r4",
        "vldrb.s16 q2, [r1], #8",
        "vshl.i16 q0, q0, #3",
        "vsub.i16 q2, q2, r5",
        "vshllt.s16 q1, q0, #16",
        "vshl.i16 q2, q2, #4",
        "vshllb.s16 q0, q0, #16",
        "vshllt.s16 q3, q2, #16",
        "vshllb.s16 q2, q2, #16",
    ]
    narrowed = []
    for lanes, spare, half in (("q0", "q2", "b"), ("q1", "q3", "t")):
        scaled, result = requantize.scale(lanes, spare, "r8", "r9", output)
        narrowed += [*scaled, requantize.narrow("q4", result, half, output)]
    bytes_of_lanes = requantize.to_bytes("q4", output, "r12", spare="q5")
    return scheduled([*widened, *_sums(shift), *narrowed, *bytes_of_lanes, "vstrb.16 q4, [r2], #8"])


def _sums(shift: int) -> list[str]:
    """q0, q1 += the other operand, scaled."""
    if shift == 0:
        return ["vqrdmlah.s32 q0, q2, r6", "vqrdmlah.s32 q1, q3, r6"]
    return [
        "vshr.s32 q4, q2, #31",
        "vqrdmlah.s32 q4, q2, r6",
        "vshr.s32 q5, q3, #31",
        "vrshl.s32 q4, r7",
        "vqrdmlah.s32 q5, q3, r6",
        "vadd.i32 q0, q0, q4",
        "vrshl.s32 q5, r7",
        "vadd.i32 q1, q1, q5",
    ]


KERNEL = AddS8Mve()
