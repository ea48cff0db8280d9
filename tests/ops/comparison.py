"""Cases of comparisons, and what their results mean."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops import OPERATORS
from mcu_quant.ops.comparison import Comparison
from tests.ops.driver import Case, c_equals_reference, c_overlapped, equals_oracle, operands, reference
from tests.ops.elementwise import SHAPES, Scheme, binary_case, random_triples

#: There is no near_float: steps of 1/256 decide, see means_what_it_says.
CHECKS = (equals_oracle, c_equals_reference, c_overlapped)


def pairs(op: str, name: str, a: Scheme, b: Scheme) -> Case:
    """Every pair of a byte and another."""
    values = np.arange(-128, 128, dtype=np.int8)
    data = tuple(grid.reshape(1, 1, -1) for grid in np.meshgrid(values, values))
    shape = (1, 65536)
    return binary_case(name, op, None, shape, shape, schemes=(a, b, a), data=data, output_dtype="bool")


def comparison_cases(op: str, seed: int) -> list[Case]:
    """The shapes that differ most, and every pair of bytes by several schemes."""
    names = ("same", "one_element", "channels_first_operand", "outer_product", "constant_first", "scalar")
    cases = []
    for name in names:
        first, second, constant = SHAPES[name]
        cases.append(binary_case(name, op, None, first, second, constant=constant, output_dtype="bool"))
    return [
        *cases,
        pairs(op, "equal_schemes", (0.05, 3), (0.05, 3)),
        pairs(op, "different_scales", (0.05, 3), (0.021, -100)),
        pairs(op, "scales_of_less_than_a_step", (0.001, 3), (0.0007, 5)),
        pairs(op, "near_1", (0.99999, -128), (0.5, 127)),
        *(
            pairs(op, f"drawn_{i}", (a / 5, z), (b / 5, w))
            for i, ((a, z), (b, w), _) in enumerate(random_triples(seed, 2))
        ),
    ]


def means_what_it_says(case: Case) -> None:
    """Wherever the operands differ by more than TFLM's step and its rounding, and where they are equal."""
    node, arrays = operands(case)
    reals = []
    for tensor, q in zip(node.inputs, arrays, strict=True):
        assert tensor is not None and q is not None
        reals.append((q.astype(np.float64) - tensor.zero_point) * tensor.scale)
    operator = OPERATORS[case.op]
    assert isinstance(operator, Comparison)
    difference = reals[0] - reals[1]
    clear = np.abs(difference) > 2 / 256
    if node.input(0).quant == node.input(1).quant:
        clear |= difference == 0
    (actual,) = reference(case)
    np.testing.assert_array_equal(actual[clear], operator.meaning(node, difference, np.float64(0))[clear])
