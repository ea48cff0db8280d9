"""Sum and difference of two operands of one shape on Cortex-M3 and later: a table for each operand.

A table has, for each byte, the operand's share of the output in 2**-20 of its steps; one of them has
zero_point and rounding in it. Their sum is not TFLM's arithmetic but gives its bytes: that is checked
for all 65,536 pairs when code is generated, and the node is refused if one pair differs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, INT32_MAX, IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.armv7m.dot import GUARD
from mcu_quant.kernels.armv7m.planned import planned
from mcu_quant.kernels.armv7m.requantization import clamp_lines
from mcu_quant.kernels.base import Activation, Assembly, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import in_place
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.add import scaled_operands, sum_multipliers
from mcu_quant.ops.base import activation_range

_BITS = 20
#: Tried in turn, in 2**-20 steps: what is added to the rounding so that ties come out as TFLM's.
_NUDGES = (0, -1, 1, -2, 2, -8, 8, -64, 64, -512, 512)
_VALUES = np.arange(INT8_MIN, INT8_MAX + 1)


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
        return "two tables do not give the exact bytes" if _tables(node) is None else None

    def call(self, node: BoundNode) -> KernelCall:
        tables = _tables(node)
        assert tables is not None
        low, high = activation_range(node.attrs.activation, node.output)
        size = node.output.elements
        params = {"size": size, "activation_min": low, "activation_max": high}
        body = "\n".join(_body(size, low, high))
        function = Assembly(f"add_{size}", body, GUARD, "mq_armv7m_add_function_t", "mq_armv7m_add_twin")
        constants = (Constant("first_table", tables[0]), Constant("second_table", tables[1]))
        operands = (Activation(node.input(0).name), Activation(node.input(1).name))
        return KernelCall(params, (*operands, *constants, function, Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 10.0 * node.output.elements + 60


@planned
def _tables(node: BoundNode) -> tuple[np.ndarray, np.ndarray] | None:
    """int32 [256] each, by byte; None if no tables give TFLM's bytes for every pair."""
    first, second = _shares(node)
    low, high = activation_range(node.attrs.activation, node.output)
    if np.abs(first).max() + np.abs(second).max() > INT32_MAX - (1 << _BITS):
        return None
    expected = _all_pairs(node)
    for nudge in _NUDGES:
        sums = first[:, None] + second[None, :] + nudge
        if np.array_equal(np.clip(sums >> _BITS, low, high), expected):
            # Bytes as unsigned indices: 0 to 127, then -128 to -1.
            return np.roll(first + nudge, 128).astype(np.int32), np.roll(second, 128).astype(np.int32)
    return None


def _shares(node: BoundNode) -> tuple[IntArray, IntArray]:
    """int64 [256] each, of values from -128 up: in 2**-20 steps of the output, with rounding."""
    multipliers = sum_multipliers(node)
    operands = (_VALUES.astype(np.int64) - node.input(i).zero_point for i in (0, 1))
    x, y = scaled_operands(multipliers, *operands)
    multiplier, shift = multipliers.output
    scale = 2.0 ** (shift - 31 + _BITS) * multiplier
    first, second = (np.rint(values * scale).astype(np.int64) for values in (x, y))
    start = (node.output.zero_point << _BITS) + (1 << (_BITS - 1))
    return first + start, -second if node.node.op == "sub" else second


def _all_pairs(node: BoundNode) -> np.ndarray:
    """The reference's output for all pairs: [first, second], values from -128 up."""
    shapes = ((256, 1), (1, 256))
    tensors = tuple(replace(node.input(i), shape=shape) for i, shape in enumerate(shapes))
    pairs = replace(node, inputs=tensors, outputs=(replace(node.output, shape=(256, 256)),))
    arrays = [_VALUES.astype(np.int8).reshape(1, *shape) for shape in shapes]
    (outputs,) = OPERATORS[node.node.op].run_int8(pairs, arrays)
    return outputs.reshape(256, 256)


def _body(size: int, low: int, high: int) -> list[str]:
    """r0 first, r1 second, r2 output, r3 its end, r4 r5 tables; four elements at a time in r6 and up."""
    blocks, rest = divmod(size, 4)
    lines = ["push {r4-r12, lr}", "ldm r3, {r4, r5}"]
    if blocks:
        lines += [f"movw r3, #{4 * blocks & 0xFFFF}", f"movt r3, #{4 * blocks >> 16}", "add r3, r2, r3", "1:"]
        lines += _elements(4, low, high)
        lines += ["adds r0, #4", "adds r1, #4", "adds r2, #4", "cmp r2, r3", "bne 1b"]
    return [*lines, *_elements(rest, low, high), "pop {r4-r12, pc}"]


def _elements(count: int, low: int, high: int) -> list[str]:
    first, second = ["r6", "r7", "r8", "r9"][:count], ["r10", "r11", "r12", "lr"][:count]
    lines = [f"ldrb {register}, [r0, #{i}]" for i, register in enumerate(first)]
    lines += [f"ldrb {register}, [r1, #{i}]" for i, register in enumerate(second)]
    lines += [f"ldr {register}, [r4, {register}, lsl #2]" for register in first]
    lines += [f"ldr {register}, [r5, {register}, lsl #2]" for register in second]
    for i, (sum_register, share) in enumerate(zip(first, second, strict=True)):
        lines += [f"add {sum_register}, {sum_register}, {share}"]
        lines += [f"ssat {sum_register}, #8, {sum_register}, asr #{_BITS}"]
        lines += [*clamp_lines(sum_register, low, high), f"strb {sum_register}, [r2, #{i}]"]
    return lines


KERNEL = AddS8Armv7m()
