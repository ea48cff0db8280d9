"""The Python interface: every form of model and of representative dataset, and what comes out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mcu_quant as mq
from mcu_quant.errors import InvalidInputError
from tests import tiny_models
from tests.conftest import require_tools

X = np.random.default_rng(5).normal(size=(64, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.dense(tmp_path_factory.mktemp("api") / "dense.keras")


@pytest.fixture(scope="module")
def quantized(model: Path) -> mq.QuantizedModel:
    return mq.quantize(model, X)


def one_by_one() -> Iterator[list[np.ndarray]]:
    """As the TFLite converter wants it."""
    for sample in X:
        yield [sample[None]]


@pytest.mark.parametrize(
    "dataset",
    [
        pytest.param(X[:, None], id="array with a batch axis"),
        pytest.param({"image": X}, id="dict by input name"),
        pytest.param({"x": X}, id="dict with x"),
        pytest.param(list(X), id="list of samples"),
        pytest.param([X[:10], X[10:]], id="list of batches"),
        pytest.param([{"image": sample} for sample in X], id="list of dicts"),
        pytest.param(one_by_one, id="generator function"),
        pytest.param(lambda: iter(X), id="function of an iterator"),
    ],
)
def test_datasets_give_the_same_bytes(dataset: object, model: Path, quantized: mq.QuantizedModel) -> None:
    assert mq.quantize(model, dataset).tflite == quantized.tflite


def test_a_file_of_samples(model: Path, quantized: mq.QuantizedModel, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=X)
    assert mq.quantize(model, tmp_path / "x.npz").tflite == quantized.tflite


@pytest.mark.parametrize("dataset", [3, [], np.zeros((0, 12), np.float32), {"other": X}, [np.zeros(5)]])
def test_unusable_datasets(dataset: object, model: Path) -> None:
    with pytest.raises(mq.McuQuantError):
        mq.quantize(model, dataset)


def test_progress(model: Path) -> None:
    seen: list[int] = []
    mq.quantize(model, X, progress=lambda done, total: seen.append(done))
    assert seen == sorted(seen) and seen[-1] == len(X)


def test_save_load_predict(model: Path, quantized: mq.QuantizedModel, tmp_path: Path) -> None:
    loaded = mq.load(quantized.save(tmp_path / "dense.tflite"))
    assert isinstance(loaded, mq.QuantizedModel) and loaded.tflite == quantized.tflite
    scores = loaded.predict(X)
    assert scores.shape == (64, 3) and scores.dtype == np.float32
    raw = loaded.predict_raw(X)
    assert raw.dtype == np.int8 and np.array_equal((raw.astype(np.float32) + 128) / 256, scores)
    exact = mq.load(model).predict(X)
    # 8 bits of logits that reach to about 10 move a probability by up to a tenth where two classes are near.
    assert np.abs(exact - scores).max() < 0.1
    assert np.mean(np.abs(exact - scores)) < 0.01


def test_functions_are_not_hidden_by_stages(quantized: mq.QuantizedModel) -> None:
    """mcu_quant.quantize is a function although there is a package of that name."""
    code = (
        "import mcu_quant as mq; import mcu_quant.quantize; from mcu_quant.quantize import quantize_integer; "
        "import mcu_quant.pipeline; assert callable(mq.quantize); from mcu_quant import quantize; "
        "assert quantize.__module__ == 'mcu_quant.api.quantizing', quantize"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_is_quick() -> None:
    code = (
        "import sys, mcu_quant; assert 'numpy' not in sys.modules; "
        "assert dir(mcu_quant) == sorted(mcu_quant.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_generate_and_verify(quantized: mq.QuantizedModel, tmp_path: Path) -> None:
    require_tools("gcc")
    library = mq.generate(quantized, target="cortex-m4", output_dir=tmp_path / "library", optimize="size")
    assert (library.path / "dense.c").is_file() and library.arena_bytes > 0
    (result,) = library.verify()
    assert result.engine == "host" and result.identical
    with pytest.raises(mq.McuQuantError, match="board"):
        library.profile()
    with pytest.raises(mq.McuQuantError, match="exist"):
        mq.generate(quantized, target="cortex-m4", output_dir=tmp_path / "library")
    with pytest.raises(mq.McuQuantError, match="either"):
        mq.generate(quantized, output_dir=tmp_path / "other")


def test_options_are_checked(quantized: mq.QuantizedModel, model: Path, tmp_path: Path) -> None:
    wrong: list[dict[str, Any]] = [
        {"optimize": "speed"},
        {"kernels": "best"},
        {"ram": 0},
        {"ram": -1},
        {"ram": "64k"},
        {"ram": True},
        {"name": "a-b"},
        {"output_dir": ""},
        {"model": mq.load(model)},
    ]
    for options in wrong:
        arguments: dict[str, Any] = {"model": quantized, "target": "generic", "output_dir": tmp_path / "out"}
        with pytest.raises(mq.McuQuantError):
            mq.generate(**arguments | options)
    with pytest.raises(TypeError):
        mq.generate(quantized, target="generic", output_dir=tmp_path / "out", optimise="size")  # type: ignore[call-arg]
    assert not list(tmp_path.iterdir())


def test_names_are_checked(model: Path) -> None:
    for name in ("a-b", "int", ""):
        with pytest.raises(mq.McuQuantError, match="identifier"):
            mq.load(model, name=name)
    assert mq.load(model, name="mine").name == "mine"
    with pytest.raises(mq.McuQuantError, match="empty"):
        mq.load("")


def test_names_in_one_text(model: Path, quantized: mq.QuantizedModel) -> None:
    """As the command line has them; not letter by letter."""
    as_text = mq.quantize(model, X, repairs="adaround, bias")
    assert as_text.model.data == mq.quantize(model, X, repairs=["adaround", "bias"]).model.data
    assert as_text.model.data != quantized.model.data
    assert [row.name for row in mq.compare(model, X, techniques="int8,dynamic").rows] == ["int8", "dynamic"]
    with pytest.raises(InvalidInputError, match="calibration method"):
        mq.quantize(model, X, calibration=99.9)  # type: ignore[arg-type]


def test_saving_replaces_only_by_force(quantized: mq.QuantizedModel, tmp_path: Path) -> None:
    output = tmp_path / "dense.tflite"
    output.write_text("precious")
    with pytest.raises(mq.McuQuantError, match="exist"):
        quantized.save(output)
    assert output.read_text() == "precious"
    assert quantized.save(output, force=True).read_bytes() == quantized.tflite
    with pytest.raises(mq.McuQuantError, match="empty"):
        quantized.save("")


def test_inputs_by_name(quantized: mq.QuantizedModel, model: Path, tmp_path: Path) -> None:
    expected = quantized.predict(X)
    for by_name in ({"image": X}, {"in0": X}, {"x": X}):
        assert np.array_equal(quantized.predict(by_name), expected)
    assert np.array_equal(mq.load(model).predict({"image": X}), mq.load(model).predict(X))
    with pytest.raises(mq.McuQuantError, match="other"):
        quantized.predict({"other": X})
    require_tools("gcc")
    library = mq.generate(quantized, target="generic", output_dir=tmp_path / "library")
    assert [result.identical for result in library.verify({"image": X[:2]})] == [True]


@pytest.mark.qemu
def test_generate_for_a_board(quantized: mq.QuantizedModel, tmp_path: Path) -> None:
    firmware = mq.generate(quantized, board="mps2_an386", output_dir=tmp_path / "firmware")
    assert [result.engine for result in firmware.verify(X)] == ["host", "mps2_an386"]
    profile = firmware.certify(tmp_path / "certificate", X)
    assert profile["schema"] == 1 and profile["board"] == "mps2_an386"
    assert (tmp_path / "certificate" / "arena.svg").is_file()
    with pytest.raises(InvalidInputError, match="must not exist yet"):
        firmware.certify(tmp_path / "certificate" / "arena.svg", X)


def test_a_placement_is_a_table_or_a_file(quantized: mq.QuantizedModel, tmp_path: Path) -> None:
    (tmp_path / "placement.toml").write_text('[weights]\nhidden = "hot"\n', encoding="utf-8")
    texts = []
    for index, placement in enumerate(({"hidden": "hot"}, tmp_path / "placement.toml")):
        path = tmp_path / str(index)
        mq.generate(quantized, target="cortex-m4", output_dir=path, placement=placement)
        texts.append("".join(file.read_text(encoding="utf-8") for file in sorted(path.glob("*_weights.c"))))
    assert texts[0] == texts[1] and 'section("hot")' in texts[0]
    with pytest.raises(InvalidInputError, match="must match a layer"):
        mq.generate(quantized, target="generic", output_dir=tmp_path / "2", placement={"none": "hot"})


def test_a_model_in_memory(quantized: mq.QuantizedModel, model: Path) -> None:
    keras = pytest.importorskip("keras")
    in_memory = keras.Sequential(
        [
            keras.Input((12,), name="image"),
            keras.layers.Dense(6, activation="relu", name="hidden"),
            keras.layers.Dense(3, activation="softmax", name="scores"),
        ]
    )
    graph = mq.load(model).graph
    for layer in in_memory.layers:
        names = [n for n in graph.tensors if n.startswith(f"{layer.name}/")]
        constants = [graph.tensors[n].data for n in names if graph.tensors[n].is_constant]
        layer.set_weights([c.T if c.ndim == 2 else c for c in constants])
    assert mq.quantize(in_memory, X).predict_raw(X).tolist() == quantized.predict_raw(X).tolist()
