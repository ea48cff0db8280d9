"""gru: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import pytest

from mcu_quant.ops.gru import GruAttrs
from tests.ops.driver import CHECKS, Case, check_name, same_in_a_file
from tests.ops.recurrent import recurrent_case

AFTER, BEFORE = GruAttrs(reset_after=True), GruAttrs(reset_after=False)


def case(name: str, attrs: GruAttrs = AFTER, *args, **options) -> Case:
    return recurrent_case(name, "gru", attrs, *args, **options)


CASES = [
    case("usual"),
    case("usual_before", BEFORE),
    case("one_unit", AFTER, (5, 3, 1)),
    case("one_unit_before", BEFORE, (5, 3, 1)),
    case("one_step", AFTER, (1, 6, 4)),
    case("one_value", AFTER, (9, 1, 5)),
    case("four_by_four", BEFORE, (8, 4, 4)),
    case("wide", AFTER, (3, 33, 19), weights=(0.2, 0.15)),
    case("wide_before", BEFORE, (3, 34, 18), weights=(0.2, 0.15)),
    case("long", AFTER, (60, 3, 6), weights=(0.5, 0.3)),
    case("zero_points_low", AFTER, x=(0.02, -128), y=(1 / 200, -128), float_steps=255),
    case("zero_points_high", BEFORE, x=(0.02, 127), y=(1 / 200, 127), float_steps=255),
    case("state", AFTER, keeps_state=True),
    case("state_before", BEFORE, (3, 6, 9), keeps_state=True),
    case("state_of_one_step", AFTER, (1, 4, 4), keeps_state=True, biases="none", samples=40),
    case("no_bias", AFTER, biases="none"),
    case("one_bias", BEFORE, biases="input"),
    case("per_tensor", AFTER, per_channel=False),
    case("weights_all_minus_128", AFTER, fill=-128, weights=(0.3, 0.3)),
    case("weights_all_127", BEFORE, fill=127, weights=(0.3, 0.3)),
    # Gates that are all or nothing, and sums beyond what is limited: a step of difference may decide.
    case("saturates_gates", AFTER, x=(0.5, 3), weights=(8.0, 30.0), float_steps=255),
    case("saturates_gates_before", BEFORE, x=(0.5, 3), weights=(8.0, 30.0), float_steps=255),
    # The output holds a part of the hidden state alone, or next to nothing of it.
    case("fine_output", AFTER, y=(1e-4, 3), float_steps=255),
    case("finest_output", BEFORE, y=(2.0**-29, 0), weights=(0.5, 0.1), float_steps=255),
    case("coarse_output", AFTER, y=(0.3, 3)),
    case("tiny_weights", AFTER, weights=(1e-9, 1e-9)),
]


@pytest.mark.parametrize("check", (*CHECKS, same_in_a_file), ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gru(case: Case, check) -> None:
    check(case)
