"""A new operator: its file, its tests, a line in the list, portable kernels, a row of SUPPORTED_OPS.md."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mcu_quant import kernels, ops
from mcu_quant.ops.base import Operator
from tests.conftest import ROOT
from tests.ops import test_float_forms, test_int16, test_plain

OPS = ROOT / "mcu_quant" / "ops"
#: Operators that exist only between import and quantization: passes replace them.
LOWERED = {name for name, operator in ops.OPERATORS.items() if type(operator).to_tflite is Operator.to_tflite}
#: Forms with tests beside the tables: test_int16_to_floats, and tests/ops/test_reshape.py.
TESTED_APART = {("dequantize", "int16"), ("reshape", "int16"), ("reshape", "plain")}
operator_files = sorted(
    path.stem for path in OPS.glob("*.py") if "\nOPERATOR = " in path.read_text(encoding="utf-8")
)
kernel_files = sorted(
    path
    for path in (ROOT / "mcu_quant" / "kernels").rglob("*.py")
    if "\nKERNEL = " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", operator_files)
def test_operator_is_complete(name: str) -> None:
    missing = []
    if name not in ops._MODULES:
        missing.append("its line in mcu_quant/ops/__init__.py")
    if not (ROOT / "tests" / "ops" / f"test_{name}.py").is_file():
        missing.append(f"its test, tests/ops/test_{name}.py")
    for form in forms_of(name):
        missing += lacking_in(name, form)
    table = (ROOT / "SUPPORTED_OPS.md").read_text(encoding="utf-8")
    if f"\n| {name} |" not in table:
        missing.append("its row in SUPPORTED_OPS.md (run `make docs`)")
    assert not missing, f"{name} lacks " + "; ".join(missing)


def forms_of(name: str) -> list[str]:
    """The forms that an operator must have: all, but hybrid only with weights."""
    if name in LOWERED or name not in ops.OPERATORS:
        return []
    linear = ops.OPERATORS[name].quant_rule.weights is not None
    plain = ops.OPERATORS[name].plain_form
    forms = ("float", "int8", "int16", *(("hybrid",) if linear else ()), *(("plain",) if plain else ()))
    return [form for form in forms if form not in ops.OPERATORS[name].absent_forms]


def lacking_in(name: str, form: str) -> list[str]:
    """What the operator lacks to be complete in that form."""
    portable = [k for k in kernels.KERNELS if k.family == "portable" and name in k.ops]
    missing = []
    if (name, form) == ("strided_slice", "plain"):  # its kernel is to come
        return missing
    if not any(form in kernel.forms for kernel in portable):
        missing.append(f"a portable kernel whose forms have {form}, mcu_quant/kernels/portable/")
    if form == "hybrid" and type(ops.OPERATORS[name]).run_hybrid is Operator.run_hybrid:
        missing.append(f"run_hybrid, mcu_quant/ops/{name}.py")
    if form == "float" and name not in test_float_forms.TOLERANCES:
        missing.append("its tolerance in tests/ops/test_float_forms.py")
    if form == "hybrid" and name not in test_float_forms.LINEAR:
        missing.append("its line in LINEAR of tests/ops/test_float_forms.py")
    if form == "int16" and name not in test_int16.TABLES and (name, form) not in TESTED_APART:
        missing.append("its cases in TABLES of tests/ops/test_int16.py")
    if form == "plain" and name not in test_plain.TABLES and (name, form) not in TESTED_APART:
        missing.append("its cases in TABLES of tests/ops/test_plain.py")
    return missing


@pytest.mark.parametrize("name", operator_files)
def test_operator_is_filed_under_its_name(name: str) -> None:
    assert ops.OPERATORS[name].name == name


@pytest.mark.parametrize("path", kernel_files, ids=lambda path: path.stem)
def test_kernel_is_complete(path: object) -> None:
    family, stem = path.parent.name, path.stem  # type: ignore[attr-defined]
    missing = []
    if f"{family}.{stem}" not in kernels._MODULES:
        missing.append("its line in mcu_quant/kernels/__init__.py")
    kernel = next((k for k in kernels.KERNELS if k.name == stem), None)
    if kernel is not None and not kernel.is_alias:
        suffixes = (".h", ".c", ".S")
        if not any((ROOT / "templates" / "kernels" / family / f"{stem}{s}").is_file() for s in suffixes):
            missing.append(f"its C, templates/kernels/{family}/{stem}.h")
    assert not missing, f"{stem} lacks " + "; ".join(missing)


def test_names_of_kernels_are_unique() -> None:
    names = [kernel.name for kernel in kernels.KERNELS]
    assert len(names) == len(set(names))


def test_supported_ops_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "supported_ops.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
