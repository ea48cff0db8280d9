"""reshape: Keras and TFLite forms; it is the same bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Tensor
from mcu_quant.kernels import KERNELS
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.reshape import ReshapeAttrs, resolve_shape
from mcu_quant.ops.support import node_problems
from tests.ops.driver import Case, reference, unary_case
from tests.ops.int16 import as_int16
from tests.oracles import tflm

OPERATOR = OPERATORS["reshape"]
SHAPES = [((1, 4, 3, 2), (1, 24)), ((1, 24), (1, 2, 3, 4)), ((1, 5), (1, 5)), ((1, 6), (2, 3)), ((1, 1), ())]


def reshape_case(x: tuple[int, ...], y: tuple[int, ...]) -> Case:
    return unary_case(f"{x}_to_{y}", "reshape", ReshapeAttrs(y), x)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize(("x", "y"), SHAPES)
def test_reshape_is_the_same_bytes_as_in_tflm(x: tuple[int, ...], y: tuple[int, ...], dtype: str) -> None:
    case = reshape_case(x, y)
    case = as_int16(case) if dtype == "int16" else case
    (samples,) = case.samples_of_inputs()
    (actual,) = reference(case)
    assert actual.shape == (len(samples), *y) and actual.dtype == dtype
    assert actual.tobytes() == samples.tobytes()
    (oracle,) = tflm(write_tflite(case.graph()), [samples])
    np.testing.assert_array_equal(actual, oracle)


@pytest.mark.parametrize(("x", "y"), SHAPES)
def test_the_file_says_the_same(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    """Also of a scalar, whose shape is an empty constant."""
    (node,) = read_tflite(write_tflite(reshape_case(x, y).graph()), "model").nodes
    assert node.attrs.shape == y


def test_reshape_runs_nothing() -> None:
    (kernel,) = [kernel for kernel in KERNELS if "reshape" in kernel.ops]
    assert kernel.is_alias
    assert kernel.refusal(reshape_case((1, 6), (2, 3)).node()) is None


def test_reshape_refuses_another_scale() -> None:
    case = unary_case("scales", "reshape", ReshapeAttrs((2, 3)), (1, 6), x=(0.05, 3), y=(0.05, 4))
    (problem,) = node_problems(case.node())
    assert "same scale" in problem.rule


@pytest.mark.parametrize(
    ("class_name", "config", "x", "y"),
    [
        ("Flatten", {}, (1, 4, 3, 2), (1, 24)),
        ("Flatten", {"data_format": "channels_first"}, (1, 7), (1, 7)),
        ("Reshape", {"target_shape": [3, 8]}, (1, 4, 3, 2), (1, 3, 8)),
        ("Reshape", {"target_shape": (2, -1, 3)}, (1, 4, 3, 2), (1, 2, 4, 3)),
    ],
)
def test_keras_layers(
    class_name: str, config: dict[str, Any], x: tuple[int, ...], y: tuple[int, ...]
) -> None:
    builder = GraphBuilder("model", OPERATORS)
    name = OPERATOR.from_keras(KerasLayer("layer", class_name, config), [builder.input("x", x)], builder)
    assert builder.shape(name) == y


@pytest.mark.parametrize(
    ("class_name", "config", "words"),
    [
        ("Flatten", {"data_format": "channels_first"}, "channels_last"),
        ("Reshape", {"target_shape": [5, -1]}, "as many elements"),
        ("Reshape", {"target_shape": [-1, -1]}, "as many elements"),
        ("Reshape", {"target_shape": [25]}, "as many elements"),
    ],
)
def test_keras_refusals(class_name: str, config: dict[str, Any], words: str) -> None:
    builder = GraphBuilder("model", OPERATORS)
    with pytest.raises(LayerRefused, match=words):
        OPERATOR.from_keras(
            KerasLayer("layer", class_name, config), [builder.input("x", (1, 4, 3, 2))], builder
        )


class Options:
    """As the generated accessors give them."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def __getattr__(self, name: str) -> Any:
        return lambda: self.values.get(name, 0)


def read(builtin: str, x: tuple[int, ...], constant: Any = None, **options: Any) -> tuple[int, ...]:
    inputs: list[Tensor | None] = [Tensor("x", x)]
    if constant is not None:
        inputs.append(Tensor.constant("shape", np.asarray(constant, np.int32)))
    attrs, kept = OPERATOR.from_tflite(TfliteNode("node", builtin, Options(**options), tuple(inputs), ()))
    assert kept == (inputs[0],)
    return attrs.shape


def test_tflite_forms() -> None:
    assert read("RESHAPE", (1, 6), [1, -1, 2]) == (1, 3, 2)
    assert read("RESHAPE", (1, 6), NewShapeAsNumpy=np.array([-1, 2], np.int32)) == (3, 2)
    assert read("RESHAPE", (1, 1), NewShapeAsNumpy=np.array([0], np.int32)) == ()
    assert read("SQUEEZE", (1, 6, 1, 1), SqueezeDimsAsNumpy=np.array([-1, 2], np.int32)) == (1, 6)
    assert read("SQUEEZE", (1, 6, 1, 1)) == (6,)
    assert read("EXPAND_DIMS", (1, 6), 1) == (1, 1, 6)
    assert read("EXPAND_DIMS", (1, 6), [-1]) == (1, 6, 1)


def test_tflite_refusals() -> None:
    with pytest.raises(InvalidModelError, match="as many elements"):
        read("RESHAPE", (1, 6), [1, 5])
    with pytest.raises(InvalidModelError, match="as many elements"):
        read("SQUEEZE", (1, 6, 1), SqueezeDimsAsNumpy=np.array([1], np.int32))
    computed = TfliteNode("node", "RESHAPE", None, (Tensor("x", (1, 6)), Tensor("s", (2,), "int32")), ())
    with pytest.raises(UnsupportedModelError, match="constant"):
        OPERATOR.from_tflite(computed)


def test_a_shape_is_resolved_or_refused() -> None:
    assert resolve_shape((-1,), (1, 6)) == (6,)
    assert resolve_shape((0, -1), (1, 6)) is None
    assert resolve_shape((-2, -3), (1, 6)) is None
