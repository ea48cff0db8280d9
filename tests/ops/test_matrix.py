"""Every cell of SUPPORTED_OPS.md rests on cases that are compared with the oracle that it names.

The cases themselves run elsewhere: against the oracle, in numpy and as C on this computer, in each
operator's test, test_int16.py and test_float_forms.py; as firmware in
tests/boards/test_operators_on_qemu.py. All take them from the same tables, which are counted here.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from mcu_quant.kernels import KERNELS
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.forms import FORMS
from tests.ops.tables import table_cases
from tests.test_operators_complete import LOWERED

#: Cases of a cell that have an oracle.
ENOUGH = 10
_USUAL = {"int8": "TFLM", "int16": "TFLM", "plain": "TFLM", "float": "LiteRT", "hybrid": "LiteRT"}
CELLS = [
    (name, form)
    for name, operator in OPERATORS.items()
    for form in FORMS
    if name not in LOWERED
    and any(name in kernel.ops and form in kernel.forms and not kernel.is_alias for kernel in KERNELS)
]


@cache
def counted() -> Counter[tuple[str, str, str | None]]:
    return Counter((case.op, case.form, case.oracle) for case in table_cases())


@pytest.mark.parametrize(("name", "form"), CELLS, ids=lambda part: part)
def test_cell_has_cases_with_its_oracle(name: str, form: str) -> None:
    oracle = OPERATORS[name].oracles.get(form, _USUAL[form])
    found = {
        case_oracle: count for (op, f, case_oracle), count in counted().items() if (op, f) == (name, form)
    }
    assert set(found) <= {oracle, None}, f"{name} in {form} is compared with {found}, and says {oracle}"
    assert found.get(oracle, 0) >= ENOUGH, f"{name} in {form} has {found.get(oracle, 0)} cases with {oracle}"


def test_no_form_is_both_there_and_absent() -> None:
    wrong = [(name, form) for name, form in CELLS if form in OPERATORS[name].absent_forms]
    assert not wrong
