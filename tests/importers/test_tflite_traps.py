"""Other people's .tflite files: what converters and tools of all years write."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ops.interpreter import run_graph
from tests.oracles import litert_ref
from tests.tflite_builder import Model, Subgraph, schema


def two_layers(**dense: Any) -> tuple[Model, Subgraph]:
    """x (1, 4) → fully connected (3) → softmax; dense: options of the first."""
    model = Model()
    main = Subgraph(model)
    x = main.input("x", (1, 4))
    weights = main.constant("w", np.arange(12).reshape(3, 4) / 10, "float32")
    y, z = main.tensor("y", (1, 3)), main.tensor("z", (1, 3))
    main.op("FULLY_CONNECTED", [x, weights, -1], [y], type="FullyConnectedOptions", **dense)
    main.op("SOFTMAX", [y], [z], type="SoftmaxOptions", beta=1.0)
    main.outputs(z)
    return model, main


def floats(*shape: int) -> list[np.ndarray]:
    return [np.random.default_rng(0).normal(size=(5, *shape)).astype(np.float32)]


def assert_like_litert(model: Model, *shape: int) -> None:
    graph = read_tflite(model.file(), "model")
    ours, theirs = run_graph(graph, floats(*shape)), litert_ref(model.file(), floats(*shape))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-6, atol=1e-6)


def test_a_legacy_uint8_model_is_one_problem() -> None:
    """Every tensor of it is of a wrong type; that is said once."""
    model = Model()
    main = Subgraph(model)
    quant = {"dtype": "uint8", "scale": 0.05, "zero_point": 120}
    last = main.input("x", (1, 4), **quant)
    for index in range(3):
        weights = main.constant(f"w{index}", np.full((4, 4), 130), "uint8", scale=0.02, zero_point=128)
        bias = main.constant(f"b{index}", [1, 2, 3, 4], "int32", scale=0.001)
        y = main.tensor(f"y{index}", (1, 4), **quant)
        main.op("FULLY_CONNECTED", [last, weights, bias], [y], type="FullyConnectedOptions")
        last = y
    main.outputs(last)
    with pytest.raises(UnsupportedModelError) as caught:
        read_tflite(model.file(), "model")
    (problem,) = caught.value.problems
    assert (problem.layer, problem.value) == ("w0", "3 constants of uint8")
    assert "before 2019" in problem.rule and "convert the float model again" in problem.hint


def test_weights_of_4_bits_are_named() -> None:
    model, main = two_layers()
    main.table.tensors[1].type = schema.TensorType.INT4
    with pytest.raises(UnsupportedModelError, match=r"w: .*INT4.*quantize the weights to 8 bits"):
        read_tflite(model.file(), "model")


def test_shuffled_weights_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="weights must be in their usual order"):
        read_tflite(two_layers(weightsFormat=1)[0].file(), "model")


def test_a_delegate_is_refused() -> None:
    model, main = two_layers()
    main.op("DELEGATE", [2], [main.tensor("d", (1, 3))])
    main.outputs(len(main.table.tensors) - 1)
    with pytest.raises(UnsupportedModelError, match=r"one accelerator.*before the vendor's compiler"):
        read_tflite(model.file(), "model")


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int8"])
def test_stored_constants_behind_dequantize(dtype: str) -> None:
    """Old converters store the weights of float models as uint8."""
    model = Model()
    main = Subgraph(model)
    x, y = main.input("x", (1, 4)), main.tensor("y", (1, 4))
    zero_point = 7 if dtype == "uint8" else 0
    stored = main.constant("c", [[0, 1, 2, 100]], dtype, scale=0.5, zero_point=zero_point)
    real = main.tensor("real", (1, 4))
    main.op("DEQUANTIZE", [stored], [real], type="DequantizeOptions")
    main.op("ADD", [x, real], [y], type="AddOptions")
    main.outputs(y)
    graph = read_tflite(model.file(), "model")
    expected = floats(1, 4)[0] + (np.array([0, 1, 2, 100], np.float32) - zero_point) * np.float32(0.5)
    np.testing.assert_array_equal(run_graph(graph, floats(1, 4))[0], expected)


def test_a_float16_constant_is_dequantized_for_each_use() -> None:
    """The converter may write a DEQUANTIZE for every reader; the constant is stored once."""
    model = Model()
    main = Subgraph(model)
    last = main.input("x", (1, 4))
    stored = main.constant("w", np.eye(4) * 0.5, "float16")
    for index in range(3):
        real, y = main.tensor(f"real{index}", (4, 4)), main.tensor(f"y{index}", (1, 4))
        main.op("DEQUANTIZE", [stored], [real], type="DequantizeOptions")
        main.op("FULLY_CONNECTED", [last, real, -1], [y], type="FullyConnectedOptions")
        last = y
    main.outputs(last)
    graph = read_tflite(model.file(), "model")
    assert [tensor.name for tensor in graph.tensors.values() if tensor.is_constant] == ["w"]
    assert_like_litert(model, 1, 4)


def test_a_float16_constant_that_is_transposed() -> None:
    model = Model()
    main = Subgraph(model)
    x, y = main.input("x", (1, 4)), main.tensor("y", (1, 3))
    stored, real = main.constant("w", np.arange(12).reshape(4, 3), "float16"), main.tensor("real", (4, 3))
    turned = main.tensor("turned", (3, 4))
    main.op("DEQUANTIZE", [stored], [real], type="DequantizeOptions")
    main.op("TRANSPOSE", [real, main.constant("order", [1, 0])], [turned], type="TransposeOptions")
    main.op("FULLY_CONNECTED", [x, turned, -1], [y], type="FullyConnectedOptions")
    main.outputs(y)
    assert [node.op for node in read_tflite(model.file(), "model").nodes] == ["fully_connected"]
    assert_like_litert(model, 1, 4)


@pytest.mark.parametrize("signature", [(-1, 4), (-1, -1)])
def test_open_sizes_of_inputs(signature: tuple[int, ...]) -> None:
    """The batch may be open: it is 1. Any other size must be known."""
    model, main = two_layers()
    main.table.tensors[0].shapeSignature = list(signature)
    if signature == (-1, 4):
        assert_like_litert(model, 1, 4)
    else:
        with pytest.raises(UnsupportedModelError, match="every size but the batch must be fixed"):
            read_tflite(model.file(), "model")


def test_a_rank_that_was_left_open() -> None:
    """Without a rank the declared shape says nothing; what follows from the inputs counts."""
    model, main = two_layers()
    main.table.tensors[2].shape, main.table.tensors[2].hasRank = [], False
    assert read_tflite(model.file(), "model").tensors["y"].shape == (1, 3)
    assert_like_litert(model, 1, 4)


def test_a_fixed_shape_that_does_not_fit_is_damage() -> None:
    model, main = two_layers()
    main.table.tensors[2].shape, main.table.tensors[2].shapeSignature = [1, 4], [-1, 4]
    with pytest.raises(InvalidModelError, match="declared shape"):
        read_tflite(model.file(), "model")


def test_subgraphs_that_nothing_calls_count_for_nothing() -> None:
    """Converters leave functions in the file that were inlined."""
    model, _ = two_layers()
    left = Subgraph(model)
    x, y = left.input("x", (3, 3)), left.tensor("y", (3, 3))
    left.op("ATAN2", [x, x], [y])
    left.outputs(y)
    assert_like_litert(model, 1, 4)


def test_weights_that_are_shared_by_two_layers() -> None:
    model, main = two_layers()
    again = main.tensor("again", (1, 3))
    main.op("FULLY_CONNECTED", [0, 1, -1], [again], type="FullyConnectedOptions")
    main.outputs(3, again)
    graph = read_tflite(model.file(), "model")
    assert sum(tensor.is_constant for tensor in graph.tensors.values()) == 1
    assert_like_litert(model, 1, 4)
