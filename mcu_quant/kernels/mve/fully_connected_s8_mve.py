"""Fully connected on Helium: 8 channels at once. Also a convolution whose window is its whole input.

The stream, for eight channels: biases, weights [vectors][8][16], then, if the multipliers are not all
the same, multipliers and shifts of the even and of the odd channels.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Assembly, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.mve import cost, requantize
from mcu_quant.kernels.mve.dots import VECTOR, load
from mcu_quant.kernels.mve.requantize import Output
from mcu_quant.kernels.mve.schedule import scheduled
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.linear import channel_multipliers

_GROUP = 8
_SUMS = ("r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr")
#: More vectors than these are a loop over so many.
_UNROLLED, _LOOPED = 10, 8
#: Cycles of the call itself.
_CALL = 8


class FullyConnectedS8Mve(Kernel):
    name = "fully_connected_s8_mve"
    family = "mve"
    ops = ("fully_connected", "conv_2d")

    def refusal(self, node: BoundNode) -> str | None:
        weights = _weights(node)
        if node.node.op == "conv_2d" and (
            weights.shape[1] != node.input(0).elements or node.output.elements != len(weights)
        ):
            return "the filter must be as large as the input"
        if node.node.op == "conv_2d" and any(
            axis.before or (axis.filter_size > 1 and axis.dilation > 1) for axis in axes_of(node)
        ):
            return "the filter must lie on the input, tap for tap"
        if weights.shape[1] < VECTOR and weights.shape[1] != 8:
            return "at least 16 inputs, or 8"
        return requantize.requantization_refusal(node)

    def call(self, node: BoundNode) -> KernelCall:
        weights, output = _weights(node), requantize.output_of(node)
        channels, size = weights.shape
        params = {
            "rows": node.input(0).elements // size,
            "input_size": size,
            "output_size": channels,
            "multiplier": _shared(node)[0],
            "shift": _shared(node)[1],
            "output_zero_point": output.zero_point,
            "activation_min": output.low,
            "activation_max": output.high,
        }
        function = Assembly(
            "channels",
            "\n".join(_body(node)),
            requantize.GUARD,
            "mq_fully_connected_s8_mve_function_t",
            "mq_fully_connected_s8_mve_twin",
        )
        arguments = (
            Activation(node.input(0).name),
            Constant("packed", _packed(node)),
            function,
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """While it writes row r of the output it still reads row r of the input."""
        units, size = _weights(node).shape
        rows = node.input(0).elements // size
        least = max((row + 1) * units - row * size for row in (0, rows - 1))
        return (least, *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        """Rows by the assembly."""
        channels, size = _weights(node).shape
        body = _body(node)
        first, end = body.index("1:"), body.index("bgt 1b") + 1
        group = cost.cycles(body[first:end])
        if "2:" in body:
            group += (_rounds(size) - 1) * cost.cycles(cost.loop_body(body, "2"))
        around = cost.cycles(body[:first]) + cost.cycles(body[end:]) + _CALL
        return node.input(0).elements // size * (around + -(-channels // _GROUP) * group)


def _weights(node: BoundNode) -> np.ndarray:
    """[channels, inputs]."""
    data = node.input(1).data
    assert data is not None
    return data.reshape(len(data), -1)


def _shared(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) of all channels; (0, 0) if they differ."""
    multiplier, shift = channel_multipliers(node)
    same = (multiplier == multiplier[0]).all() and (shift == shift[0]).all()
    return (int(multiplier[0]), int(shift[0])) if same else (0, 0)


