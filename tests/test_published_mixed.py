"""Trained Keras models with another technique for one or two of their layers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.pipeline import TfliteModel, load, quantize, verify
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.recipe import recipe_of
from tests.keras_models import (
    SHARED,
    calibration_data,
    float_graph,
    held_out_data,
    needs_models,
    quantize_input,
)
from tests.oracles import litert_ref, tflm

pytestmark = needs_models

#: Nothing but integers; and one layer in float32 too, all else int8.
RECIPES = {
    "exact": {"conv2d": "int16x8", "conv2d_3": "int16x8"},
    "float": {"conv2d_2": "int16x8", "dense": "float32"},
}


@cache
def mixed(model: str, name: str) -> TfliteModel:
    options = QuantizeOptions(recipe=recipe_of(RECIPES[name]))
    return quantize(load(SHARED / "models" / f"{model}.keras"), [calibration_data(model)], options)


def inputs(model: str, name: str, count: int) -> list[np.ndarray]:
    (tensor,) = mixed(model, name).graph.input_tensors()
    return [quantize_input(tensor, calibration_data(model)[-count:])]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("model", ["kws_ref_model", "fashion_dscnn"])
def test_others_run_the_file_and_agree(model: str, name: str) -> None:
    """LiteRT rounds the sums of int16 layers once, TFLM twice: a step of the scores is what that may move."""
    data, file = inputs(model, name, 20), mixed(model, name)
    (ours,) = run_graph(file.graph, data)
    assert len(np.unique(ours)) > 2
    (theirs,) = litert_ref(file.data, data)
    assert np.abs(ours.astype(int) - theirs).max() <= 2
    if name == "exact":
        assert np.array_equal(ours, tflm(file.data, data)[0])


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("model", ["kws_ref_model", "fashion_dscnn"])
def test_c_agrees_with_the_reference(model: str, name: str) -> None:
    (result,) = verify(mixed(model, name), ["host"], inputs(model, name, 20), GenerateOptions())
    assert result.passed and (result.identical or name == "float"), result


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("board", ["mps2_an386", "mps2_an385_m0plus"])
@pytest.mark.parametrize("name", RECIPES)
def test_boards_with_and_without_fpu_agree(board: str, name: str) -> None:
    model = "kws_ref_model"
    (result,) = verify(mixed(model, name), [board], inputs(model, name, 2), GenerateOptions())
    assert result.passed and (result.identical or name == "float"), result


@pytest.mark.parametrize("name", RECIPES)
def test_accuracy_is_that_of_int8_or_more(name: str) -> None:
    x, _ = held_out_data("fashion_dscnn")
    x = x[:1000]
    file = mixed("fashion_dscnn", name)
    (tensor,) = file.graph.input_tensors()
    (scores,) = run_graph(file.graph, [quantize_input(tensor, x)])
    (real,) = run_graph(float_graph("fashion_dscnn"), [x.reshape(-1, *tensor.shape)])
    classes = [array.reshape(len(x), -1).argmax(axis=1) for array in (scores, real)]
    assert np.mean(classes[0] == classes[1]) >= 0.986  # the bound of int8
