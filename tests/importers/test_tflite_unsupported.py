"""Every TFLite builtin is read, or listed as unsupported with a reason and a rewrite."""

from __future__ import annotations

import pytest

from mcu_quant.errors import UnsupportedModelError
from mcu_quant.importers.tflite import READ, read_tflite
from mcu_quant.importers.tflite_shapes import FOLDED
from mcu_quant.importers.tflite_unsupported import UNSUPPORTED
from tests.tflite_builder import Model, Subgraph, schema

BUILTINS = {name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}


def test_every_builtin_is_read_or_listed() -> None:
    """A newer schema has new ones: give each a form, or a line in tflite_unsupported.py."""
    assert not BUILTINS - READ - set(UNSUPPORTED)


def test_none_is_both() -> None:
    """What is read now leaves the list."""
    assert not READ & set(UNSUPPORTED)
    assert BUILTINS.issuperset(UNSUPPORTED) and BUILTINS.issuperset(FOLDED)


@pytest.mark.parametrize("builtin", sorted(UNSUPPORTED))
def test_a_refusal_has_a_reason_and_a_rewrite(builtin: str) -> None:
    """In a file with that operator, by the name of its output."""
    entry = UNSUPPORTED[builtin]
    assert entry.reason and entry.rewrite
    model = Model()
    main = Subgraph(model)
    x, y = main.input("x", (1, 4)), main.tensor("y", (1, 4))
    main.op(builtin, [-1, x], [y], custom="mine" if builtin == "CUSTOM" else None)
    main.outputs(y)
    with pytest.raises(UnsupportedModelError) as caught:
        read_tflite(model.file(), "model")
    (problem,) = caught.value.problems
    assert problem.layer == "y" and problem.hint


CUSTOM = {
    "FlexErf": ("Flex", "SELECT_TF_OPS"),
    "TFLite_Detection_PostProcess": ("size of the output", "end the model"),
    "ethos-u": ("one accelerator", "before the vendor's compiler"),
    "MyOp": ("meaning is not in the file", "TFLITE_BUILTINS"),
}


@pytest.mark.parametrize("name", CUSTOM)
def test_custom_operators(name: str) -> None:
    model = Model()
    main = Subgraph(model)
    x, y = main.input("x", (1, 4)), main.tensor("y", (1, 4))
    main.op("CUSTOM", [x], [y], custom=name)
    main.outputs(y)
    reason, rewrite = CUSTOM[name]
    with pytest.raises(UnsupportedModelError, match=f"{reason}.*{name}.*{rewrite}"):
        read_tflite(model.file(), "model")
