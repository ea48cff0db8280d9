"""Sum, difference and product of two operands that broadcast (Cortex-M4, M7, M33), row by row.

The arithmetic is the reference's own (binary_rows.py), so that it is right for all scales but extreme
ones. Sums of one shape for which one linear function is proven are cheaper: add_s8_dsp.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.kernels.assembly_cycles import straight_cycles
from mcu_quant.kernels.base import Activation, Assembly, Core, Kernel, KernelCall
from mcu_quant.kernels.dsp.binary_rows import QUAD, Scale, Term, product_row, sum_row
from mcu_quant.kernels.portable.walk import in_place, walk_params
from mcu_quant.ops.add import sum_multipliers
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.mul import product_multiplier

_HALF = (2**30, 0)
#: Rounding and zero_point, shifted to the left, and a sum of 2**28 fit 32 bits together.
_MOST_RIGHT = 22
_MOST_RIGHT_OF_TERM = 30


class BinaryS8Dsp(Kernel):
    name = "binary_s8_dsp"
    family = "dsp"
    ops = ("add", "sub", "mul")

    def refusal(self, node: BoundNode) -> str | None:
        scale = _scale(node)
        if not 0 <= scale.right <= _MOST_RIGHT:
            return f"the output's shift must be 0 to {_MOST_RIGHT} to the right"
        if node.node.op != "mul":
            for term in _terms(node):
                if (term.multiplier, term.right) != _HALF and not 1 <= term.right <= _MOST_RIGHT_OF_TERM:
                    return f"an operand's shift must be 1 to {_MOST_RIGHT_OF_TERM} to the right"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        path = walk_params(node, ("a", "b"))
        order = _order(node)
        params = {name: path[name] for name in ("rows", "columns", "sizes")}
        terms = None if node.node.op == "mul" else _terms(node)
        for label, index in zip(("first", "second"), order, strict=True):
            params[f"{label}_steps"] = path[f"{'ab'[index]}_steps"]
            params[f"{label}_stride"] = path[f"{'ab'[index]}_stride"]
            params[f"{label}_zero_point"] = node.input(index).zero_point
            params[f"{label}_multiplier"] = terms[index].multiplier if terms else 0
            params[f"{label}_shift"] = -terms[index].right if terms else 0
            params[f"{label}_sign"] = -1 if terms and terms[index].subtracted else 1
        scale = _scale(node)
        params |= {
            "is_product": int(terms is None),
            "output_zero_point": scale.zero_point,
            "output_multiplier": scale.multiplier,
            "output_shift": -scale.right,
            "activation_min": scale.low,
            "activation_max": scale.high,
        }
        row = Assembly(
            node.node.op,
            "\n".join(_row(node)),
            "defined(__ARM_FEATURE_DSP)",
            "mq_binary_s8_dsp_function_t",
            "mq_binary_s8_dsp_twin",
        )
        operands = (Activation(node.input(index).name) for index in order)
        return KernelCall(params, (row, *operands, Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place: up to four elements are read, then written."""
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return _cost(
            node, lambda lines: straight_cycles([line for line in lines if line != "bne 1b"]), loop=3, call=55
        )

    def instructions(self, node: BoundNode) -> float:
        return _cost(node, lambda lines: sum(not line.endswith(":") for line in lines), loop=0, call=34)


def _cost(node: BoundNode, count: Callable[[Sequence[str]], int], loop: int, call: int) -> float:
    """By the assembly's lines. loop: what a turn takes beside its lines; call: a row, in C."""
    rows, columns = _rows(node)
    lines = _row(node)
    row = count(lines) + (call if rows > 1 else 0)
    if columns >= QUAD:
        turn = lines[lines.index("1:") : lines.index("bne 1b") + 1]
        row += (columns // QUAD - 1) * count(turn) + columns // QUAD * loop
    return float(rows * row + 30)


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


def _scale(node: BoundNode) -> Scale:
    multiplier, shift = product_multiplier(node) if node.node.op == "mul" else sum_multipliers(node).output
    bounds = activation_range(node.attrs.activation, node.output)
    return Scale(multiplier, -shift, node.output.zero_point, *bounds)


def _terms(node: BoundNode) -> tuple[Term, Term]:
    """Of a sum, in the inputs' order."""
    multipliers = sum_multipliers(node)

    def term(tensor: Tensor, scaled: tuple[int, int], subtracted: bool) -> Term:
        return Term(tensor.zero_point, scaled[0], -scaled[1], subtracted)

    first = term(node.input(0), multipliers.first, False)
    return first, term(node.input(1), multipliers.second, node.node.op == "sub")


def _row(node: BoundNode) -> list[str]:
    scale, order, columns = _scale(node), _order(node), _rows(node)[1]
    if node.node.op == "mul":
        zero_points = (node.input(order[0]).zero_point, node.input(order[1]).zero_point)
        return product_row(zero_points, _is_fixed(node), scale, columns)
    first, second = (_terms(node)[index] for index in order)
    if _is_fixed(node):
        return sum_row(first, None, second, scale, columns)
    return sum_row(first, second, None, scale, columns)


KERNEL = BinaryS8Dsp()
