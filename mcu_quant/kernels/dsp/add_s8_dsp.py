"""Sum and difference by one linear function, proved for all pairs of bytes (Cortex-M4, M7, M33).

    y = saturate8((a * first + b * second + addend) >> shift)

The reference rounds three times; that is the same as this for two given factors if each of the 65,536
pairs of inputs, which bounds the addend from both sides, leaves an addend.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, INT32_MAX, IntArray, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Assembly, Core, Kernel, KernelCall
from mcu_quant.kernels.dsp.straight_line import move_immediate
from mcu_quant.ops.add import scaled_operands, sum_multipliers
from mcu_quant.ops.base import activation_range

_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
_UNBOUNDED = 1 << 40


@dataclass(frozen=True)
class LinearSum:
    """See the module. first, second, addend: int32. shift: 1..22. low, high: the clamp."""

    first: int
    second: int
    addend: int
    shift: int
    low: int
    high: int


class AddS8Dsp(Kernel):
    name = "add_s8_dsp"
    family = "dsp"
    ops = ("add", "sub")

    def refusal(self, node: BoundNode) -> str | None:
        if any(tensor is None or tensor.shape != node.output.shape for tensor in node.inputs):
            return "operands must not broadcast"
        return None if linear_sum(node) is not None else "no linear function is exact for all pairs of inputs"

    def call(self, node: BoundNode) -> KernelCall:
        how = linear_sum(node)
        assert how is not None
        params = {
            "size": node.output.elements,
            "first_factor": how.first,
            "second_factor": how.second,
            "addend": how.addend,
            "shift": how.shift,
            "activation_min": how.low,
            "activation_max": how.high,
        }
        loop = Assembly(
            "add",
            "\n".join(_loop(how)),
            "defined(__ARM_FEATURE_DSP)",
            "mq_add_s8_dsp_function_t",
            "mq_add_s8_dsp_twin",
        )
        operands = (Activation(node.input(0).name), Activation(node.input(1).name))
        return KernelCall(params, (loop, *operands, Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place: four elements are read, then written. A constant is nowhere near."""
        return tuple(None if tensor is None or tensor.is_constant else 0 for tensor in node.inputs)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 8.3 * node.output.elements + 60

    def instructions(self, node: BoundNode) -> float:
        return 7.3 * node.output.elements + 60


@lru_cache(maxsize=64)
def linear_sum(node: BoundNode) -> LinearSum | None:
    """The function for this node, None if none is found."""
    low, high = activation_range(node.attrs.activation, node.output)
    if low >= high:
        return None
    search = _Search(_expected(node, low, high), low, high)
    ratios = [node.input(i).scale / node.output.scale for i in (0, 1)]
    largest = min(22, 30 - math.ceil(math.log2(128 * sum(ratios) + 1)))
    for shift in range(largest, max(largest - 3, 0), -1):
        first, second = (round(ratio * 2**shift) for ratio in ratios)
        found = search.run(first, -second if node.node.op == "sub" else second, shift)
        if found is not None:
            return found
    return None


@dataclass(frozen=True, eq=False)
class _Search:
    """For factors that leave an addend. expected: int64 [256, 256]."""

    expected: IntArray
    low: int
    high: int

    def run(self, first: int, second: int, shift: int) -> LinearSum | None:
        """From the nearest factors on downhill: by how much bounds cross is convex in the factors."""
        here, best = (first, second), self._crossing(first, second, shift)
        step = 64
        while step and best > 0:
            around = [(here[0] + i * step, here[1] + j * step) for i, j in _DIRECTIONS]
            crossing, place = min((self._crossing(*place, shift), place) for place in around)
            if crossing < best:
                best, here = crossing, place
            else:
                step //= 2
        least, most, products = self._bounds(*here, shift)
        addend = (least + most) >> 1
        fits = max(abs(int(end) + addend) for end in (products.min(), products.max())) <= INT32_MAX
        if best > 0 or abs(addend) > INT32_MAX or not fits:
            return None
        return LinearSum(*here, addend, shift, self.low, self.high)

    def _crossing(self, first: int, second: int, shift: int) -> int:
        least, most, _ = self._bounds(first, second, shift)
        return least - most

    def _bounds(self, first: int, second: int, shift: int) -> tuple[int, int, IntArray]:
        """(least addend, largest addend, products without it)."""
        byte = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
        products = byte[:, None] * first + byte * second
        least = np.where(self.expected > self.low, (self.expected << shift) - products, -_UNBOUNDED)
        most = np.where(self.expected < self.high, ((self.expected + 1) << shift) - 1 - products, _UNBOUNDED)
        return int(least.max()), int(most.min()), products


def _expected(node: BoundNode, low: int, high: int) -> IntArray:
    """The reference's outputs, int64 [256, 256], by first and second input from -128 on."""
    byte = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int64)
    multipliers = sum_multipliers(node)
    a, b = scaled_operands(node, byte - node.input(0).zero_point, byte - node.input(1).zero_point)
    total = a[:, None] - b if node.node.op == "sub" else a[:, None] + b
    return np.clip(requantize(total, *multipliers.output) + node.output.zero_point, low, high)


def _loop(how: LinearSum) -> list[str]:
    """mq_add_s8_dsp_function_t: first r1, second r2, output r3; count, a multiple of 4, on the stack.

    r4, r5: the factors; r6: the addend; r0: what is left; r7 to r10: sums; r11, r12, lr: second operands.
    """
    lines = [
        "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}",
        "ldr r0, [sp, #36]",
        *move_immediate("r4", how.first),
        *move_immediate("r5", how.second),
        *move_immediate("r6", how.addend),
        "1:",
    ]
    sums, second = ("r7", "r8", "r9", "r10"), ("r11", "r12", "lr")
    lines += [f"ldrsb {y}, [r1, #{i}]" for i, y in enumerate(sums)]
    lines += [f"ldrsb {x}, [r2, #{i}]" for i, x in enumerate(second)]
    lines += [f"mla {y}, {y}, r4, r6" for y in sums]
    lines += [f"mla {y}, {x}, r5, {y}" for y, x in zip(sums, second, strict=False)]
    lines += ["ldrsb r11, [r2, #3]", "mla r10, r11, r5, r10"]
    for i, y in enumerate(sums):
        lines += [
            f"ssat {y}, #8, {y}, asr #{how.shift}",
            *clamp(y, how.low, how.high),
            f"strb {y}, [r3, #{i}]",
        ]
    lines += ["adds r1, r1, #4", "adds r2, r2, #4", "adds r3, r3, #4", "subs r0, r0, #4", "bne 1b"]
    return [*lines, "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}"]


def clamp(register: str, low: int, high: int) -> list[str]:
    """What is left to do after saturation to int8."""
    below = [f"cmp {register}, #{low}", "it lt", f"movlt {register}, #{low}"] if low > INT8_MIN else []
    above = [f"cmp {register}, #{high}", "it gt", f"movgt {register}, #{high}"] if high < INT8_MAX else []
    return below + above


KERNEL = AddS8Dsp()
