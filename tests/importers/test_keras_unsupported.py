"""Every layer class of Keras is read, or listed as unsupported with a reason and a rewrite."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import UnsupportedModelError
from mcu_quant.importers.keras_config import WRAPPER_CLASSES
from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.importers.keras_functions import FUNCTION_LAYERS
from mcu_quant.importers.keras_layers import HANDLERS, IDENTITIES
from mcu_quant.importers.keras_unsupported import REWRITES, unsupported_layer
from tests import tiny_models

#: Read or refused in other places than the two lists.
ELSEWHERE = {"InputLayer", "Lambda"}
#: Names of Keras 2 that Keras 3 has no more.
OLD = {"LocallyConnected1D", "LocallyConnected2D"}


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras", reason="goes over Keras's own classes")


def layer_classes(keras: Any) -> dict[str, Any]:
    """By the name that a file has."""
    found = (c for c in vars(keras.layers).values() if inspect.isclass(c) and issubclass(c, keras.Layer))
    return {cls.__name__: cls for cls in found}


def test_every_class_is_read_or_listed(keras: Any) -> None:
    known = {*HANDLERS, *FUNCTION_LAYERS, *WRAPPER_CLASSES, *REWRITES, *ELSEWHERE}
    assert set(layer_classes(keras)) <= known


def test_what_is_listed_exists(keras: Any) -> None:
    exported = {*layer_classes(keras), *vars(keras.layers)}
    assert set(REWRITES) - OLD <= exported


def test_what_is_read_is_not_listed() -> None:
    assert not set(REWRITES) & {*HANDLERS, *WRAPPER_CLASSES}


@pytest.mark.parametrize("class_name", sorted(REWRITES))
def test_a_refusal_has_a_reason_and_a_rewrite(class_name: str) -> None:
    problem = unsupported_layer(class_name).problem("layer")
    assert problem.rule and problem.hint and problem.value == class_name


IMAGE = np.random.default_rng(0).random((2, 6, 6, 3), np.float32)
#: What classes need beside defaults.
ARGUMENTS = {
    "ActivityRegularization": {"l1": 0.1},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomPosterization": {"factor": 4},
}


@pytest.mark.parametrize("class_name", sorted(set(IDENTITIES)))
def test_layers_that_count_for_nothing_do_nothing_at_inference(class_name: str, keras: Any) -> None:
    cls = getattr(keras.layers, class_name)
    wanted = inspect.signature(cls.__init__).parameters
    arguments: dict[str, Any] = dict(ARGUMENTS.get(class_name, {}))
    for name, value in (("rate", 0.5), ("stddev", 0.5), ("factor", 0.5), ("height_factor", 0.2)):
        if name in wanted and wanted[name].default is inspect.Parameter.empty:
            arguments.setdefault(name, value)
    if "value_range" in wanted:
        arguments["value_range"] = (0, 1)
    x = {"1D": IMAGE[:, 0], "3D": IMAGE[:, None]}.get(class_name[-2:], IMAGE)
    np.testing.assert_array_equal(cls(**arguments)(x, training=False), x)


def test_augmentation_in_a_saved_model(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.RandomFlip(), layers.RandomRotation(0.1), layers.Conv2D(2, 3)]
    )
    model.save(tmp_path / "m.keras")
    graph = load_keras_file(tmp_path / "m.keras")
    assert [node.op for node in graph.nodes] == ["conv_2d"]


def test_all_are_listed_at_once(tmp_path: Path) -> None:
    path = tiny_models.write_sequential(
        tmp_path / "m.keras",
        [None, 12],
        [
            tiny_models.layer("ConvLSTM2D", "look", filters=2, kernel_size=3),
            tiny_models.layer("Conv3D", "cubes", filters=2, kernel_size=3),
            tiny_models.layer("TextVectorization", "words"),
        ],
        {},
    )
    with pytest.raises(UnsupportedModelError) as caught:
        load_keras_file(path)
    found = [(problem.layer, problem.value) for problem in caught.value.problems]
    assert found == [("look", "ConvLSTM2D"), ("cubes", "Conv3D"), ("words", "TextVectorization")]
    assert all(problem.rule and problem.hint for problem in caught.value.problems)
