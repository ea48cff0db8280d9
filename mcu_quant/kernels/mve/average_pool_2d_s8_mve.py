"""Average pooling on Helium: sums in 16 bits, an exact division by a multiplication.

floor(t / n) is the upper half of t * ceil(2**32 / n) for t below 2**16 and n below 2**8: the product
is too large by t * e / n with e < n, which is less than 2**32 / n.
"""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Assembly, Core, Kernel, KernelCall
from mcu_quant.kernels.mve import requantize
from mcu_quant.kernels.mve.dots import add, load
from mcu_quant.kernels.mve.requantize import Output
from mcu_quant.kernels.portable.windows import row_overlap
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.pooling import pool_axes

_LANES = 8
_MOST = 255


class AveragePool2DS8Mve(Kernel):
    name = "average_pool_2d_s8_mve"
    family = "mve"
    ops = ("average_pool_2d",)

    def refusal(self, node: BoundNode) -> str | None:
        height, width = pool_axes(node)
        if not 2 <= height.filter_size * width.filter_size <= _MOST:
            return f"windows of 2 to {_MOST} elements"
        if height.before or height.after or width.before or width.after:
            return "windows inside the input only"
        if node.output.shape[3] % _LANES:
            return f"the channels must be a multiple of {_LANES}"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        height, width = pool_axes(node)
        low, high = activation_range(node.attrs.activation, y)
        params = {
            "input_w": x.shape[2],
            "channels": x.shape[3],
            "filter_h": height.filter_size,
            "filter_w": width.filter_size,
            "output_h": y.shape[1],
            "output_w": y.shape[2],
            "stride_h": height.stride,
            "stride_w": width.stride,
            "activation_min": low,
            "activation_max": high,
        }
        function = Assembly(
            "pool",
            "\n".join(_body(node)),
            requantize.GUARD,
            "mq_average_pool_2d_s8_mve_function_t",
            "mq_average_pool_2d_s8_mve_twin",
        )
        return KernelCall(params, (Activation(x.name), function, Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (row_overlap(node, pool_axes(node)),)

    def cycles(self, node: BoundNode, core: Core) -> float:
        """A vector of outputs, its taps, a turn of the loop over them: fitted to docs/benchmarks.json."""
        height, width = pool_axes(node)
        taps = height.filter_size * width.filter_size
        outputs = node.output.elements / _LANES
        return 40 + outputs * (23.8 + taps * (1.8 + 1.8 / _vectors(node.output.shape[3])))


def _vectors(channels: int) -> int:
    """How many vectors of 8 channels are summed at once."""
    return next(count for count in (4, 2, 1) if channels % (count * _LANES) == 0)


def _body(node: BoundNode) -> list[str]:
    height, width = pool_axes(node)
    _, _, input_w, channels = node.input(0).shape
    rows, columns = height.filter_size, width.filter_size
    if columns == input_w:
        rows, columns = 1, rows * columns
    count, vectors = height.filter_size * width.filter_size, _vectors(channels)
    output = Output(0, *activation_range(node.attrs.activation, node.output))
    code = [
        "/* r0 window, r1 output; q0 to q3 sums, q7 the divisor's inverse */",
        "push {r4-r7, lr}",
        "vpush {d8-d15}",
        *load("r5", -(-(2**32) // count)),
        "vdup.32 q7, r5",
        f"mov r3, #{count // 2}",
        f"mov r6, #{channels // (vectors * _LANES)}",
        "1:",
        "mov r4, r0",
        *(f"vmov.i32 q{q}, #0" for q in range(vectors)),
        *([f"mov r7, #{rows}", "2:"] if rows > 1 else []),
        f"mov lr, #{columns}",
        "dls lr, lr",
        "3:",
    ]
    for q in range(vectors):
        code += [f"vldrb.s16 q{4 + q % 2}, [r4, #{q * _LANES}]", f"vadd.i16 q{q}, q{q}, q{4 + q % 2}"]
    code += [*add("r4", channels, "r12"), "le lr, 3b"]
    if rows > 1:
        code += [*add("r4", (input_w - columns) * channels, "r12"), "subs r7, r7, #1", "bne 2b"]
    for q in range(vectors):
        code += [*_divided(f"q{q}"), *requantize.clamp("q4", output, "r12", "q5"), "vstrb.16 q4, [r1], #8"]
    code += [f"add r0, r0, #{vectors * _LANES}", "subs r6, r6, #1", "bne 1b"]
    return [*code, "vpop {d8-d15}", "pop {r4-r7, pc}"]


def _divided(sums: str) -> list[str]:
    """q4 = sums / count, halves away from zero, in 16-bit lanes."""
    return [
        f"vabs.s16 q4, {sums}",
        "vadd.i16 q4, q4, r3",
        "vmovlb.u16 q5, q4",
        "vmovlt.u16 q6, q4",
        "vmulh.u32 q5, q5, q7",
        "vmulh.u32 q6, q6, q7",
        "vmovnb.i32 q4, q5",
        "vmovnt.i32 q4, q6",
        f"vshr.s16 {sums}, {sums}, #15",
        f"veor q4, q4, {sums}",
        f"vsub.i16 q4, q4, {sums}",
    ]


KERNEL = AveragePool2DS8Mve()