def _packed(node: BoundNode) -> np.ndarray:
    weights = _weights(node)
    channels, size = weights.shape
    vectors = np.zeros((-(-channels // _GROUP) * _GROUP, -(-size // VECTOR), VECTOR), np.int8)
    for v in range(vectors.shape[1]):
        # The last vector ends where the input ends; what it has in common with the one before is 0.
        first = max(min(v * VECTOR, size - VECTOR), 0)
        part = weights[:, v * VECTOR : first + VECTOR]
        vectors[:channels, v, v * VECTOR - first : v * VECTOR - first + part.shape[1]] = part
    columns = [np.zeros(len(vectors), np.int64) for _ in range(3)]
    for column, values in zip(
        columns, (requantize.folded_bias(node, weights), *channel_multipliers(node)), strict=True
    ):
        column[:channels] = values
    bias, multiplier, shift = columns
    stream = []
    for c in range(0, len(vectors), _GROUP):
        even, odd, group = slice(c, c + _GROUP, 2), slice(c + 1, c + _GROUP, 2), slice(c, c + _GROUP)
        stream += [requantize.words(bias[group]), vectors[group].transpose(1, 0, 2).reshape(-1)]
        if _shared(node) == (0, 0):
            stream.append(requantize.words(multiplier[even], multiplier[odd], shift[even], shift[odd]))
    return np.concatenate(stream)


def _body(node: BoundNode) -> list[str]:
    (channels, size), output = _weights(node).shape, requantize.output_of(node)
    code = [
        "/* r0 input, r1 output, r2 weights */",
        "push {r4-r11, lr}",
        "vpush {d8-d11}",
        "sub sp, sp, #4",
        "str r0, [sp]",
        "mov r9, r2",
        *load("r11", channels),
        *load("r5", _shared(node)[0]),
        "/* r3 input, r9 weights, r11 channels left; sums in r0 r2 r4 r6 r8 r10 r12 lr */",
        "1:",
        "ldr r3, [sp]",
        f"ldm r9!, {{{', '.join(_SUMS)}}}",
        *_dots(size),
        "vmov q0[2], q0[0], r0, r8",
        "vmov q1[2], q1[0], r2, r10",
        "vmov q0[3], q0[1], r4, r12",
        "vmov q1[3], q1[1], r6, lr",
        *_scaled(node, output),
        *requantize.to_bytes("q0", output, "r0", spare="q1"),
    ]
    whole = channels % _GROUP == 0
    code += ["vstrb.16 q0, [r1], #8"] if whole else ["vctp.16 r11", "vpst", "vstrbt.16 q0, [r1], #8"]
    code += ["subs r11, r11, #8", "bgt 1b", "add sp, sp, #4", "vpop {d8-d11}", "pop {r4-r11, pc}"]
    return scheduled(code, ("r9",))


def _dots(size: int) -> list[str]:
    """Sums over all vectors of the input."""
    if size == 8:
        return _vector("vldr d0, [r3]", 0)
    vectors = -(-size // VECTOR)
    loads = ["vldrb.u8 {}, [r3], #16"] * vectors
    if size % VECTOR:
        loads[-1] = f"vldrb.u8 {{}}, [r3, #{size % VECTOR - VECTOR}]"
    loop: list[str] = []
    if vectors > _UNROLLED:
        rounds = _rounds(size)
        body = [line for v in range(_LOOPED) for line in _vector(loads[v], v)]
        loop = [f"mov r7, #{rounds}", "2:", *body, "subs r7, r7, #1", "bne 2b"]
        loads = loads[rounds * _LOOPED :]
    return loop + [line for v, text in enumerate(loads) for line in _vector(text, v)]


def _rounds(size: int) -> int:
    """Of the loop over vectors; the last vector is not in it if it overlaps the one before."""
    vectors = -(-size // VECTOR)
    return vectors // _LOOPED - (1 if vectors % _LOOPED == 0 and size % VECTOR else 0)


def _vector(text: str, index: int) -> list[str]:
    inputs = f"q{index % 2}"
    code = [text.format(inputs)]
    for channel, total in enumerate(_SUMS):
        weights = f"q{2 + channel % 2}"
        code += [f"vldrb.u8 {weights}, [r9], #16", f"vmladava.s8 {total}, {inputs}, {weights}"]
    return code


def _scaled(node: BoundNode, output: Output) -> list[str]:
    """q0 and q1, scaled, into the 16-bit lanes of q0."""
    multiplier, shift = _shared(node)
    if multiplier == 0:
        return _scaled_by_channel(output)
    code = []
    results = []
    for lanes, spare in (("q0", "q2"), ("q1", "q3")):
        scaled, result = requantize.scale(lanes, spare, "r5", "", output)
        code += scaled[:-1]
        results.append(result)
    for result, half in zip(results, "bt", strict=True):
        unsigned = "u" if output.unsigned else ""
        if 1 <= -shift <= 16:
            code.append(f"vqrshr{unsigned}n{half}.s32 q0, {result}, #{-shift}")
        else:
            code += [f"vrshr.s32 {result}, {result}, #{-shift}"] if shift else []
            code.append(requantize.narrow("q0", result, half, output))
    return code


def _scaled_by_channel(output: Output) -> list[str]:
    code = [f"vldrw.u32 q{q}, [r9], #16" for q in (2, 3)]
    if output.rounds_up:
        code += ["vqrdmulh.s32 q0, q0, q2", "vqrdmulh.s32 q1, q1, q3"]
    else:
        # vqrdmlah has no form for vectors: t = acc >> 31 is added to the product instead.
        code += ["vqrdmulh.s32 q2, q0, q2", "vqrdmulh.s32 q3, q1, q3"]
        code += ["vshr.s32 q0, q0, #31", "vshr.s32 q1, q1, #31"]
        code += ["vadd.i32 q0, q0, q2", "vadd.i32 q1, q1, q3"]
    code += ["vldrw.u32 q2, [r9], #16", "vldrw.u32 q3, [r9], #16"]
    code += ["vrshl.s32 q0, q0, q2", "vrshl.s32 q1, q1, q3"]
    return code + [requantize.narrow("q0", lanes, half, output) for lanes, half in (("q0", "b"), ("q1", "t"))]


KERNEL = FullyConnectedS8Mve()
