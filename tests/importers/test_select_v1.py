"""SELECT, the older one, is read as SELECT_V2, with a reshape where the condition is of rows."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.interpreter import run_graph
from tests.oracles import litert_ref, tflm
from tests.tflite_files import one_operator

QUANTS = {"int8": QuantParams.per_tensor(0.05, 127), "int16": QuantParams.per_tensor(0.001)}


def select_file(dtype: str, shape: tuple[int, ...], condition: tuple[int, ...]) -> bytes:
    operands = [Tensor(name, shape, dtype, QUANTS.get(dtype)) for name in "xy"]
    output = Tensor("z", shape, dtype, QUANTS.get(dtype))
    return one_operator("SELECT", [Tensor("condition", condition, "bool"), *operands], [output])


@pytest.mark.parametrize("dtype", ("int8", "int16", "float32", "int32", "bool"))
@pytest.mark.parametrize(
    ("shape", "condition"),
    [
        ((1, 3, 4), (1, 3, 4)),
        ((1, 3, 4), (1,)),
        ((1, 3, 4), ()),
        ((1, 5), (1, 5)),
        ((1,), (1,)),
        ((1, 2, 3, 2, 2), (1, 2, 3, 2, 2)),
    ],
)
def test_bits_are_litert_s(dtype: str, shape: tuple[int, ...], condition: tuple[int, ...]) -> None:
    rng = np.random.default_rng(len(shape))
    inputs = [rng.integers(0, 2, (4, *condition)).astype(np.bool_)]
    inputs += [rng.integers(-100, 100, (4, *shape)).astype(dtype) for _ in range(2)]
    data = select_file(dtype, shape, condition)
    graph = read_tflite(data, "select")
    (found,) = run_graph(graph, inputs)
    np.testing.assert_array_equal(found, litert_ref(data, inputs)[0])
    if dtype in ("int8", "int16", "float32"):
        np.testing.assert_array_equal(found, tflm(write_tflite(graph), inputs)[0])


@pytest.mark.parametrize("condition", [(3,), (1, 1, 4), (2,)])
def test_other_conditions_are_refused(condition: tuple[int, ...]) -> None:
    with pytest.raises(InvalidModelError, match="operands of SELECT must"):
        read_tflite(select_file("int8", (1, 3, 4), condition), "select")


@pytest.mark.parametrize("missing", (0, 1, 2))
def test_missing_operands_are_refused(missing: int) -> None:
    inputs: list[Tensor | None] = [Tensor("condition", (1, 3), "bool"), *(Tensor(x, (1, 3)) for x in "xy")]
    inputs[missing] = None
    with pytest.raises(InvalidModelError, match="an input is missing"):
        read_tflite(one_operator("SELECT", inputs, [Tensor("z", (1, 3))]), "select")
