"""simple_rnn: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import pytest

from mcu_quant.ops.simple_rnn import SimpleRnnAttrs
from tests.ops.driver import CHECKS, Case, check_name, same_in_a_file
from tests.ops.recurrent import recurrent_case


def case(name: str, *args, **options) -> Case:
    return recurrent_case(name, "simple_rnn", SimpleRnnAttrs(), *args, **options)


CASES = [
    case("usual"),
    case("one_unit", (5, 3, 1)),
    case("one_step", (1, 6, 4)),
    case("one_value", (9, 1, 5)),
    case("four_by_four", (8, 4, 4)),
    case("wide", (3, 33, 19), weights=(0.2, 0.15)),
    case("long", (60, 3, 6), weights=(0.5, 0.3)),
    case("zero_points_low", x=(0.02, -128), y=(1 / 200, -128), float_steps=255),
    case("zero_points_high", x=(0.02, 127), y=(1 / 200, 127), float_steps=255),
    case("state", keeps_state=True),
    case("state_of_one_step", (1, 4, 4), keeps_state=True, biases="none", samples=40),
    case("no_bias", biases="none"),
    case("one_bias", biases="input"),
    case("per_tensor", per_channel=False),
    case("weights_all_minus_128", fill=-128, weights=(0.3, 0.3)),
    case("weights_all_127", fill=127, weights=(0.3, 0.1)),
    case("saturates_sums", x=(0.5, 3), weights=(8.0, 30.0), float_steps=255),
    case("fine_output", y=(1e-4, 3), float_steps=255),
    case("finest_output", y=(2.0**-29, 0), weights=(0.5, 0.1), float_steps=255),
    case("coarse_output", y=(0.3, 3)),
    case("tiny_weights", weights=(1e-9, 1e-9)),
]


@pytest.mark.parametrize("check", (*CHECKS, same_in_a_file), ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_simple_rnn(case: Case, check) -> None:
    check(case)
