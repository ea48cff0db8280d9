"""Files of trained models whose config was changed: errors that name the layer, never a crash."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mcu_quant as mq
from mcu_quant.errors import McuQuantError
from tests.training import models

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is ready to be quantized, its ranges from data."""
    model = models.model_of("blocks")
    path = tmp_path_factory.mktemp("files") / "blocks.keras"
    mq.prepare_qat(model, models.inputs_of(model)).save(path)
    return path


def changed(archive: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The archive with a config that `change` has edited."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w") as out:
        for member in source.namelist():
            data = source.read(member)
            if member == "config.json":
                document = json.loads(data)
                change(document)
                data = json.dumps(document).encode()
            out.writestr(member, data)
    return target


def layer(name: str, **entries: Any) -> Change:
    """Entries of a layer's config to replace; None takes one out."""

    def change(document: dict[str, Any]) -> None:
        (found,) = [entry for entry in document["config"]["layers"] if entry["name"] == name]
        for key, value in entries.items():
            if value is None:
                del found["config"][key]
            else:
                found["config"][key] = value

    return change


CHANGES: dict[str, Change] = {
    "unknown operator": layer("average", op="teleport"),
    "another operator": layer("average", op="conv_2d"),
    "no operator": layer("average", op=None),
    "an operator's attributes missing": layer("average", attrs={}),
    "attributes of another": layer("average", attrs={"axis": 1}),
    "attributes of wrong types": layer("first", attrs={"strides": 2, "padding": "same"}),
    "a word that is none": layer("first", attrs={"padding": "wide"}),
    "a stride of 0": layer("first", attrs={"strides": [0, 0]}),
    "a huge window": layer("average", attrs={"filter_size": [99999, 99999], "strides": [1, 1]}),
    "an axis beyond": layer("joined", attrs={"axis": 9}),
    "another kernel": layer("first", kernel_shape=[3, 3, 4, 8]),
    "a flat kernel": layer("first", kernel_shape=[216]),
    "no epsilon": layer("first", epsilon=None),
    "a negative epsilon": layer("first", epsilon=-100.0),
    "two tensors of a name": layer("left", output="first"),
    "two nodes of a name": layer("left", node="first"),
    "constants that are not there": layer("residual", operands=[None, None, [3]]),
    "operands missing": layer("residual", operands=[None]),
    "more ranges": layer("first_quantized", tensors=["first", "second"]),
    "no ranges": layer("first_quantized", tensors=[]),
    "an endless range": layer("first_quantized", include=[float("-inf"), 0.0]),
    "an input without a shape": layer("image", batch_shape=[None, None, 10, 3]),
    "an input of text": layer("image", batch_shape="large"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_file_is_refused(name: str, archive: Path, tmp_path: Path) -> None:
    path = changed(archive, tmp_path / "changed.keras", CHANGES[name])
    with pytest.raises(McuQuantError) as caught:
        mq.quantize(path)
    assert any(problem.layer for problem in caught.value.problems)


def test_the_file_as_it_was_is_taken(archive: Path, tmp_path: Path) -> None:
    path = changed(archive, tmp_path / "same.keras", lambda document: None)
    assert mq.quantize(path).tflite
